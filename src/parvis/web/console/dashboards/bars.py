"""Bars by zone: communes, areas of the map, or whatever objects are related to, counted by the store."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode

from parvis.broker.query.areas import find_area
from parvis.broker.query.tally import ByArea, ByWord, Tallied
from parvis.broker.query.tree import EntityQuery, TypeIs
from parvis.kernel.time import Instant
from parvis.web.console.dashboards.layout import Method, Widget
from parvis.web.console.dashboards.present import Present, judged, method_of
from parvis.web.console.dashboards.subjects import Sum, summed
from parvis.web.console.dashboards.titles import attribute_of
from parvis.web.headline import State
from parvis.web.units import whole_of
from parvis.web.views import EntityReader, short_id
from parvis.web.wording import Wording
from parvis.web.zones import MOST_ZONES, Zone, zone_of

MOST_BARS = 20
COUNTS = (Method.COUNT, Method.ATTENTION)


@dataclass(frozen=True, slots=True)
class Bar:
    """`href` leads to what is counted; empty where nothing does. `of`: None where the zone has none of it.

    `text` is empty where there is no value.
    """

    name: str
    text: str
    share: float
    state: State | None
    href: str
    of: Sum | None

    @property
    def silent(self) -> int:
        return self.of.by_state[State.STALE] if self.of is not None else 0

    @property
    def newest(self) -> Instant | None:
        return self.of.newest if self.of is not None else None


@dataclass(frozen=True, slots=True)
class Bars:
    """`entities` are those in a zone, `numbers` those of them with a number, `outside` those in none.

    Of many zones, `more` have no bar.
    """

    bars: Sequence[Bar]
    method: Method
    entities: int
    numbers: int
    silent: int
    outside: int
    more: int


@dataclass(frozen=True, slots=True)
class Zoning:
    """`names` by what the store tells; all that there are where `is_whole`. `hrefs` likewise."""

    names: Mapping[str, str]
    by: ByArea | ByWord | None = None
    hrefs: Mapping[str, str] = field(default_factory=dict)
    is_whole: bool = False


class BarsByZone:
    def __init__(self, present: Present, reader: EntityReader, t: Wording) -> None:
        self._present = present
        self._reader = reader
        self._t = t

    async def bars(self, widget: Widget) -> Bars:
        zoning = await self._zoning(widget)
        rows = await self._present.tally(widget, by_place=zoning.by is None, zones=zoning.by)
        sums = _by_zone(rows)
        outside = sums.pop("", None)
        zoning = zoning if zoning.is_whole else await self._named(widget, zoning, list(sums))
        method = method_of(widget)
        values = {zone: one.value(method) for zone, one in sums.items()}
        if method in COUNTS:
            values |= {zone: 0 for zone in zoning.names if zone not in sums}
        zones = sorted({*sums, *zoning.names}, key=lambda zone: _rank(values.get(zone), zoning.names.get(zone, zone)))
        most = max([_whole(widget, sums.values()), *(abs(one) for one in values.values() if one is not None)]) or 1
        return Bars(
            [self._bar(widget, zoning, zone, sums.get(zone), values.get(zone), most) for zone in zones[:MOST_BARS]],
            method,
            entities=sum(one.entities for one in sums.values()),
            numbers=sum(one.numbers for one in sums.values()),
            silent=sum(one.by_state[State.STALE] for one in sums.values()),
            outside=0 if outside is None else outside.entities,
            more=max(0, len(zones) - MOST_BARS),
        )

    def _bar(self, widget: Widget, zoning: Zoning, zone: str, of: Sum | None, value: float | None, most: float) -> Bar:
        method, attribute = method_of(widget), attribute_of(widget)
        state = judged(widget, attribute, value) if method is Method.AVERAGE else None
        if of is not None and of.by_state[State.STALE] == of.entities:
            state = State.STALE
        if value is None:
            text = ""
        elif method in COUNTS:
            text = self._t.number(value)
        else:
            text = self._t.quantity(value, "" if of is None else of.unit_code, attribute)
        share = 0.0 if value is None else max(0.0, value / most)
        return Bar(zoning.names.get(zone, zone), text, share, state, zoning.hrefs.get(zone, ""), of)

    async def _zoning(self, widget: Widget) -> Zoning:
        if widget.word_name:
            return Zoning({}, ByWord(self._reader.expand(widget.word_name)))
        if not widget.area_type:
            return Zoning({})
        zones = await self._zones(widget.area_type)
        areas = (find_area(one.id, one.geometry) for one in zones)
        by = ByArea(self._reader.expand("location"), tuple(one for one in areas if one is not None))
        hrefs = {one.id: _map_href(widget, zone=one.id) for one in zones}
        return Zoning({one.id: one.name for one in zones}, by, hrefs, is_whole=True)

    async def _zones(self, type_name: str) -> list[Zone]:
        types = TypeIs(self._reader.expand(type_name))
        page = await self._present.page(EntityQuery(types=types, limit=MOST_ZONES))
        found = (zone_of(entity, self._reader) for entity in page.entities)
        return [one for one in found if one is not None]

    async def _named(self, widget: Widget, zoning: Zoning, zones: Sequence[str]) -> Zoning:
        """Communes are called as they are told; what is related to may have a name of its own."""
        if zoning.by is None:
            return Zoning(
                {zone: zone for zone in zones}, hrefs={zone: _map_href(widget, commune=zone) for zone in zones}
            )
        ids = [zone for zone in zones if ":" in zone][:MOST_ZONES]
        names = {view.id: view.name for view in await self._present.views(ids)}
        hrefs = {zone: f"/console/entities/{quote(zone, safe=':')}" for zone in names}
        called = {zone: names.get(zone) or self._t.find(f"value.{zone}") or short_id(zone) for zone in zones}
        return Zoning(called, zoning.by, hrefs)


def _by_zone(rows: Sequence[Tallied]) -> dict[str, Sum]:
    """A scope stands for the commune that it ends with."""
    by_zone: dict[str, list[Tallied]] = {}
    for row in rows:
        zone = row.place.rsplit("/", 1)[-1] if row.place.startswith("/") else row.place
        by_zone.setdefault(zone, []).append(row)
    return {zone: summed(of_zone) for zone, of_zone in by_zone.items()}


def _whole(widget: Widget, sums: Iterable[Sum]) -> float:
    """What a full bar of shares stands for; 0: the largest."""
    if method_of(widget) in COUNTS:
        return 0.0
    return max((whole_of(attribute_of(widget), one.unit_code) for one in sums), default=0.0)


def _rank(value: float | None, name: str) -> tuple[bool, float, str]:
    return value is None, -(value or 0), name.casefold()


def _map_href(widget: Widget, **where: str) -> str:
    return f"/console/map?{urlencode({'type': widget.about, **where})}"
