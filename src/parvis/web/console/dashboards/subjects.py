"""What a widget is about, as questions to the broker."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from parvis.broker.model.entity import Iri
from parvis.broker.query.tally import ByArea, ByWord, Grade, Tallied, TallyQuery, Yardstick
from parvis.broker.query.tree import (
    And,
    AnyType,
    Compare,
    Condition,
    EntityQuery,
    Operator,
    Or,
    OrderTerm,
    Path,
    TypeIs,
    TypeSelection,
)
from parvis.broker.sight import Sight
from parvis.fleet.profiles.limits import OF_TERMS
from parvis.kernel.time import Instant
from parvis.web.console.dashboards.layout import Method, Widget, WidgetKind
from parvis.web.headline import DEVICES, PROFILES, Domain, Headline, State, types_of
from parvis.web.units import SHARES_OF_ONE
from parvis.web.views import DEVICE_TYPE, EntityReader

STATES: Mapping[Grade, State] = {
    Grade.GOOD: State.GOOD, Grade.SILENT: State.STALE, Grade.WARN: State.WARN, Grade.BAD: State.BAD,
}  # fmt: skip
_GRADES = {state: grade for grade, state in STATES.items()}

_OF_NUMBERS = frozenset({WidgetKind.FIGURE, WidgetKind.GAUGE, WidgetKind.BARS})
"""They name one attribute, and no other's numbers may stand below that name."""
_NOTHING_JUDGED = (Yardstick(""),)
"""Of an attribute that nothing has: all are silent."""


def types_about(about: str, others: Sequence[str] = ()) -> list[str]:
    """A type, those of a domain, or all; `others` are those that are there and that no domain knows."""
    if not about:
        return [*PROFILES, *others]
    if about == Domain.OTHER:
        return list(others)
    return types_of(Domain(about)) if about in list(Domain) else [about]


def headline_of(type_name: str, attribute: str = "") -> Headline | None:
    """How an attribute of a type is judged; the one that matters most where none is named."""
    profile = DEVICES if type_name == DEVICE_TYPE else PROFILES.get(type_name)
    if profile is None:
        return Headline(attribute) if attribute else None
    if not attribute:
        return profile.headlines[0]
    return next((one for one in profile.headlines if one.attribute == attribute), Headline(attribute))


def _headlines(type_name: str) -> Sequence[Headline]:
    profile = DEVICES if type_name == DEVICE_TYPE else PROFILES.get(type_name)
    return () if profile is None else profile.headlines


class Subjects:
    """Judged by what `sight` shows, as on the map: what is hidden of a type is not there, and asked for, all would be
    refused. `others`: the types that are there and that no domain knows."""

    def __init__(self, reader: EntityReader, now: Instant, sight: Sight, others: Sequence[str] = ()) -> None:
        self._reader = reader
        self._now = now
        self._sight = sight
        self._others = others

    def selection(self, widget: Widget) -> TypeSelection:
        return AnyType(tuple(TypeIs(self._reader.expand(name)) for name in self._types(widget)))

    def tallies(
        self, widget: Widget, *, by_place: bool = False, zones: ByArea | ByWord | None = None
    ) -> list[TallyQuery]:
        """A query a type, for each is judged in its own way; one for all that no domain knows: nothing judges them."""
        asked: list[tuple[TypeSelection, str]] = [
            (TypeIs(self._reader.expand(name)), name) for name in types_about(widget.about)
        ]
        if widget.about in ("", Domain.OTHER) and self._others:
            asked.append((AnyType(tuple(TypeIs(self._reader.expand(name)) for name in self._others)), ""))
        return [self._tally(types, name, widget, by_place, zones) for types, name in asked]

    def _types(self, widget: Widget) -> list[str]:
        return types_about(widget.about, self._others)

    def in_place(self, widget: Widget) -> Condition | None:
        if not widget.place:
            return None
        members = ("addressLocality",)
        return Compare(Path(self._reader.expand("address"), members=members), Operator.EQUAL, widget.place)

    def urgent(self, widget: Widget, most: int) -> list[EntityQuery]:
        """What may need attention, the furthest past its threshold first: a query for each way in which a type is
        judged, for a bin is calm at the level at which a water tank is nearly empty, and there are many bins."""
        place = self.in_place(widget)
        return [
            EntityQuery(
                types=TypeIs(self._reader.expand(name)),
                q=wrong if place is None else And((wrong, place)),
                limit=most,
                order=self._furthest_first(headline),
            )
            for name in self._types(widget)
            for headline in self._shown(name, _headlines(name))
            for wrong in self._wrong(headline)
        ]

    def _wrong(self, headline: Headline) -> list[Condition]:
        """One condition, or none where nothing can be wrong."""
        conditions = self._conditions(headline)
        return conditions if len(conditions) < 2 else [Or(tuple(conditions))]

    def _furthest_first(self, headline: Headline) -> tuple[OrderTerm, ...]:
        if headline.warn is None and headline.bad is None:
            return ()
        return (OrderTerm(Path(self._reader.expand(headline.attribute)), is_descending=not headline.low_is_bad),)

    def _tally(
        self, types: TypeSelection, name: str, widget: Widget, by_place: bool, zones: ByArea | ByWord | None
    ) -> TallyQuery:
        profile = PROFILES.get(name)
        headlines: Sequence[Headline] = () if profile is None else profile.headlines
        if widget.attribute or (widget.kind in _OF_NUMBERS and widget.about == name):
            headline = headline_of(name, widget.attribute)
            headlines = () if headline is None else (headline,)
        shown = tuple(self._yardstick(one) for one in self._shown(name, headlines))
        return TallyQuery(
            types,
            self._reader.expand("address"),
            shown or (_NOTHING_JUDGED if headlines else ()),
            Grade.SILENT if profile is None else _GRADES[profile.unmeasured],
            by_place,
            widget.place,
            zones,
            told_silent=self._told_silent(name) if headlines else None,
        )

    def _shown(self, name: str, headlines: Sequence[Headline]) -> Sequence[Headline]:
        """Without the alarms that are not shown."""
        expand = self._reader.expand
        return [
            replace(one, alarm=None) if one.alarm is not None and self._is_hidden(name, expand(one.alarm)) else one
            for one in headlines
            if not self._is_hidden(name, expand(one.attribute))
        ]

    def _told_silent(self, name: str) -> Iri | None:
        return None if self._is_hidden(name, self._reader.told_stale) else self._reader.told_stale

    def _is_hidden(self, name: str, attribute: Iri) -> bool:
        return self._sight.is_hidden((attribute,), (self._reader.expand(name),))

    def _yardstick(self, headline: Headline) -> Yardstick:
        expand = self._reader.expand
        return Yardstick(
            expand(headline.attribute),
            headline.warn,
            headline.bad,
            headline.low_is_bad,
            headline.attribute in SHARES_OF_ONE,
            None if headline.alarm is None else expand(headline.alarm),
            tuple(sorted(headline.warn_words)),
            None if headline.stale_after is None else self._now - headline.stale_after,
            *OF_TERMS.get(headline.attribute, (None, None)),
        )

    def _conditions(self, headline: Headline) -> list[Condition]:
        path = Path(self._reader.expand(headline.attribute))
        found: list[Condition] = [Compare(path, Operator.EQUAL, word) for word in sorted(headline.warn_words)]
        threshold = headline.bad if headline.warn is None else headline.warn
        if threshold is not None:
            operator = Operator.LESS if headline.low_is_bad else Operator.GREATER_EQUAL
            slack = 0.005 if headline.attribute in SHARES_OF_ONE else 0.0  # whole per cent are judged
            found.append(Compare(path, operator, threshold + (slack if headline.low_is_bad else -slack)))
        if headline.alarm is not None:
            alarm = Path(self._reader.expand(headline.alarm))
            found.append(And((Compare(alarm, Operator.UNEQUAL, 0), Compare(alarm, Operator.UNEQUAL, False))))
        if headline.attribute in OF_TERMS:
            least, most = OF_TERMS[headline.attribute]
            found += [Compare(path, Operator.LESS, least), Compare(path, Operator.GREATER, most)]
        return found


@dataclass(frozen=True, slots=True)
class Sum:
    """What tallies come to together."""

    by_state: Mapping[State, int]
    numbers: int
    total: float
    low: float | None
    high: float | None
    newest: Instant | None
    unit_code: str

    @property
    def entities(self) -> int:
        return sum(self.by_state.values())

    @property
    def attention(self) -> int:
        return sum(count for state, count in self.by_state.items() if state.needs_attention)

    def value(self, method: Method) -> float | None:
        match method:
            case Method.AVERAGE:
                return self.total / self.numbers if self.numbers else None
            case Method.SUM:
                return self.total if self.numbers else None
            case Method.LOWEST:
                return self.low
            case Method.HIGHEST:
                return self.high
            case Method.COUNT:
                return self.entities
            case Method.ATTENTION:
                return self.attention


def summed(rows: Sequence[Tallied]) -> Sum:
    """Numbers of the unit that most of them have; those of another are not added to them."""
    by_state = dict.fromkeys(sorted(State, reverse=True), 0)
    by_unit: Counter[str] = Counter()
    for row in rows:
        by_state[STATES[row.grade]] += row.entities
        by_unit[row.unit_code] += row.numbers
    newest = max((row.newest for row in rows if row.newest is not None), default=None)
    unit_code = max(by_unit, key=lambda unit: (by_unit[unit], unit), default="")
    rows = [row for row in rows if row.unit_code == unit_code]
    return Sum(
        by_state,
        sum(row.numbers for row in rows),
        sum(row.total for row in rows),
        min((row.low for row in rows if row.low is not None), default=None),
        max((row.high for row in rows if row.high is not None), default=None),
        newest,
        unit_code,
    )
