"""@contexts that the broker keeps: those it hosts, those it made of what requests wrote out, and those it has fetched
(NGSI-LD 1.9.1, 5.13)."""

import asyncio
import contextlib
import hashlib
import re
import secrets
from collections import Counter
from collections.abc import Iterable, Iterator
from enum import Enum
from typing import Any, Final

import msgspec

from parvis.broker.jsonld.names import Recent
from parvis.kernel.errors import Overloaded, TooManyContexts
from parvis.kernel.shelf import Box, Place, Shelf
from parvis.kernel.time import HOUR, Clock, Instant, system_clock

MOST_PER_TENANT: Final = 1000
FETCH_AGAIN_AFTER: Final = 24 * HOUR
SAVE_EVERY_S: Final = 60.0

MOST_NOTED: Final = 100_000

CONTEXTS_BOX: Final = "contexts"
_FACTS, _BODY = b"f", b"b"
_HOSTED_URL = re.compile(r"/jsonldContexts/([0-9a-f]{32})\Z")


class Kind(Enum):
    """5.13.1."""

    CACHED = "Cached"
    HOSTED = "Hosted"
    IMPLICIT = "ImplicitlyCreated"


class KeptContext(msgspec.Struct, frozen=True):
    """`url` is where a cached one came from; the others are had from this broker, by their `local_id`."""

    local_id: str
    kind: Kind
    url: str
    created_at: Instant
    used_at: Instant | None = None
    hits: int = 0


def cached_id(url: str) -> str:
    return hashlib.sha256(url.encode()).hexdigest()[:32]


def hosted_id(url: str) -> str | None:
    """The local id in the address of a @context that some broker hosts, perhaps this one."""
    found = _HOSTED_URL.search(url)
    return None if found is None else found[1]


class KeptContexts:
    """Each tenant has its own, `MOST_PER_TENANT` at most: a fetched one then takes the place of the fetched one used
    longest ago. Uses are counted here and written down by `save`."""

    def __init__(self, shelf: Shelf, clock: Clock = system_clock) -> None:
        self._shelf = shelf
        self._clock = clock
        self._hits: Counter[tuple[str, str]] = Counter()
        self._used_at: dict[tuple[str, str], Instant] = {}
        self._noted: Recent[tuple[str, str], bool] = Recent(MOST_NOTED)

    async def host(self, tenant: str, value: Any) -> KeptContext:
        """Keep the value of a @context under a new local id. Raises TooManyContexts."""
        return await self._keep(tenant, KeptContext(secrets.token_hex(16), Kind.HOSTED, "", self._clock()), value)

    async def keep_written_out(self, tenant: str, value: Any) -> KeptContext:
        """So that others can be sent an address of it; an equal one is kept once. Raises TooManyContexts."""
        written = msgspec.json.encode(value, order="sorted")
        local_id = hashlib.sha256(b"written out " + written).hexdigest()[:32]
        known = await self.find(tenant, local_id)
        return known or await self._keep(tenant, KeptContext(local_id, Kind.IMPLICIT, "", self._clock()), value)

    async def keep_fetched(self, tenant: str, url: str, value: Any) -> None:
        local_id = cached_id(url)
        if await self.find(tenant, local_id) is None:
            await self._make_room(tenant)
        await self._put(tenant, KeptContext(local_id, Kind.CACHED, url, self._clock()), value)

    def is_noted(self, tenant: str, local_id: str) -> bool:
        """Whether a tenant is known to have it in its list: asked for every request."""
        return self._noted.find((tenant, local_id)) is not None

    async def note_fetched(self, tenant: str, url: str, value: Any) -> None:
        """Keep it for a tenant that has it not. While nothing can be written, and for a tenant that is not there yet,
        it is left for the next time."""
        local_id = cached_id(url)
        with contextlib.suppress(Overloaded):
            if await self.find(tenant, local_id) is None:
                await self.keep_fetched(tenant, url, value)
        if await self.find(tenant, local_id) is not None:
            self._noted.put((tenant, local_id), True, 1)

    async def find_fetched(self, tenant: str, url: str) -> tuple[Any, bool] | None:
        """The value, and whether it is so old that it is better fetched again."""
        found = await self.find(tenant, cached_id(url))
        if found is None:
            return None
        value = await self.find_value(tenant, found.local_id)
        return None if value is None else (value, self._clock() - found.created_at > FETCH_AGAIN_AFTER)

    async def find(self, tenant: str, named: str) -> KeptContext | None:
        """By its local id or its address."""
        local_id = hosted_id(named) or (named if _is_local_id(named) else cached_id(named))
        records = await self._shelf.read(_place(tenant, _FACTS, local_id))
        return next((self._with_uses(tenant, _facts(record)) for record in records.values()), None)

    async def find_value(self, tenant: str, local_id: str) -> Any | None:
        records = await self._shelf.read(_place(tenant, _BODY, local_id))
        return next((msgspec.json.decode(record) for record in records.values()), None)

    async def list(self, tenant: str) -> "list[KeptContext]":
        """The oldest first."""
        records = await self._shelf.read(Place(Box(tenant, CONTEXTS_BOX), _FACTS))
        found = [self._with_uses(tenant, _facts(record)) for record in records.values()]
        return sorted(found, key=lambda one: (one.created_at, one.local_id))

    async def drop(self, tenant: str, local_id: str) -> None:
        self._forget_uses(tenant, local_id)
        self._noted.drop((tenant, local_id))
        await self._shelf.change([], {}, [_place(tenant, part, local_id) for part in (_FACTS, _BODY)])

    def count(self, tenant: str, local_ids: tuple[str, ...]) -> None:
        now = self._clock()
        for local_id in local_ids:
            self._hits[tenant, local_id] += 1
            self._used_at[tenant, local_id] = now

    async def run(self) -> None:
        """Save every minute, until cancelled, and then once more."""
        try:
            while True:
                await asyncio.sleep(SAVE_EVERY_S)
                await self.save()
        finally:
            await self.save()

    async def save(self) -> None:
        """Write down the uses since the last time. Other processes add theirs: two that do so in the same moment may
        lose a few."""
        puts: dict[Place, bytes] = {}
        for tenant, local_id in list(self._hits):
            found = await self.find(tenant, local_id)
            self._forget_uses(tenant, local_id)
            if found is None:
                self._noted.drop((tenant, local_id))
            else:
                puts[_place(tenant, _FACTS, local_id)] = msgspec.json.encode(found)
        if puts:
            await self._shelf.change([], puts, [])

    async def _keep(self, tenant: str, one: KeptContext, value: Any) -> KeptContext:
        if len(await self.list(tenant)) >= MOST_PER_TENANT:
            raise TooManyContexts(f"So many @contexts are kept already: {MOST_PER_TENANT}. Delete one first.")
        await self._put(tenant, one, value)
        return one

    async def _put(self, tenant: str, one: KeptContext, value: Any) -> None:
        records = {_FACTS: msgspec.json.encode(one), _BODY: msgspec.json.encode(value)}
        puts = {_place(tenant, part, one.local_id): record for part, record in records.items()}
        await self._shelf.change([], puts, [])

    async def _make_room(self, tenant: str) -> None:
        kept = await self.list(tenant)
        fetched = [one for one in kept if one.kind is Kind.CACHED]
        if len(kept) >= MOST_PER_TENANT and fetched:
            await self.drop(tenant, min(fetched, key=lambda one: one.used_at or one.created_at).local_id)

    def _with_uses(self, tenant: str, one: KeptContext) -> KeptContext:
        key = (tenant, one.local_id)
        if key not in self._hits:
            return one
        return msgspec.structs.replace(one, hits=one.hits + self._hits[key], used_at=self._used_at[key])

    def _forget_uses(self, tenant: str, local_id: str) -> None:
        self._hits.pop((tenant, local_id), None)
        self._used_at.pop((tenant, local_id), None)


def read_records(records: Iterable[tuple[bytes, bytes]]) -> Iterator[tuple[KeptContext, bytes]]:
    """What a shelf holds of a tenant's, by local id, each with its value."""
    held = dict(records)
    for key in sorted(held):
        body = held.get(_BODY + key[len(_FACTS) :])
        if key.startswith(_FACTS) and body is not None:
            yield _facts(held[key]), body


def records_of(one: KeptContext, body: bytes) -> list[tuple[bytes, bytes]]:
    """As a shelf holds it."""
    local_id = one.local_id.encode()
    return [(_FACTS + local_id, msgspec.json.encode(one)), (_BODY + local_id, body)]


def _place(tenant: str, part: bytes, local_id: str) -> Place:
    return Place(Box(tenant, CONTEXTS_BOX), part + local_id.encode())


def _facts(record: bytes) -> KeptContext:
    return msgspec.json.decode(record, type=KeptContext)


def _is_local_id(named: str) -> bool:
    return re.fullmatch(r"[0-9a-f]{32}", named) is not None
