"""The tenants of a pool's members: made where a member has been, also by a command beside the platform."""

import asyncio
from contextlib import suppress

from parvis.access.access import FOLLOW_EVERY_S, Access
from parvis.broker.broker import Broker
from parvis.kernel.errors import ParvisError


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
