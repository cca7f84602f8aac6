"""What widgets show of the present."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from parvis.broker.model.entity import Instance
from parvis.broker.query.tally import ByArea, ByWord, Tallied
from parvis.broker.query.tree import And, Condition, EntityQuery, Exists, OrderTerm, Path
from parvis.kernel.identity import Caller
from parvis.kernel.time import SECOND, Instant
from parvis.web.console.dashboards.cached import Cached
from parvis.web.console.dashboards.drawing import arc, scale_of
from parvis.web.console.dashboards.layout import Method, Widget, WidgetKind
from parvis.web.console.dashboards.subjects import Subjects, Sum, headline_of, summed
from parvis.web.console.dashboards.titles import attribute_of
from parvis.web.headline import Domain, Headline, State, is_other, is_stale, judge
from parvis.web.objects import count_types
from parvis.web.site import Site
from parvis.web.twins import told_apart
from parvis.web.units import SHARES_OF_ONE, whole_of
from parvis.web.views import ObjectView, by_urgency
from parvis.web.wording import Wording

ROWS_A_HEIGHT = 5
MOST_ALERTS = 500
ASKED_EVERY = 5 * SECOND
"""Ages are judged as of a moment that moves in such steps, so that the same question has the same answer."""


@dataclass(frozen=True, slots=True)
class Figure:
    """`spark` is the path of the last day; `trend` the change since the same hour of the day before, in words."""

    number: str
    unit: str
    state: State | None
    at: Instant | None = None
    trend: str = ""
    direction: int = 0
    spark: str = ""
    of: int = 0
    is_dated: bool = True


@dataclass(frozen=True, slots=True)
class Gauge:
    number: str
    unit: str
    state: State | None
    at: Instant | None
    filled: str
    ground: str
    marks: Sequence[tuple[str, str]]
    low: str
    high: str


@dataclass(frozen=True, slots=True)
class Rows:
    """`total`: how many there are, those included that are not shown; None where that is not known."""

    views: Sequence[ObjectView]
    total: int | None
    shares: Sequence[float] = ()
    more: int = 0
    state: State | None = None
    texts: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Age:
    newest: Instant | None
    state: State
    entities: int
    silent: int


class Present:
    def __init__(self, site: Site, cached: Cached, caller: Caller, t: Wording) -> None:
        self._site = site
        self._broker = site.platform.broker
        self._reader = site.reader
        self._cached = cached
        self._caller = caller
        self._t = t
        self._now = site.now

    async def names(self, widget: Widget) -> dict[str, str]:
        return {view.id: view.name for view in await self.views(widget.entities)}

    async def views(self, ids: Sequence[str]) -> list[ObjectView]:
        """In the order given; what is gone, or may not be seen, is left out."""
        if not ids:
            return []
        page = await self.page(EntityQuery(ids=tuple(ids), limit=len(ids)))
        found = {entity.id: self._reader.view(entity, self._now) for entity in page.entities}
        return [found[one] for one in ids if one in found]

    async def _subjects(self, widget: Widget) -> Subjects:
        others: Sequence[str] = ()
        if widget.about in ("", Domain.OTHER):
            counts = await self._cached.ask(self._caller, "types", lambda: count_types(self._site, self._caller))
            others = sorted(filter(is_other, counts))
        return Subjects(self._reader, self._now - self._now % ASKED_EVERY, self._broker.sight(self._caller), others)

    async def page(self, query: EntityQuery) -> Any:
        return await self._cached.ask(
            self._caller, ("page", msgspec.json.encode(query)), lambda: self._broker.query(self._caller, query)
        )

    async def figure(self, widget: Widget) -> Figure:
        found = summed(await self.tally(widget))
        method = method_of(widget)
        value, attribute = found.value(method), attribute_of(widget)
        if method in (Method.COUNT, Method.ATTENTION):
            state = (State.WARN if value else State.GOOD) if method is Method.ATTENTION else None
            of = found.entities if method is Method.ATTENTION else 0
            return Figure(self._t.number(value or 0), "", state, of=of, is_dated=False)
        number, unit = self._t.split_quantity(value, found.unit_code, attribute)
        return Figure(number, unit, judged(widget, attribute, value), found.newest, of=found.numbers)

    async def gauge(self, widget: Widget) -> Gauge | None:
        """None where the object is gone."""
        if widget.entities:
            one = await self.one(widget)
            return None if one is None else self._gauge(*one)
        found = summed(await self.tally(widget))
        method, attribute = method_of(widget), attribute_of(widget)
        if method in (Method.COUNT, Method.ATTENTION):
            method = Method.AVERAGE
        value = found.value(method)
        headline = headline_of(widget.about, attribute) or Headline(attribute)
        return self._gauge(headline, value, found.unit_code, found.newest, judged(widget, attribute, value))

    async def one(self, widget: Widget) -> tuple[Headline, Any, str, Instant | None, State] | None:
        """How the attribute of one object is judged, its value and unit, when it was seen, and its state."""
        page = await self.page(EntityQuery(ids=(widget.entity,), limit=1))
        if not page.entities:
            return None
        view = self._reader.view(page.entities[0], self._now)
        attribute = widget.attribute or (view.headline.attribute if view.headline else "")
        found: Instance | None = page.entities[0].find(self._reader.expand(attribute))
        headline = headline_of(view.type, attribute) or Headline(attribute)
        if found is None:
            return headline, None, "", None, State.STALE
        state = self._reader.state_by(headline, page.entities[0], self._now)
        return headline, found.value, found.unit_code, found.seen_at, state

    def _gauge(self, headline: Headline, value: Any, unit_code: str, at: Instant | None, state: State | None) -> Gauge:
        known = value if isinstance(value, int | float) and not isinstance(value, bool) else None
        is_share = headline.attribute in SHARES_OF_ONE
        bounds = [0.0, known, headline.warn, headline.bad]
        scale = scale_of([[one if one is None else float(one) for one in bounds]], is_share=is_share)
        share = 0.0 if known is None else scale.share(known)
        limits = (("warn", headline.warn), ("bad", headline.bad))
        number, unit = self._t.split_quantity(known, unit_code, headline.attribute)
        return Gauge(
            number,
            unit,
            state,
            at,
            filled=arc(0, share) if share > 0 else "",
            ground=arc(0, 1),
            marks=[(name, _mark(scale.share(limit))) for name, limit in limits if limit is not None],
            low=self._t.quantity(scale.low, unit_code, headline.attribute),
            high=self._t.quantity(scale.high, unit_code, headline.attribute),
        )

    async def states(self, widget: Widget) -> Sum:
        return summed(await self.tally(widget))

    async def age(self, widget: Widget) -> Age:
        found = summed(await self.tally(widget))
        headline = headline_of(widget.about) or Headline("")
        silent, bad = found.by_state[State.STALE], found.by_state[State.BAD]
        may_be_old = silent + bad == found.entities  # what is bad stays so, however old
        is_old = (
            found.newest is None
            or silent == found.entities
            or (may_be_old and is_stale(headline, found.newest, self._now))
        )
        state = State.STALE if is_old else State.WARN if silent else State.GOOD
        return Age(found.newest, state, found.entities, silent)

    async def rows(self, widget: Widget) -> Rows:
        """By their value: the highest first, or the lowest where that is what is asked for."""
        subjects, attribute = await self._subjects(widget), attribute_of(widget)
        headline = headline_of(widget.about, attribute)
        is_ascending = widget.method is Method.LOWEST or (
            widget.kind is WidgetKind.TABLE and headline is not None and headline.low_is_bad
        )
        path = Path(self._reader.expand(attribute)) if attribute else None
        conditions: list[Condition | None] = [subjects.in_place(widget)]
        if widget.kind is WidgetKind.TOP and path is not None:
            conditions.append(Exists(path))
        limit = widget.height * ROWS_A_HEIGHT
        query = EntityQuery(
            types=subjects.selection(widget),
            q=_all_of(conditions),
            limit=limit,
            count=True,
            order=() if path is None else (OrderTerm(path, is_descending=not is_ascending),),
        )
        page = await self.page(query)
        views = [self._reader.view(entity, self._now) for entity in page.entities]
        shown = [entity.find(self._reader.expand(attribute)) for entity in page.entities]
        texts = [
            view.value_text(self._t) if one is None else self._t.quantity(one.value, one.unit_code, attribute)
            for view, one in zip(views, shown, strict=True)
        ]
        whole = max((whole_of(attribute, one.unit_code) for one in shown if one is not None), default=0.0)
        shares = _shares([None if one is None else one.value for one in shown], whole)
        return Rows(told_apart(views), page.total, shares, texts=texts)

    async def alerts(self, widget: Widget) -> Rows:
        """The most urgent first, as on the overview; of each kind of trouble the worst `MOST_ALERTS` are read."""
        subjects = await self._subjects(widget)
        pages = await asyncio.gather(*(self.page(query) for query in subjects.urgent(widget, MOST_ALERTS)))
        views = {entity.id: self._reader.view(entity, self._now) for page in pages for entity in page.entities}
        urgent = by_urgency(view for view in views.values() if view.state.needs_attention)
        shown = urgent[: widget.height * ROWS_A_HEIGHT]
        total = None if any(page.resume is not None for page in pages) else len(urgent)
        worst = max((view.state for view in urgent), default=State.GOOD)
        return Rows(told_apart(shown), total, more=len(urgent) - len(shown), state=worst)

    async def tally(
        self, widget: Widget, *, by_place: bool = False, zones: ByArea | ByWord | None = None
    ) -> list[Tallied]:
        subjects = await self._subjects(widget)
        queries = subjects.tallies(widget, by_place=by_place, zones=zones)
        answer = await self._cached.ask(
            self._caller, ("tally", msgspec.json.encode(queries)), lambda: self._broker.tally(self._caller, queries)
        )
        return [row for rows in answer for row in rows]


def method_of(widget: Widget) -> Method:
    """Numbers of several attributes come to nothing together: what they are of is counted."""
    needs_number = widget.method not in (Method.COUNT, Method.ATTENTION)
    return Method.COUNT if needs_number and not attribute_of(widget) else widget.method


def judged(widget: Widget, attribute: str, value: Any) -> State | None:
    if value is None or widget.method in (Method.SUM, Method.COUNT):
        return None
    headline = headline_of(widget.about, attribute)
    return None if headline is None or headline.warn is None else judge(headline, value)


def _mark(share: float) -> str:
    return arc(max(0.0, share - 0.004), min(1.0, share + 0.004), radius=94)


def _shares(values: Sequence[Any], whole: float) -> list[float]:
    """Of the whole, where there is one, so that a bar of 19 % is short; else of the largest."""
    numbers = [float(one) if isinstance(one, int | float) and not isinstance(one, bool) else 0.0 for one in values]
    most = max([whole, *map(abs, numbers)]) or 1
    return [abs(one) / most for one in numbers]


def _all_of(conditions: Sequence[Condition | None]) -> Condition | None:
    known = tuple(one for one in conditions if one is not None)
    if len(known) < 2:
        return known[0] if known else None
    return And(known)
