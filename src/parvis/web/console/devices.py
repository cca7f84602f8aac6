"""The devices that measure: what each needs, and when it was last heard."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from urllib.parse import quote, urlencode

from msgspec import structs
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from parvis.broker.model.entity import Entity
from parvis.broker.query.tree import EntityQuery, TypeIs
from parvis.fleet.devices.device import Device, Standing
from parvis.fleet.devices.rights import check_reads, reader_of_devices
from parvis.fleet.devices.selection import EVERY_DEVICE, DeviceFilter, Facets
from parvis.fleet.health.findings import Finding, FindingKind, read_findings
from parvis.fleet.model.uplink import Technology
from parvis.kernel.identity import Caller
from parvis.kernel.reach import reaches
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
MOST_AT_ONCE = 2_000
FAULTS = ("nothing", "many", "word")
"""Why several could not be changed."""
CSV_COLUMNS = (
    "id", "name", "profile", "feeds", "feeds_id", "battery", "last_seen",
    "hardware_id", "technology", "groups", "tags", "standing", "findings", "state",
)  # fmt: skip
SILENT_AFTER = 3 * HOUR
LAST_SEEN = ("dateLastValueReported", "dateObserved")
PROFILE = ("deviceProfile", "category")
ASSET = "controlledAsset"
BATTERY = "batteryLevel"
FINDINGS = "deviceFindings"
JUDGEMENTS = (FINDINGS, "deviceState", "dataQuality", "batteryLastDay")
_PAGE = 1_000
_TECHNOLOGIES = {one.value: one for one in Technology}
_STANDINGS = {one.value: one for one in Standing}
_FINDINGS = {one.value: one for one in FindingKind}
NEVER_HEARD = "never"
CONDITIONS = (State.BAD.word, State.WARN.word, State.STALE.word, NEVER_HEARD, State.GOOD.word)
"""As they are counted and asked for: what was never heard has not fallen silent."""


@dataclass(frozen=True, slots=True)
class DeviceView:
    """`battery` between 0 and 1; `last_seen` None: never heard; `known` None: no frame can belong to it."""

    id: str
    name: str
    profile: str
    asset: str
    asset_name: str
    battery: float | None
    last_seen: Instant | None
    state: State
    findings: tuple[Finding, ...] = ()
    known: Device | None = None

    @property
    def condition(self) -> str:
        """Its health is judged by what it said: of what was found silent, something was heard once."""
        is_unheard = self.state is State.STALE and self.last_seen is None and not self.findings
        return NEVER_HEARD if is_unheard else self.state.word

    @property
    def href(self) -> str:
        if self.known is None:
            return f"/console/entities/{quote(self.id, safe=':')}"
        return device_href(self.known.hardware_id)

    @property
    def asset_href(self) -> str:
        return f"/console/entities/{quote(self.asset, safe=':')}" if self.asset else ""


def device_href(hardware_id: str) -> str:
    return f"/console/devices/{quote(hardware_id, safe='')}"


@dataclass(frozen=True, slots=True)
class Choice:
    """What the address of the page asks for."""

    registered: DeviceFilter = EVERY_DEVICE
    condition: str = ""
    finding: FindingKind | None = None

    @classmethod
    def of(cls, given: Mapping[str, str]) -> "Choice":
        """What is not understood asks for nothing."""
        registered = DeviceFilter(
            search=given.get("search", "").strip()[:LONGEST_SEARCH],
            group=given.get("group", ""),
            tag=given.get("tag", ""),
            profile=given.get("profile", ""),
            technology=_TECHNOLOGIES.get(given.get("technology", "")),
            standing=_STANDINGS.get(given.get("standing", "")),
        )
        condition = given.get("state", "")
        known = condition if condition in CONDITIONS else ""
        return cls(registered, known, _FINDINGS.get(given.get("finding", "")))

    @property
    def has_details(self) -> bool:
        """Beyond what is always shown."""
        return replace_search(self.registered, "") != EVERY_DEVICE

    @property
    def asks_for_nothing(self) -> bool:
        return self == Choice()

    def to_query(self) -> dict[str, str]:
        which = self.registered
        pairs = {
            "search": which.search,
            "group": which.group,
            "tag": which.tag,
            "profile": which.profile,
            "technology": "" if which.technology is None else which.technology.value,
            "standing": "" if which.standing is None else which.standing.value,
            "state": self.condition,
            "finding": "" if self.finding is None else self.finding.value,
        }
        return {name: value for name, value in pairs.items() if value}

    def admits(self, view: DeviceView) -> bool:
        return (
            self.condition in ("", view.condition)
            and (self.finding is None or any(one.kind is self.finding for one in view.findings))
            and (self._names(view) or (view.known is not None and self.registered.admits(view.known)))
        )

    def _names(self, view: DeviceView) -> bool:
        """Where only a search is asked for, what is shown counts as well: the object's name, and any Device entity."""
        if self.has_details and (view.known is None or not replace_search(self.registered, "").admits(view.known)):
            return False
        wanted = self.registered.search.casefold()
        shown = (view.id, view.name, view.profile, view.asset, view.asset_name)
        return any(wanted in text.casefold() for text in shown)


def replace_search(which: DeviceFilter, search: str) -> DeviceFilter:
    return structs.replace(which, search=search)


async def devices_page(request: Request) -> Response:
    site, caller = site_of(request), caller_of(request)
    choice = Choice.of(request.query_params)
    everything = await (list_devices if choice.registered.search else list_unnamed)(site, caller)
    found = [device for device in everything if choice.admits(device)]
    page = max(1, _integer(request.query_params.get("page", "")))
    conditions = Counter(device.condition for device in everything)
    findings = Counter(one.kind for device in everything for one in device.findings)
    language = site.pages.words(request).language
    headers = (device.known.profile.header for device in everything if device.known is not None)
    return site.pages.render(
        request,
        "console/pages/devices.html",
        devices=await name_assets(site, caller, found[(page - 1) * ROWS_A_PAGE : page * ROWS_A_PAGE]),
        total=len(everything),
        found=len(found),
        page=page,
        pages=max(1, -(-len(found) // ROWS_A_PAGE)),
        choice=choice,
        query=urlencode(choice.to_query()),
        counts=[(one, conditions[one]) for one in CONDITIONS],
        findings=findings.most_common(),
        facets=Facets.of(device.known for device in everything if device.known is not None),
        profile_names={header.id: header.name_in(language) for header in headers},
        most_at_once=MOST_AT_ONCE,
        outcome=_outcome(request),
        fault=fault if (fault := request.query_params.get("fault", "")) in FAULTS else "",
        removed=request.query_params.get("removed", "")[:LONGEST_SEARCH],
        undo=request.query_params.get("undo", ""),
    )


async def devices_csv(request: Request) -> Response:
    choice = Choice.of(request.query_params)
    devices = await list_devices(site_of(request), caller_of(request))
    t = site_of(request).pages.words(request)
    rows = [_csv_row(device, t) for device in devices if choice.admits(device)]
    text = localised_csv([[t(f"device_table.{name}") for name in CSV_COLUMNS], *rows], t.language)
    headers = {"content-disposition": 'attachment; filename="devices.csv"', "cache-control": "no-store"}
    return Response(text, media_type="text/csv; charset=utf-8", headers=headers)


def _csv_row(device: DeviceView, t: Wording) -> Sequence[object]:
    seen = "" if device.last_seen is None else format_instant(device.last_seen)
    state, known = t(f"state.{device.condition}"), device.known
    findings = ", ".join(t(f"finding.{one.kind.value}") for one in device.findings)
    shown = (device.id, device.name, device.profile, device.asset_name, device.asset, device.battery, seen)
    if known is None:
        return (*shown, "", "", "", "", "", findings, state)
    technology, standing = t(f"technology.{known.technology.value}"), t(f"standing.{known.standing.value}")
    words = (", ".join(known.groups), ", ".join(known.tags))
    return (*shown, known.hardware_id, technology, *words, standing, findings, state)


async def list_devices(site: Site, caller: Caller) -> list[DeviceView]:
    """Most urgent first. Raises Forbidden for those who may read public entities only."""
    return await name_assets(site, caller, await list_unnamed(site, caller))


async def list_unnamed(site: Site, caller: Caller) -> list[DeviceView]:
    """As `list_devices`; assets are called by their ids, which costs half."""
    check_reads(caller)
    known = {device.entity_id: device for device in await site.platform.fleet.list_devices(caller)}
    types = TypeIs(site.reader.expand(DEVICE_TYPE))
    devices: list[DeviceView] = []
    query, reader = EntityQuery(types=types, limit=_PAGE), reader_of_devices(caller)
    async with aclosing(site.platform.broker.walk(reader, query)) as entities:
        async for entity in entities:
            if entity.id not in known and not reaches(caller.reads, entity.types, entity.scopes):
                continue
            devices.append(device_view(site, entity, known.get(entity.id)))
            if len(devices) == MOST_DEVICES:
                break
    return sorted(devices, key=_urgency)


async def name_assets(site: Site, caller: Caller, devices: Sequence[DeviceView]) -> list[DeviceView]:
    names = await _asset_names(site, caller, {device.asset for device in devices if device.asset})
    return [replace(device, asset_name=names.get(device.asset, device.asset_name)) for device in devices]


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


def device_view(site: Site, entity: Entity, known: Device | None) -> DeviceView:
    last_seen = last_seen_of(site, entity)
    battery = number_of(site, entity, BATTERY)
    asset = _text(site, entity, (ASSET,))
    told = entity.find(site.reader.expand(FINDINGS))
    findings = None if told is None else read_findings(told.value)
    return DeviceView(
        id=entity.id,
        name=_text(site, entity, ("name",)) or short_id(entity.id),
        profile=_text(site, entity, PROFILE),
        asset=asset,
        asset_name=short_id(asset),
        battery=battery,
        last_seen=last_seen,
        state=device_state(battery, last_seen, findings, site.now),
        findings=findings or (),
        known=known,
    )


def device_state(
    battery: float | None, last_seen: Instant | None, findings: Sequence[Finding] | None, now: Instant
) -> State:
    """`findings` is None where nobody has looked at the device yet: then hours of silence count as such."""
    state = State.GOOD if battery is None else judge(DEVICE, battery)
    if findings is None:
        is_silent = last_seen is None or now - last_seen > SILENT_AFTER
        return max(state, State.STALE) if is_silent else state
    kinds = {one.kind for one in findings}
    if last_seen is None or FindingKind.SILENT in kinds:
        state = max(state, State.STALE)
    return max(state, State.WARN) if kinds - {FindingKind.SILENT} else state


def last_seen_of(site: Site, entity: Entity) -> Instant | None:
    """When the newest of its values was observed; what the platform finds of it is none."""
    found = {site.reader.expand(term) for term in JUDGEMENTS}
    observed = [one.observed_at for one in entity.instances if one.observed_at is not None and one.name not in found]
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
            return one_text(value, site.reader.language)
    return ""


def number_of(site: Site, entity: Entity, term: str) -> float | None:
    one = entity.find(site.reader.expand(term))
    return one.value if one is not None and isinstance(one.value, int | float) else None


def _integer(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else 1


def _outcome(request: Request) -> tuple[int, int, int] | None:
    told = [request.query_params.get(name, "") for name in ("changed", "of", "faults")]
    if not all(one.isascii() and one.isdigit() and len(one) <= 9 for one in told):
        return None
    changed, of, faults = map(int, told)
    return changed, of, faults


ROUTES = [
    Route("/console/devices", devices_page, methods=["GET"]),
    Route("/console/devices.csv", devices_csv, methods=["GET"]),
]
