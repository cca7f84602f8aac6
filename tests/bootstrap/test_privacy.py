"""By night each tenant that has switched it on has what is past its time taken away; others are only told of it."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from parvis.access.access import COMMAND_LINE
from parvis.access.privacy.model import Cover, Purpose
from parvis.access.privacy.purposes import Purposes
from parvis.bootstrap import Platform, open_platform
from parvis.bootstrap.privacy import FORESEE, KEEP, NIGHT
from parvis.broker.model.change import Change, Mode
from parvis.broker.model.entity import Instance, Kind
from parvis.kernel.identity import Caller, Right
from parvis.kernel.jobs import Job, JobFilter, JobState
from parvis.kernel.settings import HistorySettings, MqttSettings, Settings
from parvis.kernel.time import DAY, system_clock

LETTERS = Purpose(
    id="letters",
    name={"en": "Letters", "fr": "Courriers"},
    basis="a",
    covers=(Cover(type="Person", attributes=("email",), keep="P30D"),),
)
TENANTS = ("town", "harbour")


@pytest.fixture(params=[31, 0], ids=["archived", "not archived"])
async def platform(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Platform]:
    history = HistorySettings(archive_after_days=request.param)
    settings = Settings(tmp_path, mqtt=MqttSettings(enabled=False), history=history)
    async with open_platform(settings, listen=False) as opened:
        expand = opened.broker.contexts.parvis.expand
        for tenant in TENANTS:
            await opened.broker.add_tenant(tenant)
            email = Instance(expand("email"), Kind.PROPERTY, "a@town.example", observed_at=system_clock() - 31 * DAY)
            person = Change("urn:ngsi-ld:Person:1", Mode.CREATE, (email,), (expand("Person"),))
            await opened.broker.write(in_(tenant), [person])
            Purposes(opened.access.store).put(in_(tenant), LETTERS)
        async with opened.jobs.running():
            yield opened


def in_(tenant: str) -> Caller:
    return Caller(tenant, "user:marie", COMMAND_LINE.rights | Right.STEWARD)


async def ended(platform: Platform, job: Job) -> Job:
    async with asyncio.timeout(20):
        while not job.state.has_ended:
            await asyncio.sleep(0.02)
            job = await platform.jobs.get(in_(job.tenant), job.id)
    return job


async def emails(platform: Platform) -> list[int]:
    found = [await platform.broker.get(in_(tenant), "urn:ngsi-ld:Person:1") for tenant in TENANTS]
    return [len(one.instances) for one in found]


async def test_what_would_go_is_told_and_stays(platform: Platform) -> None:
    job = await ended(platform, await platform.jobs.submit(in_("town"), FORESEE))

    assert job.state is JobState.DONE, job.error
    [told] = job.result
    assert {name: told[name] for name in ("purpose", "type", "attribute", "count", "objects", "action")} == {
        "purpose": "letters", "type": "Person", "attribute": "email", "count": 1, "objects": 1, "action": "erased",
    }  # fmt: skip
    assert await emails(platform) == [1, 1]


async def test_nothing_goes_before_it_is_switched_on(platform: Platform) -> None:
    job = await ended(platform, await platform.jobs.submit(in_("town"), KEEP))

    assert job.state is JobState.FAILED
    assert job.error == "retention-is-off"
    assert await emails(platform) == [1, 1]


async def test_by_night_those_that_have_switched_it_on_have_it_done(platform: Platform) -> None:
    Purposes(platform.access.store).execute(in_("town"), is_on=True)

    night = await ended(platform, await platform.jobs.submit(in_("default"), NIGHT))
    assert night.result == {"tenants": 1}
    [kept] = await platform.jobs.list_jobs(in_("town"), JobFilter(kind=KEEP))
    assert (await ended(platform, kept)).result == {"erased": 1, "aggregated": 0}

    assert await emails(platform) == [0, 1]
    assert await platform.jobs.list_jobs(in_("harbour"), JobFilter(kind=KEEP)) == []
    [entry] = platform.access.store.privacy.list_ledger("town")
    assert (entry.purpose, entry.version, entry.count) == ("letters", 1, 1)
    if not platform.settings.history.archive_after_days:
        assert _count_erasures(platform) == 0, "nobody else would ever take them away"


def _count_erasures(platform: Platform) -> int:
    with closing(sqlite3.connect(platform.settings.data_dir / "parvis.db")) as connection:
        count: int = connection.execute("SELECT count(*) FROM erasure").fetchone()[0]
        return count
