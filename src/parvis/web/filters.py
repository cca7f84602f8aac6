"""The filter sentence above map and list: which entities, kept whole in the page's address."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode

from starlette.datastructures import ImmutableMultiDict

from parvis.broker.query.tree import AnyType, TypeIs, TypeSelection
from parvis.kernel.time import Instant, format_instant, parse_instant
from parvis.web.headline import PROFILES, Domain, State, is_other, types_of
from parvis.web.units import SHARES_OF_ONE
from parvis.web.views import ObjectView, Terms
from parvis.web.wording import zone_of
from parvis.web.zones import DRAWN, Corner, Zone, corners_text, parse_corners

ATTENTION = "attention"
STATE_CHOICES = (ATTENTION, *(state.word for state in sorted(State, reverse=True)))
LONGEST_SEARCH = 80
LONGEST_ID = 500


@dataclass(frozen=True, slots=True)
class ObjectFilter:
    """`kind` is a type or a domain. `above` is in the unit people read: per cent for shares of one.

    `others` are the types that are there and that no domain knows, `of_import` names an import, `of_happening`
    an event of a demonstration's story. `without`:
    domains that are switched off. `zone` is the id of an entity with an area, or DRAWN: then `corners` say which.
    `moment`: everything as it was then.
    """

    kind: str = ""
    state: str = ""
    commune: str = ""
    search: str = ""
    above: float | None = None
    of_import: str = ""
    of_happening: str = ""
    others: tuple[str, ...] = ()
    without: tuple[Domain, ...] = ()
    zone: str = ""
    corners: tuple[Corner, ...] = ()
    moment: Instant | None = None
    within: Zone | None = None

    @classmethod
    def from_query(cls, query: Mapping[str, str], there: Iterable[str] = ()) -> "ObjectFilter":
        """`there`: the types of which there are objects."""
        kind, state = query.get("type", ""), query.get("state", "")
        others = tuple(sorted(filter(is_other, there)))
        zone = query.get("zone", "").strip()[:LONGEST_ID]
        corners = parse_corners(query.get("area", "")) if zone in ("", DRAWN) else ()
        return cls(
            kind=kind if kind in PROFILES or kind in list(Domain) or kind in others else "",
            state=state if state in STATE_CHOICES else "",
            commune=query.get("commune", "").strip()[:LONGEST_SEARCH],
            search=query.get("search", "").strip()[:LONGEST_SEARCH],
            above=_number(query.get("above", "")),
            of_import=query.get("import", "").strip()[:LONGEST_SEARCH],
            of_happening=query.get("happening", "").strip()[:LONGEST_SEARCH],
            others=others,
            without=_without(query),
            zone=DRAWN if corners else zone if zone != DRAWN else "",
            corners=corners,
            moment=parse_moment(query.get("moment", "")),
        )

    def to_query(self) -> str:
        above = "" if self.above is None else f"{self.above:g}"
        pairs = {
            "type": self.kind,
            "state": self.state,
            "commune": self.commune,
            "above": above,
            "search": self.search,
            "import": self.of_import,
            "happening": self.of_happening,
            "without": ",".join(self.without),
            "zone": self.zone,
            "area": corners_text(self.corners),
            "moment": "" if self.moment is None else format_instant(self.moment),
        }
        return urlencode({name: value for name, value in pairs.items() if value})

    def to_area(self) -> str:
        return corners_text(self.corners)

    @property
    def types(self) -> list[str]:
        """All where nothing is chosen, but for what is behind the scenes."""
        if not self.kind:
            return [*PROFILES, *self.others]
        if self.kind == Domain.OTHER:
            return list(self.others)
        return types_of(Domain(self.kind)) if self.kind in list(Domain) else [self.kind]

    @property
    def domain(self) -> Domain | None:
        if self.kind in self.others:
            return Domain.OTHER
        if self.kind in PROFILES:
            return PROFILES[self.kind].domain
        return Domain(self.kind) if self.kind else None

    def selection(self, terms: Terms) -> TypeSelection:
        return AnyType(tuple(TypeIs(terms.expand(name)) for name in self.types))

    def admits(self, view: ObjectView) -> bool:
        return (
            self._admits_state(view.state)
            and (not self.commune or view.commune == self.commune)
            and self._admits_value(view)
            and self._admits_text(view)
            and (self.within is None or self.within.admits(view))
        )

    def shows(self, domain: Domain) -> bool:
        return domain not in self.without

    def _admits_state(self, state: State) -> bool:
        if self.state == ATTENTION:
            return state.needs_attention
        return not self.state or state.word == self.state

    def _admits_value(self, view: ObjectView) -> bool:
        if self.above is None or view.headline is None:
            return True
        if not isinstance(view.value, int | float):
            return False
        scale = 100 if view.headline.attribute in SHARES_OF_ONE else 1
        return view.value * scale > self.above

    def _admits_text(self, view: ObjectView) -> bool:
        wanted = self.search.casefold()
        return not wanted or any(wanted in text.casefold() for text in (view.name, view.id, view.commune))


def _without(query: Mapping[str, str]) -> tuple[Domain, ...]:
    """As an address says it; a form without scripts names the layers that are on."""
    off = query.get("without", "").split(",")
    on: list[str] = query.getlist("layer") if isinstance(query, ImmutableMultiDict) else []
    return tuple(domain for domain in Domain if domain.value in off or (on and domain.value not in on))


def local_moment(text: str, time_zone: str) -> str:
    """A date-time that names no zone is the territory's."""
    try:
        return datetime.fromisoformat(text.strip()).replace(tzinfo=zone_of(time_zone)).isoformat()
    except (ValueError, OverflowError):
        return ""


def parse_moment(text: str) -> Instant | None:
    """An instant with its zone; None for anything else."""
    try:
        return parse_instant(text.strip())
    except ValueError:
        return None


def _number(text: str) -> float | None:
    try:
        return float(text.replace(",", ".")) if text.strip() else None
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class Tally:
    """What the sentence beside a map says."""

    total: int
    by_state: Mapping[State, int]

    @property
    def attention(self) -> int:
        return sum(count for state, count in self.by_state.items() if state.needs_attention)

    @classmethod
    def of(cls, views: Iterable[ObjectView]) -> "Tally":
        counts = dict.fromkeys(State, 0)
        for view in views:
            counts[view.state] += 1
        return cls(sum(counts.values()), counts)

    def __add__(self, other: "Tally") -> "Tally":
        by_state = {state: self.by_state.get(state, 0) + other.by_state.get(state, 0) for state in State}
        return Tally(self.total + other.total, by_state)
