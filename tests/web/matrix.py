"""Every route there is, and a request for each: what the matrix of rights is made of."""

import asyncio
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import httpx
from fastapi import FastAPI
from starlette.routing import BaseRoute

from parvis.access.tokens import form_token
from parvis.broker.api.routing import VARIABLE
from parvis.broker.api.table import ROUTES as NGSI_LD
from parvis.web.app import ROUTES as PAGES
from parvis.web.auth import FORM_COOKIE, FORM_FIELD
from parvis.web.front import TOO_MANY
from parvis.web.server import API_ROOT
from tests.fakes.town import DEVICE, HALF_BIN

COOKIE = "a form's cookie"
STREAMS = frozenset({"/live/events"})
"""Who is let in there gets no end; a bound for all would take a slow answer for one."""
LISTENED_S = 0.5
REFUSED, LET_IN, NOT_THERE, MALFORMED = "refused", "let in", "not there", "malformed"
_VALUES: Mapping[str, str] = {"id": HALF_BIN, "entity_id": HALF_BIN, "device": DEVICE, "ending": "csv", "job_id": "999"}


_SELECTED = "?type=WasteContainer"
_THEN = "&timerel=after&timeAt=2020-01-01T00:00:00Z"
_QUERIES: Mapping[str, str] = {
    "GET /ngsi-ld/v1/entities": _SELECTED,
    "DELETE /ngsi-ld/v1/entities": _SELECTED,
    "GET /ngsi-ld/v1/entityMaps": _SELECTED,
    "GET /ngsi-ld/v1/csourceRegistrations": _SELECTED,
    "GET /ngsi-ld/v1/temporal/entities": _SELECTED + _THEN,
    "GET /ngsi-ld/v1/temporal/entityMaps": _SELECTED + _THEN,
    "GET /console/entities/{id:path}/history.csv": "?attr=fillingLevel&range=24h",
    "GET /console/entities/{id:path}/history.parquet": "?attr=fillingLevel&range=24h",
    "GET /console/entities/{id:path}/series.json": "?attr=fillingLevel&range=24h",
}
_QUERY = {"type": "Query", "entities": [{"type": "WasteContainer"}]}
_PAST = {**_QUERY, "temporalQ": {"timerel": "after", "timeAt": "2020-01-01T00:00:00Z"}}
_CLAIMS = {"batch": "autumn", "devices": [{"hardware_id": "a84041000000ffff", "profile": "generic-climate"}]}
_BODIES: Mapping[str, object] = {
    "POST /ngsi-ld/v1/entityMaps": _QUERY,
    "POST /ngsi-ld/v1/entityOperations/query": _QUERY,
    "POST /ngsi-ld/v1/temporal/entityMaps": _PAST,
    "POST /ngsi-ld/v1/temporal/entityOperations/query": _PAST,
    "POST /api/devices": [
        {
            "hardware_id": "a84041000000fff1",
            "profile": "generic-climate",
            "entity_id": "urn:ngsi-ld:WasteContainer:matrix",
        }
    ],
    "POST /api/devices/claim": {"code": "PV-7K2M-Q9XA-0B1C", "entity_id": "urn:ngsi-ld:WasteContainer:matrix"},
    "POST /api/devices/claims": _CLAIMS,
    "POST /api/devices/claims/sheet": _CLAIMS,
    "POST /api/devices/{hardware_id}/replace": {"hardware_id": "a84041000000fff2"},
    "POST /api/refusals/retry": {"ids": [1]},
}
_FIELDS: Mapping[str, Mapping[str, str]] = {
    "/console/dashboards": {"name": "of the matrix", "layout": '{"widgets": []}', "version": "1", "at": "1"},
    "/console/jobs": {"kind": "housekeeping"},
}


class Asked(NamedTuple):
    """`template` as the code has it, below its root."""

    method: str
    template: str

    @property
    def path(self) -> str:
        filled = re.sub(r"\{(\w+)(:\w+)?\}", lambda found: _VALUES.get(found[1], "nothing"), self.template)
        return filled.replace(VARIABLE, HALF_BIN) + _QUERIES.get(f"{self.method} {self.template}", "")


def list_asked(api: FastAPI) -> list[Asked]:
    found = [one for route in PAGES for one in _of(route)]
    found += [Asked(one.method, API_ROOT + one.template) for one in NGSI_LD]
    found += [one._replace(template=f"/api{one.template}") for route in api.routes for one in _of(route)]
    return sorted(set(found), key=lambda one: (one.template, one.method))


def _of(route: BaseRoute) -> Iterator[Asked]:
    included = getattr(route, "original_router", None)
    if included is not None:
        yield from (one for each in included.routes for one in _of(each))
        return
    path = getattr(route, "path", None)
    assert isinstance(path, str), f"{route} is of a kind that nobody has looked at"
    assert hasattr(route, "methods"), f"{route} is of a kind that nobody has looked at"
    for method in sorted(route.methods or {"GET"}):
        if method != "HEAD":
            yield Asked(method, path)


async def ask(client: httpx.AsyncClient, one: Asked) -> str:
    """Whether it was let in."""
    headers = {"cookie": f"{FORM_COOKIE}={COOKIE}"} if one.method == "POST" else {}
    body: dict[str, object] = {}
    if one.method == "POST" and not one.template.startswith(("/api", API_ROOT)):
        fields = next((given for root, given in _FIELDS.items() if one.template.startswith(root)), {})
        body = {"data": {**fields, FORM_FIELD: form_token(COOKIE)}}
        headers["form-token"] = form_token(COOKIE)
    elif one.method in ("POST", "PUT", "PATCH"):
        body = {"json": _BODIES.get(f"{one.method} {one.template}", {})}
    try:
        async with asyncio.timeout(LISTENED_S if one.template in STREAMS else None):
            answer = await client.request(one.method, one.path, headers=headers, **body)  # type: ignore[arg-type]
    except TimeoutError:
        return LET_IN
    if answer.status_code in (401, 403) or "/console/sign-in?next" in answer.headers.get("location", ""):
        return REFUSED
    is_told_so = "sign-in" in one.template or one.template == TOO_MANY
    assert answer.status_code != 429 or is_told_so, f"{one}: there were too many requests"
    if answer.status_code in (400, 413, 422):
        return MALFORMED
    return NOT_THERE if answer.status_code == 404 else LET_IN
