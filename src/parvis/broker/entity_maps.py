"""Entity maps (NGSI-LD 1.9.1, 5.5.14, 5.2.39): which entities a query has found and where, fixed for its pages.

They are kept on the store's shelf, for every process of the platform and over a restart, until they expire. A tenant
has so many at most; where there are more, the one that expires first goes: who asks with it gets a new one.
"""

import uuid
from collections.abc import Mapping
from hashlib import sha256
from typing import Final

import msgspec

from parvis.kernel.errors import ResourceNotFound
from parvis.kernel.identity import Caller, Right
from parvis.kernel.shelf import Box, Place, Shelf
from parvis.kernel.time import DAY, HOUR, Clock, Instant, system_clock

HERE: Final = "@none"
"""The source of what is held in this broker."""
MOST_MAPS: Final = 64
"""Of a tenant: for those who may read everything, and as many for those who may not."""
USUAL_LIFETIME: Final = HOUR
LONGEST_LIFETIME: Final = DAY

_PREFIX = "urn:ngsi-ld:entitymap:"
_HEADS = "entity-maps"
_MEMBERS = "entity-map-members"


class EntityMap(msgspec.Struct, frozen=True):
    """`sources` are registrations, or HERE, by the id of an entity, in the order found.

    `is_public`: found by somebody who may not read everything. It is for whoever sees as much as who made it did
    (`sight`): which entities it names tells what its conditions asked for.
    """

    id: str
    expires_at: Instant
    sources: Mapping[str, tuple[str, ...]]
    is_public: bool
    sight: str


class _Head(msgspec.Struct, frozen=True):
    expires_at: Instant
    is_public: bool
    sight: str = ""


class EntityMaps:
    def __init__(self, shelf: Shelf, clock: Clock = system_clock) -> None:
        self._shelf = shelf
        self._clock = clock

    async def make(self, caller: Caller, sources: Mapping[str, tuple[str, ...]], lifetime: int | None) -> EntityMap:
        """A new one. `lifetime` is what was asked for, in microseconds; the broker bounds it (6.4.3.2)."""
        expires_at = self._clock() + min(USUAL_LIFETIME if lifetime is None else lifetime, LONGEST_LIFETIME)
        made = EntityMap(f"{_PREFIX}{uuid.uuid4().hex}", expires_at, sources, _is_public(caller), _sight(caller))
        drops = await self._in_the_way(caller.tenant, made)
        puts = {**_head(caller.tenant, made), **_members(caller.tenant, made)}
        await self._shelf.change((), puts, [place for key in drops for place in _places(caller.tenant, key)])
        return made

    async def find(self, caller: Caller, map_id: str) -> EntityMap | None:
        """None where there is none, or it has expired, or is for those who see something else."""
        if not map_id.startswith(_PREFIX):
            return None
        key = map_id.encode()[:64]
        head, members = _places(caller.tenant, key)
        kept = (await self._shelf.read(head)).get(key)
        known = None if kept is None else msgspec.msgpack.decode(kept, type=_Head)
        if known is None or known.expires_at <= self._clock() or known.sight != _sight(caller):
            return None
        body = (await self._shelf.read(members)).get(key)
        if body is None:
            return None
        sources = msgspec.msgpack.decode(body, type=dict[str, tuple[str, ...]])
        return EntityMap(map_id, known.expires_at, sources, known.is_public, known.sight)

    async def get(self, caller: Caller, map_id: str) -> EntityMap:
        """Raises ResourceNotFound."""
        found = await self.find(caller, map_id)
        if found is None:
            raise ResourceNotFound(f"There is no entity map {map_id:.80}.")
        return found

    async def prolong(self, caller: Caller, known: EntityMap, expires_at: Instant) -> None:
        """Until `expires_at`, as far as the broker keeps maps."""
        bounded = min(expires_at, self._clock() + LONGEST_LIFETIME)
        changed = msgspec.structs.replace(known, expires_at=bounded)
        await self._shelf.change((), _head(caller.tenant, changed), ())

    async def keep_only(self, caller: Caller, known: EntityMap, sources: Mapping[str, tuple[str, ...]]) -> None:
        """Forget entities that no longer fit the query (5.5.9.3)."""
        changed = msgspec.structs.replace(known, sources=sources)
        await self._shelf.change((), _members(caller.tenant, changed), ())

    async def drop(self, caller: Caller, known: EntityMap) -> None:
        await self._shelf.change((), {}, _places(caller.tenant, known.id.encode()))

    async def _in_the_way(self, tenant: str, made: EntityMap) -> list[bytes]:
        """What has expired, and what expires first where there are too many."""
        kept = await self._shelf.read(Place(Box(tenant, _HEADS), b""))
        heads = {key: msgspec.msgpack.decode(body, type=_Head) for key, body in kept.items()}
        now = self._clock()
        gone = [key for key, head in heads.items() if head.expires_at <= now]
        live = [key for key, head in heads.items() if head.expires_at > now and head.is_public is made.is_public]
        live.sort(key=lambda key: heads[key].expires_at)
        return gone + live[: max(0, len(live) - MOST_MAPS + 1)]


def _is_public(caller: Caller) -> bool:
    return Right.READ not in caller.rights or caller.reads is not None


def _sight(caller: Caller) -> str:
    tenant, rights, reads, hides = caller.sight
    told = msgspec.json.encode((tenant, rights.value, reads, hides), order="deterministic")
    return sha256(told).hexdigest()


def _places(tenant: str, key: bytes) -> tuple[Place, Place]:
    return Place(Box(tenant, _HEADS), key), Place(Box(tenant, _MEMBERS), key)


def _head(tenant: str, known: EntityMap) -> dict[Place, bytes]:
    head, _ = _places(tenant, known.id.encode())
    return {head: msgspec.msgpack.encode(_Head(known.expires_at, known.is_public, known.sight))}


def _members(tenant: str, known: EntityMap) -> dict[Place, bytes]:
    _, members = _places(tenant, known.id.encode())
    return {members: msgspec.msgpack.encode(known.sources)}
