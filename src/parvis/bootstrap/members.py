"""The tenants of a pool's members: made where a member has been, also by a command beside the platform."""

import asyncio
from contextlib import suppress

from parvis.access.access import FOLLOW_EVERY_S, Access
from parvis.access.members.usage import UsageBook
from parvis.access.ports import AccessStore
from parvis.broker.broker import Broker
from parvis.broker.ports.store import Store
from parvis.kernel.errors import ParvisError
from parvis.kernel.jobs import JobContext, LoopWork


def usage_work(access: AccessStore, store: Store) -> LoopWork:
    """The figures of the month so far, by night."""
    book = UsageBook(access)

    async def measure(_context: JobContext) -> dict[str, int]:
        return {"tenants": await book.measure(store.metering, await store.count_bytes())}

    return measure


async def make_tenants(access: Access, broker: Broker) -> None:
    """Whoever has just been made a member has a tenant."""
    for member in access.gate.pool.list_in_pool():
        if not await broker.is_tenant(member.tenant):
            await broker.add_tenant(member.tenant)


async def keep_tenants(access: Access, broker: Broker) -> None:
    """Until cancelled. Whatever changes members is in the audit trail: its newest number tells of all of it."""
    known = -1
    while True:
        with suppress(ParvisError):
            newest = access.store.newest_audit()
            if newest != known:
                access.gate.pool.forget()
                await make_tenants(access, broker)
                known = newest
        await asyncio.sleep(FOLLOW_EVERY_S)
