"""The devices that measure: when each was last heard, its battery, its profile."""

from collections.abc import Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from parvis.broker.model.entity import Entity
from parvis.broker.query.tree import EntityQuery, TypeIs
from parvis.kernel.errors import Forbidden
from parvis.kernel.identity import Caller, Right
from parvis.kernel.time import HOUR, Instant, format_instant
from parvis.web.console.spreadsheet import localised_csv
from parvis.web.filters import LONGEST_SEARCH
from parvis.web.headline import DEVICE, State, judge
from parvis.web.pages import caller_of
from parvis.web.site import Site, site_of
from parvis.web.views import DEVICE_TYPE, natural, one_text, short_id
from parvis.web.wording import Wording

ROWS_A_PAGE = 50
MOST_DEVICES = 20_000
CSV_COLUMNS = ("id", "name", "profile", "feeds", "feeds_id", "battery", "last_seen", "state")
SILENT_AFTER = 3 * HOUR
LAST_SEEN = ("dateLastValueReported", "dateObserved")
PROFILE = ("deviceProfile", "category")
ASSET = "controlledAsset"
BATTERY = "batteryLevel"
_PAGE = 1_000


@dataclass(frozen=True, slots=True)
class DeviceView:
    """`battery` between 0 and 1; `last_seen` None: never heard."""

    id: str
    name: str
    profile: str
    asset: str
    asset_name: str
    battery: float | None
    last_seen: Instant | None
    state: State

    @property
    def href(self) -> str:
        return f"/console/entities/{quote(self.id, safe=':')}"

    @property
    def asset_href(self) -> str:
        return f"/console/entities/{quote(self.asset, safe=':')}" if self.asset else ""


async def devices_page(request: Request) -> Response:
    site = site_of(request)
    search, state = _chosen(request)
    everything = await list_devices(site, caller_of(request))
    found = [device for device in everything if _admits(device, search, state)]
    page = max(1, _integer(request.query_params.get("page", "")))
    counts = {one: sum(device.state is one for device in everything) for one in State}
    return site.pages.render(
        request,
        "console/pages/devices.html",
        devices=found[(page - 1) * ROWS_A_PAGE : page * ROWS_A_PAGE],
        total=len(everything),
        found=len(found),
        page=page,
        pages=max(1, -(-len(found) // ROWS_A_PAGE)),
        search=search,
        chosen_state=state,
        counts=[(one, counts[one]) for one in sorted(State, reverse=True)],
    )


async def devices_csv(request: Request) -> Response:
    search, state = _chosen(request)
    devices = await list_devices(site_of(request), caller_of(request))
    t = site_of(request).pages.words(request)
    rows = [_csv_row(device, t) for device in devices if _admits(device, search, state)]
    text = localised_csv([[t(f"device_table.{name}") for name in CSV_COLUMNS], *rows], t.language)
    headers = {"content-disposition": 'attachment; filename="devices.csv"', "cache-control": "no-store"}
    return Response(text, media_type="text/csv; charset=utf-8", headers=headers)


def _csv_row(device: DeviceView, t: Wording) -> Sequence[object]:
    seen = "" if device.last_seen is None else format_instant(device.last_seen)
    state = t(f"state.{device.state.word}")
    return (device.id, device.name, device.profile, device.asset_name, device.asset, device.battery, seen, state)


async def list_devices(site: Site, caller: Caller) -> list[DeviceView]:
    """Most urgent first. Raises Forbidden for those who may read public entities only."""
    if not caller.may(Right.READ):
        raise Forbidden("Devices can be read by people who are signed in.")
    types = TypeIs(site.reader.expand(DEVICE_TYPE))
    devices: list[DeviceView] = []
    async with aclosing(site.platform.broker.walk(caller, EntityQuery(types=types, limit=_PAGE))) as entities:
        async for entity in entities:
            devices.append(device_view(site, entity))
            if len(devices) == MOST_DEVICES:
                break
    names = await _asset_names(site, caller, {device.asset for device in devices if device.asset})
    named = (replace(device, asset_name=names.get(device.asset, device.asset_name)) for device in devices)
    return sorted(named, key=_urgency)


async def _asset_names(site: Site, caller: Caller, ids: Iterable[str]) -> dict[str, str]:
    wanted, names = sorted(ids), dict[str, str]()
    for start in range(0, len(wanted), _PAGE):
        query = EntityQuery(ids=tuple(wanted[start : start + _PAGE]), limit=_PAGE)
        page = await site.platform.broker.query(caller, query)
        names |= {entity.id: site.reader.view(entity, site.now).name for entity in page.entities}
    return names


def _urgency(device: DeviceView) -> tuple[object, ...]:
    """By state, then the emptiest battery, then the one not heard for longest."""
    charge = device.battery if device.battery is not None and judge(DEVICE, device.battery) is not State.GOOD else 1.0
    silence = 0 if device.state is State.GOOD else device.last_seen or 0
    return (-device.state, charge, silence, natural(device.name))


def device_view(site: Site, entity: Entity) -> DeviceView:
    last_seen = last_seen_of(site, entity)
    battery = _number(site, entity, BATTERY)
    asset = _text(site, entity, (ASSET,))
    return DeviceView(
        id=entity.id,
        name=_text(site, entity, ("name",)) or short_id(entity.id),
        profile=_text(site, entity, PROFILE),
        asset=asset,
        asset_name=short_id(asset),
        battery=battery,
        last_seen=last_seen,
        state=device_state(battery, last_seen, site.now),
    )


def device_state(battery: float | None, last_seen: Instant | None, now: Instant) -> State:
    charge = State.GOOD if battery is None else judge(DEVICE, battery)
    if last_seen is None or now - last_seen > SILENT_AFTER:
        return max(charge, State.STALE)
    return charge


def last_seen_of(site: Site, entity: Entity) -> Instant | None:
    """When the newest of its values was observed."""
    observed = [one.observed_at for one in entity.instances if one.observed_at is not None]
    for term in LAST_SEEN:
        one = entity.find(site.reader.expand(term))
        if one is not None:
            observed.append(one.seen_at)
    return max(observed, default=None)


def _text(site: Site, entity: Entity, terms: Iterable[str]) -> str:
    for term in terms:
        one = entity.find(site.reader.expand(term))
        if one is not None:
            value = one.value[0] if isinstance(one.value, list) and one.value else one.value
            return one_text(value)
    return ""


def _number(site: Site, entity: Entity, term: str) -> float | None:
    one = entity.find(site.reader.expand(term))
    return one.value if one is not None and isinstance(one.value, int | float) else None


def _chosen(request: Request) -> tuple[str, str]:
    search = request.query_params.get("search", "").strip()[:LONGEST_SEARCH]
    state = request.query_params.get("state", "")
    return search, state if state in [one.word for one in State] else ""


def _admits(device: DeviceView, search: str, state: str) -> bool:
    if state and device.state.word != state:
        return False
    wanted = search.casefold()
    return any(
        wanted in text.casefold() for text in (device.id, device.name, device.profile, device.asset, device.asset_name)
    )


def _integer(text: str) -> int:
    return int(text) if text.isdigit() else 1


ROUTES = [Route("/console/devices", devices_page), Route("/console/devices.csv", devices_csv)]
