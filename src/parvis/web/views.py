"""What a page shows of an entity: its headline, state, place and name, in short terms."""

import re
from collections.abc import Iterable
from copy import copy
from dataclasses import dataclass, replace
from functools import lru_cache
from math import inf
from typing import Any, Protocol, Self

from parvis.broker.model.entity import AttributeKey, Entity, Instance, Kind
from parvis.fleet.profiles.limits import is_possible
from parvis.kernel.time import DAY, Instant
from parvis.web.headline import (
    DEVICES,
    STALE_AFTER_PERIODS,
    Domain,
    Headline,
    State,
    TypeProfile,
    excess_of,
    profile_of,
    state_of,
)
from parvis.web.markers import glyph_of
from parvis.web.shapes import position_of as position_of
from parvis.web.shapes import shape_of
from parvis.web.wording import Wording

DEVICE_TYPE = "Device"
_DIGITS = re.compile(r"(\d+)")
NAMES = ("name", "alternateName", "title")


class Terms(Protocol):
    """The two directions of the packaged @context."""

    def expand(self, term: str) -> str: ...

    def compact(self, iri: str) -> str: ...


@dataclass(frozen=True, slots=True)
class ObjectView:
    """`value`, `unit_code` and `observed_at` are the headline attribute's; None where the entity has none yet.

    Not `is_dated`: nobody says when it was measured, `observed_at` is when it was stored. `apart` tells it from another
    of its name in the same list.
    """

    id: str
    type: str
    domain: Domain
    name: str
    commune: str
    position: tuple[float, float] | None
    headline: Headline | None
    value: Any
    unit_code: str
    observed_at: Instant | None
    alarmed: bool
    state: State
    is_dated: bool = True
    shape: dict[str, Any] | None = None
    street: str = ""
    apart: str = ""

    @property
    def glyph(self) -> str:
        return glyph_of(self.type, self.domain)

    @property
    def is_possible(self) -> bool:
        return self.headline is None or is_possible(self.headline.attribute, self.unit_code, self.value)

    @property
    def excess(self) -> float:
        """How far the value is past the threshold that asks for attention, as a share of it; an alarm is past all."""
        if self.alarmed:
            return inf
        if self.headline is None or not self.state.needs_attention:
            return 0.0
        return excess_of(self.headline, self.value)

    @property
    def stale_at(self) -> Instant | None:
        """When it falls silent unless it is heard of before; None: it has already, or never will."""
        if self.headline is None or self.observed_at is None or self.value is None:
            return None
        after = self.headline.stale_after
        return None if after is None or self.state in (State.STALE, State.BAD) else self.observed_at + after

    def value_text(self, words: Wording) -> str:
        """Empty where nothing is measured of such an object."""
        if self.headline is None:
            return ""
        return words.quantity(self.value, self.unit_code, self.headline.attribute)

    def where(self, words: Wording) -> str:
        """What it is, and where, in a line."""
        return " · ".join(part for part in (words.type_name(self.type, 1), self.commune, self.apart) if part)


class EntityReader:
    """Makes views of entities whose names are expanded."""

    def __init__(self, terms: Terms) -> None:
        self.terms = terms
        self.expand = lru_cache(maxsize=4096)(terms.expand)
        self.compact = lru_cache(maxsize=4096)(terms.compact)
        self.location = terms.expand("location")
        self._address = terms.expand("address")
        self.told_stale = terms.expand("isStale")
        self._names = tuple(terms.expand(name) for name in NAMES)
        self.called_by = frozenset({*self._names, self._address})
        self.language = ""
        self._in_languages: dict[str, Self] = {}

    def in_language(self, language: str) -> Self:
        """The same, of what is called otherwise in each language by its name in that one."""
        if language not in self._in_languages:
            other = copy(self)
            other.language = language
            self._in_languages[language] = other
        return self._in_languages[language]

    def tells_itself(self, entity: Entity) -> bool:
        """Whether what brings its values also says when it is silent."""
        return entity.find(self.told_stale) is not None

    def view(self, entity: Entity, now: Instant, *, tells_itself: bool = False) -> ObjectView:
        """`tells_itself`: also where it had not said so by then, as before the first start."""
        type_name, profile = self._profile(entity.types)
        instances = _by_name(entity)
        headline, shown = self.find_headline(profile.headlines, instances)
        headline = self._at_its_pace(headline, instances, tells_itself=tells_itself)
        alarmed = is_alarmed(headline, instances, self.expand)
        return ObjectView(
            id=entity.id,
            type=type_name,
            domain=profile.domain,
            name=self._name(entity.id, instances),
            commune=self._commune(entity, instances),
            street=self._street(instances),
            position=position_of(instances.get(self.location)),
            shape=shape_of(instances.get(self.location)),
            headline=headline,
            value=None if shown is None else shown.value,
            unit_code="" if shown is None else shown.unit_code,
            observed_at=None if shown is None else shown.seen_at,
            alarmed=alarmed,
            state=self._state(profile, headline, instances, now, tells_itself=tells_itself),
            is_dated=shown is None or shown.observed_at is not None,
        )

    def state_by(self, headline: Headline, entity: Entity, now: Instant) -> State:
        """Judged by this attribute of it, whichever comes first of its type."""
        _, profile = self._profile(entity.types)
        instances = _by_name(entity)
        return self._state(profile, self._at_its_pace(headline, instances), instances, now)

    def _at_its_pace(
        self, headline: Headline | None, instances: dict[str, Instance], *, tells_itself: bool = False
    ) -> Headline | None:
        """Without a period where what brings the values, which knows their pace, says itself when it is silent. Of what
        has said nothing yet only a day without a value is silence."""
        if headline is None or headline.period is None:
            return headline
        if self.told_stale in instances:
            return replace(headline, period=None)
        return replace(headline, period=DAY // STALE_AFTER_PERIODS) if tells_itself else headline

    def _is_told_stale(self, instances: dict[str, Instance]) -> bool:
        told = instances.get(self.told_stale)
        return told is not None and told.value is True

    def _state(
        self,
        profile: TypeProfile,
        headline: Headline | None,
        instances: dict[str, Instance],
        now: Instant,
        *,
        tells_itself: bool = False,
    ) -> State:
        if headline is None:
            return State.GOOD
        alarmed = is_alarmed(headline, instances, self.expand)
        told_stale = self._is_told_stale(instances)
        shown = instances.get(self.expand(headline.attribute))
        if shown is None:
            is_silent = told_stale or tells_itself
            return State.BAD if alarmed else State.STALE if is_silent else profile.unmeasured
        state = state_of(headline, shown.value, shown.seen_at, now, alarmed)
        if told_stale and state is not State.BAD:
            return State.STALE
        is_wrong = state is State.GOOD and not is_possible(headline.attribute, shown.unit_code, shown.value)
        return State.WARN if is_wrong else state

    def _profile(self, types: tuple[str, ...]) -> tuple[str, TypeProfile]:
        name, profile = profile_of(tuple(self.compact(iri) for iri in types))
        return name, DEVICES if name == DEVICE_TYPE else profile

    def judged_by(self, types: tuple[str, ...]) -> tuple[str, ...]:
        """The attributes (expanded) that a change must bring to judge the state by it alone; none: read the entity."""
        _, profile = self._profile(types)
        if not profile.headlines:
            return ()
        first = profile.headlines[0]
        needed = (first.attribute, first.alarm)
        return tuple(self.expand(name) for name in needed if name is not None)

    def judged_keys(self, entity: Entity) -> list[AttributeKey]:
        """What has to be known of another moment to see the entity as it was then: its place, and what judges it."""
        _, profile = self._profile(entity.types)
        named = (name for one in profile.headlines for name in (one.attribute, one.alarm) if name is not None)
        names = {self.location, *map(self.expand, named)}
        if self.tells_itself(entity):
            names.add(self.told_stale)
        if not profile.headlines:
            names.update(sorted(one.name for one in entity.instances if _is_measured_number(one))[:1])
        known = [one.key for one in entity.instances if one.name in names]
        return known + [(name, "") for name in names - {name for name, _ in known}]

    def find_headline(
        self, headlines: tuple[Headline, ...], instances: dict[str, Instance]
    ) -> tuple[Headline | None, Instance | None]:
        """The headline that applies and its instance; of an unknown type, the first number that was measured."""
        for headline in headlines:
            if (one := instances.get(self.expand(headline.attribute))) is not None:
                return headline, one
        if headlines:
            return headlines[0], None
        measured = (one for _, one in sorted(instances.items()) if _is_measured_number(one))
        first = next(measured, None)
        return (None, None) if first is None else (Headline(self.compact(first.name)), first)

    def _name(self, entity_id: str, instances: dict[str, Instance]) -> str:
        for name in self._names:
            if (one := instances.get(name)) is not None:
                return one_text(one.value, self.language)
        return short_id(entity_id)

    def _commune(self, entity: Entity, instances: dict[str, Instance]) -> str:
        address = instances.get(self._address)
        if address is not None and isinstance(address.value, dict):
            return locality(address.value, self.language)
        return entity.scopes[0].rsplit("/", 1)[-1] if entity.scopes else ""

    def _street(self, instances: dict[str, Instance]) -> str:
        address = instances.get(self._address)
        is_told = address is not None and isinstance(address.value, dict)
        return address_member(address.value, "streetAddress", self.language) if is_told and address else ""


def _by_name(entity: Entity) -> dict[str, Instance]:
    """The one without a datasetId comes first."""
    return {one.name: one for one in reversed(entity.instances)}


def _is_measured_number(one: Instance) -> bool:
    is_number = isinstance(one.value, int | float) and not isinstance(one.value, bool)
    return one.kind is Kind.PROPERTY and is_number and one.observed_at is not None


def is_alarmed(headline: Headline | None, instances: dict[str, Instance], expand: Any) -> bool:
    if headline is None or headline.alarm is None:
        return False
    alarm = instances.get(expand(headline.alarm))
    return alarm is not None and bool(alarm.value)


def locality(address: dict[str, Any], language: str = "") -> str:
    return address_member(address, "addressLocality", language)


def address_member(address: dict[str, Any], name: str, language: str = "") -> str:
    """Of a schema.org PostalAddress, whether its members are short or expanded."""
    for member, content in address.items():
        if member.rsplit("/", 1)[-1] == name:
            return one_text(content, language)
    return ""


def one_text(value: Any, language: str = "") -> str:
    """Text of a value that may be a language map: in that language, else in none, else in the first there is."""
    if isinstance(value, dict):
        near = (name for name in value if name.partition("-")[0] == language)
        chosen = next((name for name in (language, *near, "@none") if name in value), None)
        value = value[chosen] if chosen is not None else next(iter(value.values()), "")
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def short_id(entity_id: str) -> str:
    """ "urn:ngsi-ld:WasteContainer:port-12" -> "port-12"."""
    return entity_id.split(":", 3)[-1] if entity_id.startswith("urn:ngsi-ld:") else entity_id


def by_urgency(views: Iterable[ObjectView]) -> list[ObjectView]:
    """By state; then, where something is wrong, what is furthest past its threshold and what has waited longest."""
    return sorted(views, key=_urgency)


def _urgency(view: ObjectView) -> tuple[object, ...]:
    waiting = 0 if view.state is State.GOOD or view.observed_at is None else view.observed_at
    return (-view.state, -view.excess, waiting, view.type, natural(view.name))


def natural(name: str) -> list[tuple[int, str]]:
    """A key that puts "place 2" before "place 10"."""
    parts = _DIGITS.split(name.casefold())
    return [(int(part), "") if part.isdecimal() else (0, part) for part in parts]
