"""From a change to the subscriptions that it concerns (NGSI-LD 1.9.1, 5.8.6).

An index leads from an event to the few subscriptions that may match, before anything is read of the entity; the exact
test then looks at the occurrence: at triggers, watched attributes and selectors first, at the queries last.

What the standard leaves open. Attributes that come with a new entity are created, and those of a deleted one deleted,
so the triggers for attributes fire. Watched attributes narrow the triggers for entities too: of them one must be in the
entity. A deleted entity is held against the queries as it last was.

A condition about linked entities is left to who can ask for them: `Compiled.linked_q`.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Final, assert_never

from parvis.broker.linked import speaks_of_links
from parvis.broker.model.change import Event
from parvis.broker.model.entity import AttributeKey, Entity
from parvis.broker.query.evaluate import geo_holds, prepared
from parvis.broker.query.pattern import pattern_finder
from parvis.broker.query.selection import scopes_hold, types_hold
from parvis.broker.query.tree import AllTypes, AnyType, Condition, EntityQuery, TypeIs, TypeSelection
from parvis.broker.subscriptions.model import (
    DEFAULT_TRIGGERS,
    Occurrence,
    Selector,
    Subscribed,
    Subscription,
    Trigger,
)
from parvis.kernel.time import LAST_INSTANT, Instant

Check = Callable[[Entity], bool]
See = Callable[[Subscription, Occurrence], Occurrence | None]
"""What is told of a change to a subscription's owner; None where nothing is."""

_ANY: Final = ""
_Key = tuple[str, str, str]
"""Tenant; a type, the id of an entity or _ANY; an attribute or _ANY."""


class Matcher:
    """The subscriptions that wait for changes, ready to be found. Built anew when one of them changes."""

    def __init__(self, subscriptions: Iterable[Subscription], see: See) -> None:
        self._see = see
        self._index: dict[_Key, list[Compiled]] = {}
        for number, one in enumerate(subscriptions):
            if one.is_periodic or not one.is_active:
                continue
            compiled = Compiled(number, one)
            for key in compiled.keys():  # noqa: SIM118 - not a dict
                self._index.setdefault(key, []).append(compiled)

    @classmethod
    def of(cls, subscribed: Iterable[Subscribed], see: See) -> "Matcher":
        return cls((one.subscription for one in subscribed), see)

    def candidates(self, event: Event) -> "list[Compiled]":
        """Those that the event may concern, each once, in the order given; usually none, for next to nothing."""
        index, tenant = self._index, event.tenant
        if not index:
            return []
        names = {_ANY, *[one.name for one in event.instances], *[name for name, _ in event.removed]}
        found: dict[int, Compiled] = {}
        for subject in (event.entity_id, _ANY, *event.types):
            for name in names:
                for compiled in index.get((tenant, subject, name), ()):
                    found[compiled.number] = compiled
        return [found[number] for number in sorted(found)] if found else []

    def match(self, compiled: "Compiled", occurrence: Occurrence, now: Instant) -> Occurrence | None:
        """What the subscription is to be told of it, None where nothing: as much of it as its owner sees."""
        if now >= compiled.ends_at or not compiled.concerns(occurrence):
            return None
        told = self._see(compiled.subscription, occurrence)
        return told if told is None or told is occurrence or compiled.concerns(told) else None


class Compiled:
    """A subscription with all that can be worked out once."""

    __slots__ = (
        "_checks",
        "_datasets",
        "_is_plain",
        "_on_attribute_created",
        "_on_attribute_deleted",
        "_on_attribute_updated",
        "_on_entity_created",
        "_on_entity_deleted",
        "_on_entity_updated",
        "_watched",
        "ends_at",
        "linked_q",
        "number",
        "subscription",
    )

    def __init__(self, number: int, subscription: Subscription) -> None:
        triggers = frozenset(subscription.triggers or DEFAULT_TRIGGERS)
        self.number = number
        self.subscription = subscription
        self.ends_at: Instant = LAST_INSTANT if subscription.expires_at is None else subscription.expires_at
        self._watched = frozenset(subscription.watched)
        self._datasets = frozenset("" if one == "@none" else one for one in subscription.datasets)
        self.linked_q = subscription.q if speaks_of_links(subscription.q) else None
        self._checks = list(_checks(subscription))
        self._on_entity_created = Trigger.ENTITY_CREATED in triggers
        self._on_entity_updated = Trigger.ENTITY_UPDATED in triggers
        self._on_entity_deleted = Trigger.ENTITY_DELETED in triggers
        self._on_attribute_created = self._on_entity_updated or Trigger.ATTRIBUTE_CREATED in triggers
        self._on_attribute_updated = self._on_entity_updated or Trigger.ATTRIBUTE_UPDATED in triggers
        self._on_attribute_deleted = self._on_entity_updated or Trigger.ATTRIBUTE_DELETED in triggers
        both = self._on_attribute_created and self._on_attribute_updated
        self._is_plain = both and not (self._watched or self._datasets)

    def keys(self) -> Iterator[_Key]:
        tenant = self.subscription.tenant
        names = self._watched or (_ANY,)
        for subject in dict.fromkeys(_subjects(self.subscription.selectors)):
            for name in names:
                yield tenant, subject, name

    def is_triggered(self, occurrence: Occurrence) -> bool:
        if self._is_plain and occurrence.written:
            return True
        if occurrence.is_deletion:
            is_told = self._on_entity_deleted and self._concerns(occurrence.removed)
            return is_told or (self._on_attribute_deleted and self._any_watched(occurrence.removed))
        written = [one.key for one in occurrence.written]
        if occurrence.is_creation:
            is_wanted = self._on_entity_created or (self._on_attribute_created and bool(written))
            return is_wanted and self._concerns(written)
        if self._on_entity_updated:
            return self._concerns([*written, *occurrence.removed])
        if self._is_written(written, occurrence.created):
            return True
        return self._on_attribute_deleted and self._any_watched(occurrence.removed)

    def concerns(self, occurrence: Occurrence) -> bool:
        return self.is_triggered(occurrence) and self.selects(occurrence.entity)

    def selects(self, entity: Entity) -> bool:
        for check in self._checks:  # noqa: SIM110 - twice as fast as all()
            if not check(entity):
                return False
        return True

    def _is_written(self, written: list[AttributeKey], created: frozenset[AttributeKey]) -> bool:
        if self._on_attribute_created and self._on_attribute_updated:
            return self._any_watched(written)
        if self._on_attribute_created:
            return self._any_watched(key for key in written if key in created)
        return self._on_attribute_updated and self._any_watched(key for key in written if key not in created)

    def _concerns(self, keys: Iterable[AttributeKey]) -> bool:
        """What happens to an entity concerns who watches no attribute in particular, whatever is in it."""
        return not (self._watched or self._datasets) or self._any_watched(keys)

    def _any_watched(self, keys: Iterable[AttributeKey]) -> bool:
        watched, datasets = self._watched, self._datasets
        return any((not watched or name in watched) and (not datasets or dataset in datasets) for name, dataset in keys)


def queries_of(subscription: Subscription, q: Condition | None, limit: int) -> list[EntityQuery]:
    """What to ask for the entities of a subscription that notifies by the clock; an entity may be in several answers.

    `q` is the subscription's with the entities that are linked in it.
    Put together at the rights of its owner, these are what `Compiled.selects` holds for.
    """
    return [
        EntityQuery(
            ids=() if selector.id is None else (selector.id,),
            id_pattern=selector.id_pattern,
            types=selector.types,
            q=q,
            geo=subscription.geo,
            scope=subscription.scope,
            limit=limit,
        )
        for selector in subscription.selectors or (Selector(),)
    ]


def _subjects(selectors: Iterable[Selector]) -> Iterator[str]:
    is_any = True
    for selector in selectors:
        is_any = False
        if selector.id is not None:
            yield selector.id
        else:
            yield from _types(selector.types)
    if is_any:
        yield _ANY


def _types(selection: TypeSelection | None) -> Iterable[str]:
    """Types of which an entity must have one."""
    match selection:
        case None:
            return (_ANY,)
        case TypeIs(iri):
            return (iri,)
        case AllTypes(terms):
            return _types(terms[0])
        case AnyType(terms):
            return [iri for term in terms for iri in _types(term)]
        case _:
            assert_never(selection)


def _checks(subscription: Subscription) -> Iterator[Check]:
    """All of which an entity must pass, the cheapest first."""
    scope, geo = subscription.scope, subscription.geo
    fitting = [_fits(one) for one in subscription.selectors]
    if len(fitting) == 1:
        yield fitting[0]
    elif fitting:
        yield lambda entity: any(fits(entity) for fits in fitting)
    if scope is not None:
        yield lambda entity: scopes_hold(scope, entity.scopes)
    if subscription.q is not None and not speaks_of_links(subscription.q):
        yield prepared(subscription.q)
    if geo is not None:
        yield lambda entity: geo_holds(geo, entity)


def _fits(selector: Selector) -> Check:
    has_type = _has_type(selector.types)
    if selector.id is not None:
        return lambda entity: entity.id == selector.id and has_type(entity)
    if selector.id_pattern is not None:
        finds = pattern_finder(selector.id_pattern)
        return lambda entity: has_type(entity) and finds(entity.id)
    return has_type


def _has_type(types: TypeSelection | None) -> Check:
    match types:
        case None:
            return lambda _: True
        case TypeIs(iri):
            return lambda entity: iri in entity.types
        case _:
            return lambda entity: types_hold(types, entity.types)
