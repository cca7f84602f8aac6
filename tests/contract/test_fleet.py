"""What the fleet stands on is the same on every store: late and doubled frames, records, findings, statistics."""

import asyncio
import random
from pathlib import Path
from typing import Any

import pytest

from parvis.bootstrap.stores import frames_of
from parvis.broker.broker import Broker
from parvis.broker.jsonld.contexts import Contexts
from parvis.broker.ports.store import Store
from parvis.broker.query.tree import TemporalQuery
from parvis.fleet.devices.registry import DeviceRecord
from parvis.fleet.fleet import Fleet, open_fleet
from parvis.fleet.model.refusal import RefusalReason
from parvis.fleet.model.uplink import Uplink
from parvis.kernel.identity import OPERATOR, Caller
from parvis.kernel.time import DAY, HOUR, MINUTE, Instant
from tests.contract.territory import NOON, TENANT

CALLER = Caller(TENANT, "key:gateway", OPERATOR)
EUI = "70b3d5499e000001"
BIN, DEVICE = "urn:ngsi-ld:WasteContainer:1", f"urn:ngsi-ld:Device:{EUI}"
PROFILE = """
[profile]
id = "logger"
name = "A logger"
entity_type = "WasteContainer"
codec = ""
[records]
path = "history"
time = "at"
[[attribute]]
field = "fill"
name = "fillingLevel"
varies_within_h = 6
[[attribute]]
field = "battery"
name = "batteryLevel"
"""


class Yard:
    """One bin with a logger; its clock is `now`."""

    def __init__(self, store: Store, folder: Path) -> None:
        profile = folder / "profiles/logger"
        profile.mkdir(parents=True)
        (profile / "profile.toml").write_text(PROFILE)
        self.now: Instant = NOON
        self.broker = Broker(store, Contexts())
        self._store, self._folder = store, folder
        self.fleet = self.opened()

    def opened(self) -> Fleet:
        """As after a restart."""
        frames = frames_of(self._store)
        return open_fleet(self.broker, frames, self._folder, clock=lambda: self.now, is_shared=True)

    async def take(self, *frames: Uplink) -> list[RefusalReason | None]:
        self.now = max(self.now, *(frame.received_at for frame in frames))
        return [None if one is None else one.reason for one in await self.fleet.take(CALLER, frames)]

    async def told(self) -> list[tuple[Instant | None, Any]]:
        name = self.broker.contexts.parvis.expand("fillingLevel")
        history = await self.broker.history(CALLER, BIN, TemporalQuery(attrs=(name,), limit=10_000))
        return [(one.observed_at, one.value) for one in history.instances[name, ""]]

    async def value(self, entity_id: str, term: str) -> Any:
        found = (await self.broker.get(CALLER, entity_id)).find(self.broker.contexts.parvis.expand(term))
        return None if found is None else found.value


def frame(number: int, f_cnt: int | None = None, **more: Any) -> Uplink:
    fields = {"fill": number / 1000, **more}
    return Uplink(EUI, b"", 1, number if f_cnt is None else f_cnt, NOON + number * 10 * MINUTE, "one", fields=fields)


@pytest.fixture
async def yard(store: Store, tmp_path: Path) -> Yard:
    yard = Yard(store, tmp_path)
    await yard.fleet.register(CALLER, [DeviceRecord(EUI, "logger", BIN)])
    return yard


async def test_two_days_from_a_buffer_are_all_there_once_over_a_restart(yard: Yard) -> None:
    frames = [frame(number) for number in range(288)]
    assert await yard.take(frames[0], frames[-1]) == [None, None]
    buffered = frames[1:-1] + frames[50:100]
    random.Random(5).shuffle(buffered)
    results = await yard.take(*buffered[:200])
    yard.fleet = yard.opened()
    results += await yard.take(*buffered[100:])
    assert results.count(RefusalReason.DUPLICATE) == 50 + 100
    assert await yard.told() == [(one.received_at, number / 1000) for number, one in enumerate(frames)]
    assert await yard.value(BIN, "fillingLevel") == 0.287


async def test_records_that_are_told_again_are_stored_once(yard: Yard) -> None:
    def logged(number: int, *minutes: int) -> Uplink:
        history = [{"at": (NOON + minute * MINUTE) // 1_000_000, "fill": minute} for minute in minutes]
        return Uplink(EUI, b"", 1, number, NOON + HOUR + number * MINUTE, "one", fields={"history": history})

    assert await yard.take(logged(1, 10, 20)) == [None]
    yard.fleet = yard.opened()
    assert await yard.take(logged(2, 10, 20, 30), logged(3, 20, 30)) == [None, RefusalReason.DUPLICATE]
    assert await yard.told() == [(NOON + minute * MINUTE, minute) for minute in (10, 20, 30)]


async def test_findings_statistics_and_the_last_day_outlive_a_restart(yard: Yard) -> None:
    for day in range(12):
        await yard.take(*(frame(day * 144 + n, fill=1, battery=0.6 - day * 0.02) for n in range(0, 144, 24)))
    await yard.fleet.health.save()
    yard.fleet = yard.opened()
    await yard.fleet.health.look()
    found = {one["finding"] for one in await yard.value(DEVICE, "deviceFindings")}
    assert found == {"stuckValue", "badRadio"}
    assert await yard.value(DEVICE, "deviceState") == "warning"
    device = yard.fleet.registry.get(TENANT, EUI)
    ends_at = await yard.fleet.health.forecast(CALLER, device)
    assert ends_at is not None
    assert abs(ends_at - (NOON + 27.5 * DAY)) < 2 * DAY


async def test_frames_that_came_to_the_other_process_are_not_lost(yard: Yard) -> None:
    """Behind a balancer each process hears every other frame."""
    fleets = [yard.fleet, yard.opened()]
    for fleet in fleets:
        await fleet.registry.load(TENANT)
    following = [asyncio.create_task(fleet.follow()) for fleet in fleets]
    await asyncio.sleep(0)
    for number in range(30):
        yard.fleet = fleets[number % 2]
        assert await yard.take(frame(number)) == [None]
        other = fleets[1 - number % 2].registry.get(TENANT, EUI)
        async with asyncio.timeout(5):
            while other.seen.stored_until < frame(number).at:  # noqa: ASYNC110 (what it follows has no event)
                await asyncio.sleep(0.005)
    for one in following:
        one.cancel()
    statistics = await fleets[0].health.get_statistics(fleets[0].registry.get(TENANT, EUI))
    assert statistics.loss == 0.0
    await fleets[0].health.look()
    assert await yard.value(DEVICE, "deviceFindings") == []
