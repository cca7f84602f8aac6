"""What is kept for a time only goes when that is over (NGSI-LD 1.9.1, 4.22).

Nobody is told of what is over: whoever reads or writes when something is due waits until it has been taken away, which
is a change like any other, with its event. Where that takes long, or nothing can be written, `what_stays` leaves it
out.
"""

import asyncio
import logging
from collections.abc import Iterator
from time import monotonic
from typing import Final

from msgspec.structs import replace

from parvis.broker.model.change import Change, Mode, Outcome, Status
from parvis.broker.model.entity import AttributeKey, Entity, Instance
from parvis.broker.model.expiry import is_over, what_stays
from parvis.broker.ports.store import EntityPage, Expiring, Store
from parvis.broker.query.tree import TemporalQuery, TimeRelation
from parvis.broker.temporal.erasure import Erasure
from parvis.kernel.errors import Overloaded, ResourceNotFound
from parvis.kernel.time import SECOND, Clock, Instant

AT_ONCE: Final = 500
PATIENCE_S: Final = 1.0
"""How long a reader waits for what is due to be taken away."""
LOOK_EVERY_S: Final = 1.0
LOOK_AT_OTHERS_EVERY_S: Final = 5.0
"""How often it is looked up what other processes have written."""
SHORTEST_S: Final = 0.05
REST_S: Final = 1.0
"""After something could not be taken away."""
_PAST_AT_ONCE: Final = 1000
_log = logging.getLogger(__name__)


class Transience:
    """Takes away what is over, of all tenants."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._sweep: asyncio.Task[None] | None = None
        self._rest_until_s = 0.0

    @property
    def is_due(self) -> bool:
        """For hot paths: where nothing ever ends it costs a comparison."""
        first = self._store.next_expiry
        return first is not None and first <= self._clock()

    async def settle(self) -> None:
        """Return once what is due has been taken away, or after PATIENCE_S."""
        if monotonic() < self._rest_until_s:
            return
        if self._sweep is None or self._sweep.done():
            self._sweep = asyncio.create_task(self._take_away(), name="takes away what is over")
        await asyncio.wait({self._sweep}, timeout=PATIENCE_S)

    def stays(self, entity: Entity) -> Entity | None:
        return entity if entity.due is None else what_stays(entity, self._clock())

    def page_of(self, page: EntityPage) -> EntityPage:
        """Without what is over."""
        for one in page.entities:
            if one.due is not None:
                left = tuple(kept for entity in page.entities if (kept := self.stays(entity)) is not None)
                return replace(page, entities=left)
        return page

    async def run(self) -> None:
        """Take away what is over when its time comes, until cancelled."""
        looked_at_s = monotonic()
        try:
            while True:
                if self.is_due:
                    await self.settle()
                elif monotonic() - looked_at_s > LOOK_AT_OTHERS_EVERY_S:
                    looked_at_s = monotonic()
                    await self._look()
                await asyncio.sleep(self._until_next_s())
        finally:
            if self._sweep is not None:
                await asyncio.wait({self._sweep}, timeout=PATIENCE_S)

    def _until_next_s(self) -> float:
        first = self._store.next_expiry
        return LOOK_EVERY_S if first is None else min(max((first - self._clock()) / SECOND, SHORTEST_S), LOOK_EVERY_S)

    async def _look(self) -> None:
        try:
            await self._store.list_expiring(self._clock(), 1)
        except Overloaded as refusal:
            _log.debug("what is over could not be looked up", extra={"reason": refusal.detail})

    async def _take_away(self) -> None:
        try:
            while found := await self._store.list_expiring(self._clock(), AT_ONCE):
                if not await self._take_away_of(found):
                    break
        except Exception as fault:
            self._rest_until_s = monotonic() + REST_S
            _log.warning("what is over could not be taken away", extra={"reason": str(fault)})

    async def _take_away_of(self, found: list[Expiring]) -> bool:
        """Whether anything of it was over, or known wrongly to be."""
        by_tenant: dict[str, list[Change]] = {}
        for tenant, entity_id, whole in found:
            if not whole:
                await self._forget(tenant, entity_id)
            by_tenant.setdefault(tenant, []).append(Change(entity_id, Mode.EXPIRE))
        outcomes: list[Outcome] = []
        for tenant, changes in by_tenant.items():
            outcomes += await self._store.write(tenant, changes)
        return any(one.status in (Status.UPDATED, Status.DELETED) for one in outcomes)

    async def _forget(self, tenant: str, entity_id: str) -> None:
        """The past of attributes that are over goes with them; an entity's own stays, as where it is deleted."""
        now = self._clock()
        entity = await self._store.find(tenant, entity_id)
        if entity is None or (entity.expires_at is not None and entity.expires_at <= now):
            return
        for one in entity.instances:
            if is_over(one, now):
                await self._forget_attribute(tenant, entity_id, one.key)

    async def _forget_attribute(self, tenant: str, entity_id: str, key: AttributeKey) -> None:
        """From where on it was to end: what was told before without an end stays."""
        name, dataset = key
        since = await self._find_end_of_lasting(tenant, entity_id, key)
        try:
            await self._store.erase(tenant, Erasure(entity_id, name, dataset, since=since))
        except ResourceNotFound:
            return

    async def _find_end_of_lasting(self, tenant: str, entity_id: str, key: AttributeKey) -> Instant | None:
        """None: everything that is known of the attribute was to end."""
        query = TemporalQuery(attrs=(key[0],), last_n=_PAST_AT_ONCE)
        while True:
            history = await self._store.history(tenant, entity_id, query)
            past = [] if history is None else history.instances.get(key, [])
            lasting = next(_lasting(past, self._clock()), None)
            if lasting is not None:
                return lasting.seen_at + 1
            if len(past) < _PAST_AT_ONCE:
                return None
            query = replace(query, relation=TimeRelation.BEFORE, at=past[0].seen_at)


def _lasting(past: list[Instance], now: Instant) -> Iterator[Instance]:
    return (one for one in reversed(past) if not is_over(one, now))
