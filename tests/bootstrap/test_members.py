"""The tenants of members are made where members are; what they used is measured by night."""

import asyncio
from pathlib import Path
from typing import Any

from parvis.access.access import COMMAND_LINE
from parvis.access.members.model import Member
from parvis.access.members.usage import UsageBook
from parvis.bootstrap import open_platform
from parvis.bootstrap.members import usage_work
from parvis.bootstrap.stores import open_access
from parvis.broker.model.change import Change, Mode
from parvis.broker.model.entity import Instance, Kind
from parvis.broker.ports.metering import month_of
from parvis.kernel.settings import MqttSettings, Settings
from parvis.kernel.time import system_clock
from parvis.stores.sqlite.access import SqliteAccessStore
from parvis.stores.sqlite.store import SqliteStore

PLOUHINEC = Member(tenant="plouhinec", title="Plouhinec", since=0)


async def test_a_member_made_beside_the_platform_has_its_tenant_soon(tmp_path: Path) -> None:
    settings = Settings(tmp_path, mqtt=MqttSettings(enabled=False))
    async with open_platform(settings, listen=False) as platform:
        beside = open_access(settings)
        try:
            beside.members.add(COMMAND_LINE, PLOUHINEC)
        finally:
            beside.store.close()

        async with asyncio.timeout(10):
            while not await platform.broker.is_tenant("plouhinec"):  # noqa: ASYNC110
                await asyncio.sleep(0.05)


async def test_the_job_measures_what_was_written(tmp_path: Path) -> None:
    access, store = SqliteAccessStore(tmp_path / "access.db"), await SqliteStore.open(tmp_path / "parvis.db")
    await store.add_tenant("plouhinec")
    told = tuple(Instance(f"urn:name:{one}", Kind.PROPERTY, one) for one in range(3))
    await store.write("plouhinec", [Change("urn:ngsi-ld:Bin:1", Mode.CREATE, told, ("urn:type:Bin",))])
    context: Any = None

    assert await usage_work(access, store)(context) == {"tenants": 2}

    pool, member = UsageBook(access).list_of(month_of(system_clock()))
    assert (member.tenant, member.changes, member.values, member.entities) == ("plouhinec", 1, 3, 1)
    assert (pool.changes, member.store_bytes) == (0, await store.count_bytes())
    await store.close()
    access.close()
