"""The filter sentence above map and list: which entities, kept whole in the page's address."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from parvis.broker.query.tree import AnyType, TypeIs, TypeSelection
from parvis.web.headline import PROFILES, Domain, State, types_of
from parvis.web.units import SHARES_OF_ONE
from parvis.web.views import ObjectView, Terms

ATTENTION = "attention"
STATE_CHOICES = (ATTENTION, *(state.word for state in sorted(State, reverse=True)))
LONGEST_SEARCH = 80


@dataclass(frozen=True, slots=True)
class ObjectFilter:
    """`kind` is a type or a domain. `above` is in the unit people read: per cent for shares of one."""

    kind: str = ""
    state: str = ""
    commune: str = ""
    search: str = ""
    above: float | None = None

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> "ObjectFilter":
        kind, state = query.get("type", ""), query.get("state", "")
        return cls(
            kind=kind if kind in PROFILES or kind in list(Domain) else "",
            state=state if state in STATE_CHOICES else "",
            commune=query.get("commune", "").strip()[:LONGEST_SEARCH],
            search=query.get("search", "").strip()[:LONGEST_SEARCH],
            above=_number(query.get("above", "")),
        )

    def to_query(self) -> str:
        above = "" if self.above is None else f"{self.above:g}"
        pairs = {"type": self.kind, "state": self.state, "commune": self.commune, "above": above, "search": self.search}
        return urlencode({name: value for name, value in pairs.items() if value})

    @property
    def types(self) -> list[str]:
        """All types with a profile where nothing is chosen: what has no place in a picture stays out of it."""
        if self.kind in PROFILES:
            return [self.kind]
        return types_of(Domain(self.kind)) if self.kind else list(PROFILES)

    @property
    def domain(self) -> Domain | None:
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
        )

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
