"""Snapshots (NGSI-LD 1.9.1, 5.16, 5.2.41): what queries found at one time, kept apart from what changes afterwards.

They lie on the store's shelf, for every process of the platform and over a restart. A tenant has so many at most: the
least important ones, of these the one not used for longest, make room for one that is as important.
"""

import asyncio
import uuid
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Mapping, Sequence
from enum import Enum
from hashlib import blake2s
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from parvis.broker.model.entity import Entity, Instance
from parvis.broker.ports.store import EntityPage
from parvis.broker.query.evaluate import matches
from parvis.broker.query.order import page_in_order
from parvis.broker.query.tree import EntityQuery
from parvis.kernel.errors import AlreadyExists, ResourceNotFound, TooManyResults, TooManySnapshots
from parvis.kernel.shelf import Box, Place, Shelf
from parvis.kernel.time import DAY, MINUTE, Clock, Instant, system_clock

MOST_SNAPSHOTS: Final = 32
MOST_IN_SNAPSHOT: Final = 10_000
USUAL_PRIORITY: Final = 5
USUAL_LIFETIME: Final = DAY
LONGEST_LIFETIME: Final = 90 * DAY
PREPARED_WITHIN: Final = 10 * MINUTE
"""One that is not ready by then has lost the process that prepared it."""
MOST_FILLED_AT_ONCE: Final = 2

_PREFIX = "urn:ngsi-ld:snapshot:"
_HEADS = "snapshots"
_ENTITIES = "snapshot-entities"
_CHUNK = 500
_MOST_OPEN = 4


class SnapshotStatus(Enum):
    PREPARING = "preparing"
    SUCCESS = "success"
    PARTIAL = "partial"
    EMPTY = "empty"
    FAILURE = "failure"


class Snapshot(msgspec.Struct, frozen=True):
    """`queries` as they were asked, `results` what came of each, once it is no longer preparing."""

    id: str
    queries: Sequence[Mapping[str, Any]]
    created_at: Instant
    expires_at: Instant
    last_used_at: Instant
    status: SnapshotStatus = SnapshotStatus.PREPARING
    results: Sequence[SnapshotStatus] = ()
    priority: int = USUAL_PRIORITY
    filling: str = ""
    """Names the entities in it: they are never changed."""


class _Frozen(msgspec.Struct, frozen=True, array_like=True):
    id: str
    types: tuple[str, ...]
    instances: tuple[Instance, ...]
    scopes: tuple[str, ...]
    created_at: Instant
    modified_at: Instant


class Frozen:
    """The entities of a snapshot, asked as a store is."""

    def __init__(self, entities: Sequence[Entity]) -> None:
        self._entities = entities

    def find(self, entity_id: str) -> Entity | None:
        return next((one for one in self._entities if one.id == entity_id), None)

    async def query(self, query: EntityQuery, shown: Callable[[Entity], Entity | None]) -> EntityPage:
        """In a thread: each of them is looked at."""
        return await asyncio.to_thread(self._query, query, shown)

    def _query(self, query: EntityQuery, shown: Callable[[Entity], Entity | None]) -> EntityPage:
        numbered = ((number, shown(one)) for number, one in enumerate(self._entities, 1))
        fitting = [(number, one) for number, one in numbered if one is not None and matches(one, query)]
        if query.order:
            return page_in_order(fitting, query)
        onwards = [(number, one) for number, one in fitting if number > (query.after or 0)][query.offset :]
        page = onwards[: query.limit]
        resume = page[-1][0] if page and len(onwards) > len(page) else None
        return EntityPage(tuple(one for _, one in page), len(fitting) if query.count else None, resume)


class Snapshots:
    def __init__(self, shelf: Shelf, clock: Clock = system_clock) -> None:
        self._shelf = shelf
        self._clock = clock
        self._filling: set[asyncio.Task[None]] = set()
        self._turns = asyncio.Semaphore(MOST_FILLED_AT_ONCE)
        self._opened: OrderedDict[tuple[str, str], Frozen] = OrderedDict()

    def new(
        self, queries: Sequence[Mapping[str, Any]], snapshot_id: str | None, priority: int, lifetime: int | None
    ) -> Snapshot:
        """`lifetime` is what was asked for, in microseconds; it is bounded."""
        now = self._clock()
        made_id = f"{_PREFIX}{uuid.uuid4().hex}" if snapshot_id is None else snapshot_id
        return Snapshot(made_id, queries, now, now + bounded(lifetime), now, priority=priority)

    async def add(self, tenant: str, snapshot: Snapshot) -> None:
        """Raises AlreadyExists, TooManySnapshots."""
        known = await self._all(tenant)
        if any(one.id == snapshot.id and one.expires_at > self._clock() for one in known):
            raise AlreadyExists(f"The snapshot {snapshot.id} exists already.")
        for one in self._in_the_way(known, snapshot):
            await self.drop(tenant, one)
        await self.keep(tenant, snapshot)

    async def keep(self, tenant: str, snapshot: Snapshot) -> None:
        await self._shelf.change((), {_head(tenant, snapshot.id): msgspec.msgpack.encode(snapshot)}, ())

    async def fill(self, tenant: str, snapshot: Snapshot, entities: Sequence[Entity]) -> Snapshot:
        """With these entities in it, once and for all. Raises TooManyResults."""
        if len(entities) > MOST_IN_SNAPSHOT:
            raise TooManyResults(f"A snapshot has at most {MOST_IN_SNAPSHOT} entities.")
        filled = replace(snapshot, filling=uuid.uuid4().hex)
        for start in range(0, len(entities), _CHUNK):
            body = msgspec.msgpack.encode([_frozen(one) for one in entities[start : start + _CHUNK]])
            place = Place(Box(tenant, _ENTITIES), f"{filled.filling}{start:08}".encode())
            await self._shelf.change((), {place: body}, ())
        return filled

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """In the background; a few at once."""
        task = asyncio.ensure_future(self._in_turn(work))
        self._filling.add(task)
        task.add_done_callback(self._filling.discard)

    async def settle(self) -> None:
        """Until nothing is being filled here."""
        while self._filling:
            await asyncio.gather(*self._filling)

    async def find(self, tenant: str, snapshot_id: str) -> Snapshot | None:
        place = _head(tenant, snapshot_id)
        kept = (await self._shelf.read(place)).get(place.key)
        found = None if kept is None else _decode(kept)
        if found is None or found.id != snapshot_id or found.expires_at <= self._clock():
            return None
        return self._as_it_is(found)

    async def get(self, tenant: str, snapshot_id: str) -> Snapshot:
        """Raises ResourceNotFound."""
        found = await self.find(tenant, snapshot_id)
        if found is None:
            raise ResourceNotFound(f"There is no snapshot {snapshot_id:.80}.")
        return found

    async def list_all(self, tenant: str) -> list[Snapshot]:
        return [self._as_it_is(one) for one in await self._all(tenant) if one.expires_at > self._clock()]

    async def open(self, tenant: str, snapshot: Snapshot) -> Frozen:
        """What is in it; that it was used is noted to the minute."""
        if self._clock() - snapshot.last_used_at > MINUTE:
            await self.keep(tenant, replace(snapshot, last_used_at=self._clock()))
        key = (tenant, snapshot.filling)
        if key not in self._opened:
            self._opened[key] = Frozen(await self.entities(tenant, snapshot))
            if len(self._opened) > _MOST_OPEN:
                self._opened.popitem(last=False)
        self._opened.move_to_end(key)
        return self._opened[key]

    async def entities(self, tenant: str, snapshot: Snapshot) -> list[Entity]:
        if not snapshot.filling:
            return []
        chunks = await self._shelf.read(_inside(tenant, snapshot))
        return await asyncio.to_thread(_thawed, list(chunks.values()))

    async def drop(self, tenant: str, snapshot: Snapshot) -> None:
        emptied = [_inside(tenant, snapshot)] if snapshot.filling else []
        await self._shelf.change(emptied, {}, [_head(tenant, snapshot.id)])

    async def _in_turn(self, work: Coroutine[Any, Any, None]) -> None:
        async with self._turns:
            await work

    async def _all(self, tenant: str) -> list[Snapshot]:
        kept = await self._shelf.read(Place(Box(tenant, _HEADS), b""))
        return [_decode(body) for body in kept.values()]

    def _in_the_way(self, known: Sequence[Snapshot], snapshot: Snapshot) -> list[Snapshot]:
        now = self._clock()
        gone = [one for one in known if one.expires_at <= now]
        live = sorted((one for one in known if one.expires_at > now), key=lambda one: (one.priority, one.last_used_at))
        too_many = max(0, len(live) - MOST_SNAPSHOTS + 1)
        if any(one.priority > snapshot.priority for one in live[:too_many]):
            raise TooManySnapshots(f"A tenant keeps {MOST_SNAPSHOTS} snapshots, all more important: delete one.")
        return gone + live[:too_many]

    def _as_it_is(self, snapshot: Snapshot) -> Snapshot:
        is_late = self._clock() - snapshot.created_at > PREPARED_WITHIN
        return replace(snapshot, status=SnapshotStatus.FAILURE) if is_late and _prepares(snapshot) else snapshot


def bounded(lifetime: int | None) -> int:
    return USUAL_LIFETIME if lifetime is None else min(lifetime, LONGEST_LIFETIME)


def _prepares(snapshot: Snapshot) -> bool:
    return snapshot.status is SnapshotStatus.PREPARING


def _decode(body: bytes) -> Snapshot:
    return msgspec.msgpack.decode(body, type=Snapshot)


def _frozen(entity: Entity) -> _Frozen:
    return _Frozen(entity.id, entity.types, entity.instances, entity.scopes, entity.created_at, entity.modified_at)


def _thawed(bodies: Sequence[bytes]) -> list[Entity]:
    frozen = [one for body in bodies for one in msgspec.msgpack.decode(body, type=list[_Frozen])]
    return [Entity(*(getattr(one, name) for name in _Frozen.__struct_fields__)) for one in frozen]


def _head(tenant: str, snapshot_id: str) -> Place:
    return Place(Box(tenant, _HEADS), blake2s(snapshot_id.encode(), digest_size=16).digest())


def _inside(tenant: str, snapshot: Snapshot) -> Place:
    return Place(Box(tenant, _ENTITIES), snapshot.filling.encode())
