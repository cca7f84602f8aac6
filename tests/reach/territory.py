"""A small territory in which every page of the product has something to show."""

import time
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any

import httpx

from tests.fakes.terms import PARVIS_TERMS

KNOWN, SILENT, WAITING = "a84041a1b1830042", "a84041a1b1830043", "a84041a1b1830099"
PLACES = b"ref;x;y;puissance (W)\nL1;218400,5;6755200,5;40\nL2;218500,5;6755300,5;60\nL3;zz;6755300,5;60\n"
SHEET = b"hardware_id,profile,object\na84041a1b1830050,cayenne-lpp,urn:ngsi-ld:Building:school\n,cayenne-lpp,\n"
MEMBER = "port-louis"
PATIENCE_S = 20
WORTH_A_LOOK = (
    "/?commune=Trevalan",
    f"/console/quarantine/adopt?device={WAITING}",
    "/console/map?type=waste&selected=urn:ngsi-ld:WasteContainer:full",
    "/console/entities/urn:ngsi-ld:WasteContainer:half",
    "/console/entities/urn:ngsi-ld:WasteContainer:silent",
    f"/console/devices/{KNOWN}",
    f"/console/devices/{SILENT}?new=1",
    f"/console/devices/new?label={WAITING}",
    "/console/codecs/cayenne-lpp?payload=016700e1&f_port=1",
    "/console/search?q=school",
)
"""States of pages, beside those that links lead to."""
WRONG_OR_EMPTY = (
    "/console/map?type=air&state=alarm",
    "/console/devices?state=never&search=nothing",
    "/console/codecs/cayenne-lpp?payload=zz&f_port=1",
    "/console/search?q=nothing-like-it",
    "/console/subscriptions?search=nothing-like-it",
)


def furnish(client: httpx.Client) -> list[str]:
    """Through the interfaces that everybody uses. Answers addresses that are reached by a form, not by a link."""
    _write_objects(client)
    _connect_devices(client)
    _subscribe(client)
    _share_a_dashboard(client)
    _run_a_job(client)
    told = [_enter_an_incident(client), _add_a_member(client), _look_for_somebody(client)]
    return [*_import_places(client), *_import_devices(client), *told, *WORTH_A_LOOK]


def _write_objects(client: httpx.Client) -> None:
    for minutes_ago in range(90, 0, -10):
        at = _utc(datetime.now(UTC) - timedelta(minutes=minutes_ago))
        answer = client.post(
            "/ngsi-ld/v1/entityOperations/upsert?options=update", json=_objects(at), headers=PARVIS_TERMS
        )
        assert answer.status_code in (201, 204), answer.text


def _objects(at: str) -> list[dict[str, Any]]:
    """One of each domain, so that each has a state, an icon and a colour; one of them silent for days."""
    old = _utc(datetime.now(UTC) - timedelta(days=3))
    return [
        _entity("WasteContainer:full", (-3.30, 47.70), at, fillingLevel=(0.97, "C62")),
        _entity("WasteContainer:half", (-3.29, 47.71), at, fillingLevel=(0.5, "C62")),
        _entity("WasteContainer:silent", (-3.28, 47.69), old, fillingLevel=(0.2, "C62")),
        _entity("WaterConsumptionObserved:mill", (-3.25, 47.70), at, flow=(120, "E32"), alarmStopsLeaks=(1, None)),
        _entity("AirQualityObserved:hall", (-3.27, 47.72), at, pm25=(8.2, "GQ"), temperature=(18.4, "CEL")),
        _entity("ParkingSpot:quay", (-3.26, 47.71), at, availableSpotNumber=(12, None)),
        _entity("Building:school", (-3.24, 47.71), at, temperature=(19.5, "CEL")),
    ]


def _entity(name: str, place: tuple[float, float], at: str, **values: tuple[float, str | None]) -> dict[str, Any]:
    measured = {
        term: {"type": "Property", "value": value, "observedAt": at} | ({"unitCode": unit} if unit else {})
        for term, (value, unit) in values.items()
    }
    return {
        "id": f"urn:ngsi-ld:{name}",
        "type": name.split(":")[0],
        "name": {"type": "Property", "value": name.split(":")[1].title()},
        "address": {"type": "Property", "value": {"addressLocality": "Trevalan"}},
        "location": {"type": "GeoProperty", "value": {"type": "Point", "coordinates": list(place)}},
        **measured,
    }


def _utc(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _connect_devices(client: httpx.Client) -> None:
    """One that is heard, one that never was, one that nobody registered, and a frame that no codec can read."""
    records = [
        {"hardware_id": one, "profile": "cayenne-lpp", "entity_id": "urn:ngsi-ld:Building:school", "name": name}
        for one, name in ((KNOWN, "Hall"), (SILENT, "Attic"))
    ]
    client.post("/api/devices", json=records).raise_for_status()
    for number in (1, 2):
        _send(client, KNOWN, number, "AWcA4Q==")
        _send(client, WAITING, number, "AWcA4Q==")
    _send(client, KNOWN, 3, "/////w==")


def _send(client: httpx.Client, device: str, number: int, data: str) -> None:
    """As ChirpStack tells a frame by HTTP."""
    told = {
        "deviceInfo": {"devEui": device, "deviceName": "Hall", "deviceProfileName": "Cayenne LPP, any device"},
        "deduplicationId": f"{device}-{number}",
        "devAddr": "00189440",
        "fCnt": number,
        "fPort": 2,
        "data": data,
        "time": _utc(datetime.now(UTC)),
        "rxInfo": [{"gatewayId": "7276ff0039990001", "rssi": -80, "snr": 7.5}],
    }
    client.post("/api/connectors/chirpstack?event=up", json=told).raise_for_status()


def _subscribe(client: httpx.Client) -> None:
    """To a receiver that is not there (RFC 6761)."""
    document = {
        "id": "urn:ngsi-ld:Subscription:depot",
        "type": "Subscription",
        "subscriptionName": "Bins for the depot",
        "entities": [{"type": "WasteContainer"}],
        "notification": {"endpoint": {"uri": "http://nowhere.invalid/bins"}},
    }
    client.post("/ngsi-ld/v1/subscriptions", json=document, headers=PARVIS_TERMS).raise_for_status()


def _share_a_dashboard(client: httpx.Client) -> None:
    widgets = [
        {"kind": "figure", "about": "WasteContainer"},
        {"kind": "series", "width": 2, "entities": ["urn:ngsi-ld:WasteContainer:half"], "attribute": "fillingLevel"},
        {"kind": "map", "width": 2, "about": "waste"},
        {"kind": "text", "text": "What the quay looks like."},
    ]
    dashboard = {
        "id": "urn:ngsi-ld:Dashboard:quay",
        "type": "Dashboard",
        "name": {"type": "Property", "value": "Quay"},
        "dashboardLayout": {"type": "JsonProperty", "json": {"widgets": widgets}},
    }
    client.post("/ngsi-ld/v1/entities", json=dashboard, headers=PARVIS_TERMS).raise_for_status()
    form = {"form_token": _form_token(client, "/console/dashboards/quay"), "sharing": "portal"}
    _sent(client.post("/console/dashboards/quay/share", data=form))


def _run_a_job(client: httpx.Client) -> None:
    form = {"form_token": _form_token(client, "/console/jobs"), "kind": "store.check"}
    _sent(client.post("/console/jobs/start", data=form))


def _enter_an_incident(client: httpx.Client) -> str:
    page = "/console/incidents"
    form = {"title": "Mail is sent in our name", "known_at": "2026-11-20T09:00", "personal_data": "unknown"}
    return _sent(client.post(page, data={"form_token": _form_token(client, page), **form}))


def _look_for_somebody(client: httpx.Client) -> str:
    page = "/console/privacy/people"
    form = {"entity": "urn:ngsi-ld:Building:school", "name": "Marie Dupont"}
    return _sent(client.post(page, data={"form_token": _form_token(client, page), **form}))


def _add_a_member(client: httpx.Client) -> str:
    page = "/console/members/new"
    form = {"tenant": MEMBER, "title": "Port-Louis", "code": "56181"}
    token = _form_token(client, f"{page}?code={form['code']}")
    return _sent(client.post(page, data={"form_token": token, **form}))


def _import_places(client: httpx.Client) -> list[str]:
    """One that waits for its meaning, one that is in."""
    first, second = (_upload(client, "/console/imports", "lampadaires.csv", PLACES) for _ in range(2))
    page = _FormOf("meaning")
    page.feed(client.get(second).text)
    _sent(client.post(second, data={**page.fields, "do": "import"}))
    return [first, second]


def _import_devices(client: httpx.Client) -> list[str]:
    """One list that is only looked at, one that was registered."""
    looked_at, kept = (_upload(client, "/console/devices/import", "devices.csv", SHEET + one) for one in (b"", b"\n"))
    answer = client.post(kept, data={"form_token": _form_token(client, kept)})
    return [looked_at, _sent(answer)]


def _upload(client: httpx.Client, page: str, name: str, content: bytes) -> str:
    form = {"form_token": _form_token(client, page)}
    return _sent(client.post(page, data=form, files={"file": (name, content, "text/csv")}))


def _form_token(client: httpx.Client, page: str) -> str:
    answer = client.get(page)
    assert answer.is_success, f"{page}: {answer.status_code}"
    return answer.text.split('name="form_token" value="')[1].split('"')[0]


def _sent(answer: httpx.Response) -> str:
    assert answer.status_code == 303, f"{answer.request.url}: {answer.status_code} {answer.text[:2000]}"
    return answer.headers["location"]


def wait_for_jobs(client: httpx.Client) -> None:
    """Until none of them runs any more."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until and 'data-refresh="1"' in client.get("/console/jobs").text:
        time.sleep(0.2)


class _FormOf(HTMLParser):
    """The fields of a form as they stand when it comes."""

    def __init__(self, form_id: str) -> None:
        super().__init__()
        self.fields: dict[str, str] = {}
        self._form_id, self._is_inside, self._select = form_id, False, ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._is_inside = given.get("id") == self._form_id
        elif not self._is_inside:
            return
        elif tag == "select":
            self._select = given["name"]
        elif tag == "option" and ("selected" in given or self._select not in self.fields):
            self.fields[self._select] = given.get("value", "")
        elif tag == "input" and (given.get("type") != "checkbox" or "checked" in given):
            self.fields[given["name"]] = given.get("value", "")


def begin(client: httpx.Client, link: str) -> list[tuple[str, str]]:
    """Become the administrator through the link of the first start; the cookies of the one who is."""
    token = link.rpartition("=")[2]
    form = {"form_token": _form_token(client, link), "token": token, "name": "ada", "password": "a sentence that works"}
    _sent(client.post("/welcome", data=form))
    return [(one.name, one.value or "") for one in client.cookies.jar]
