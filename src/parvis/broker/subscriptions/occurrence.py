"""From an event of the outbox to what happened, with the entity as it was just then.

The outbox tells what was written, not what stood beside it or before it: that is read of the store, which may have
moved on. What the event itself wrote is always told as the event has it: a receiver sees every value, in its order.
"""

from collections.abc import Iterable, Iterator, Mapping

import msgspec
from msgspec.structs import replace

from parvis.broker.model.change import Event, EventKind
from parvis.broker.model.entity import INSTANCE_NUMBER, AttributeKey, Entity, Instance, in_order
from parvis.broker.model.merge import is_older
from parvis.broker.ports.store import EntityStore, TemporalStore
from parvis.broker.query.tree import TemporalQuery, TimeRelation
from parvis.broker.subscriptions.model import Occurrence
from parvis.kernel.time import Instant

encode = msgspec.json.Encoder(order="sorted").encode


class Occurrences:
    def __init__(self, entities: EntityStore, history: TemporalStore) -> None:
        self._entities = entities
        self._history = history

    async def find(self, event: Event, *, with_previous: bool = False) -> Occurrence | None:
        """None where the event changed nothing: all it brought was older than what was known, or the same (5.8.6).

        `with_previous` asks for what was overwritten, too, which costs a look into the history. Without it, a value of
        another time is not looked up, for it is another one then.
        """
        if event.kind is EventKind.DELETED:
            return await self._deletion(event)
        current = await self._entities.find(event.tenant, event.entity_id)
        if current is None:
            current = Entity(event.entity_id, event.types, (), (), event.at, event.at)
        held = {one.key: one for one in current.instances}
        written = tuple(one for one in _newest(event.instances) if not _came_late(one, held.get(one.key), event.at))
        if event.instances and not written and not event.removed:
            return None
        is_creation = event.kind is EventKind.CREATED
        created = {one.key for one in written if is_creation or await self._is_new(event, one, held.get(one.key))}
        overwritten = [
            one.key for one in written if one.key not in created and (with_previous or one.observed_at is None)
        ]
        previous = await self._before(event, [*event.removed, *overwritten])
        written = _changed(written, previous)
        if event.instances and not written and not event.removed:
            return None
        return Occurrence(
            event.seq,
            event.tenant,
            event.at,
            await self._as_it_was(event, current, written),
            is_creation=is_creation,
            written=written,
            removed=event.removed,
            created=frozenset(created),
            previous=previous,
        )

    async def _deletion(self, event: Event) -> Occurrence:
        """The entity as it was: of what the deletion took away, the last that is known."""
        last = await self._before(event, event.removed)
        history = await self._history.history(event.tenant, event.entity_id, _LIFETIME)
        scopes = history.scopes if history is not None else ()
        created_at = history.created_at if history is not None else event.at
        entity = Entity(event.entity_id, event.types, in_order(last), scopes, created_at, event.at)
        return Occurrence(
            event.seq, event.tenant, event.at, entity, is_deletion=True, removed=event.removed, previous=last
        )

    async def _as_it_was(self, event: Event, current: Entity, written: tuple[Instance, ...]) -> Entity:
        """`current` taken back to the time of the event; itself where nothing has happened since."""
        later = [one.key for one in current.instances if one.modified_at > event.at]
        if not later and all(_is_told(one, current.find(*one.key)) for one in written):
            return current
        instances = {one.key: one for one in current.instances if one.modified_at <= event.at}
        told = {one.key: one for one in written}
        elsewhere = [key for key in later if key not in told and key not in event.removed]
        if elsewhere:
            instances |= {one.key: one for one in await self._before(event, elsewhere)}
        instances |= {key: _born(one, current.find(*key)) for key, one in told.items()}
        return Entity(
            current.id,
            current.types,
            in_order(instances.values()),
            current.scopes,
            current.created_at,
            event.at,
            current.expires_at,
        )

    async def _is_new(self, event: Event, instance: Instance, held: Instance | None) -> bool:
        if held is not None and held.created_at <= event.at:
            return held.created_at == event.at
        return not await self._before(event, [instance.key])

    async def _before(self, event: Event, keys: Iterable[AttributeKey]) -> tuple[Instance, ...]:
        """The last instances recorded before the event, sought where they are likely: no long history is read through.

        First among the newest, which is exact for who keeps up. Then just before the time of what the event brought,
        which is exact for what came in the order of its times. Then further and further back.
        """
        wanted, found = set(keys), list[Instance]()
        if not wanted:
            return ()
        anchors = {one.key: one.seen_at + 1 for one in event.instances}
        first = min((one.seq for one in event.instances), default=None)
        for query in _searches(wanted, anchors, event.at):
            names = tuple(sorted({name for name, _ in wanted} & set(query.attrs)))
            if not names:
                continue
            asked = replace(query, attrs=names)
            history = await self._history.history(event.tenant, event.entity_id, asked)
            instances = history.instances if history is not None else {}
            for key in [key for key in wanted if key[0] in names]:
                held = instances.get(key, [])
                before = [one for one in held if _came_before(one, first, event.at)]
                found += sorted(before, key=_seq)[-1:]
                if before or (len(held) < asked.limit and asked.relation is None):
                    wanted.discard(key)
        return tuple(found)


def _searches(
    keys: Iterable[AttributeKey], anchors: Mapping[AttributeKey, Instant], at: Instant
) -> Iterator[TemporalQuery]:
    names = tuple({name for name, _ in keys})
    yield TemporalQuery(last_n=_FEW, limit=_FEW, attrs=names)
    for key in sorted(keys):
        end = anchors.get(key, at + 1)
        yield TemporalQuery(TimeRelation.BEFORE, end, last_n=_FEW, limit=_FEW, attrs=(key[0],))
    for reach in _REACHES:
        yield TemporalQuery(last_n=reach, limit=reach, attrs=names)


_FEW = 8
_REACHES = (128, 2048, 32_768)
"""Instances of an attribute that have come since: whoever is further behind does without what was before."""
_LIFETIME = TemporalQuery(TimeRelation.BEFORE, 0, last_n=1)


def _came_before(instance: Instance, first: int | None, at: Instant) -> bool:
    """By number, which is exact; a removal has none, and goes by its time."""
    return instance.modified_at <= at if first is None else instance.seq < first


def _seq(instance: Instance) -> int:
    return instance.seq


def _newest(instances: tuple[Instance, ...]) -> tuple[Instance, ...]:
    """Of a back-fill, which brings several instances of an attribute, the newest of each."""
    found: dict[AttributeKey, Instance] = {}
    for one in instances:
        before = found.get(one.key)
        if before is None or not is_older(one, before):
            found[one.key] = one
    return tuple(found.values())


def _came_late(instance: Instance, held: Instance | None, at: Instant) -> bool:
    """Whether a newer observation stood there already: then it became history only.

    Where the attribute was written again since, nobody knows any more, and it is told: a receiver sees its observedAt.
    """
    return held is not None and held.modified_at < at and is_older(instance, held)


def _changed(written: tuple[Instance, ...], previous: Iterable[Instance]) -> tuple[Instance, ...]:
    """Without those of which every member is as it was before."""
    before = {one.key: _members(one) for one in previous}
    return tuple(one for one in written if one.key not in before or before[one.key] != _members(one))


def _members(instance: Instance) -> tuple[object, ...]:
    """As JSON, for which 1 and true are different."""
    extra = {name: value for name, value in (instance.extra or {}).items() if name != INSTANCE_NUMBER}
    return instance.kind, encode(instance.value), instance.observed_at, instance.unit_code, encode(extra)


def _is_told(instance: Instance, held: Instance | None) -> bool:
    return held is not None and held.value == instance.value and held.observed_at == instance.observed_at


def _born(instance: Instance, held: Instance | None) -> Instance:
    if held is None or held.created_at > instance.modified_at:
        return instance
    return replace(instance, created_at=held.created_at)
