"""A bad device or a bad codec among good ones: what it does, it does to itself."""

import asyncio
from statistics import median
from time import perf_counter

import pytest
from prometheus_client import REGISTRY

from parvis.fleet.devices.registry import DeviceRecord
from parvis.fleet.fleet import Fleet, open_fleet
from parvis.fleet.frames.uplinks import NO_LIMITS, Limits
from parvis.fleet.model.budgets import TokenBucket
from parvis.fleet.model.refusal import RefusalReason, Refused
from parvis.fleet.model.uplink import Uplink
from parvis.kernel.identity import OPERATOR, Caller
from parvis.kernel.time import SECOND
from tests.fleet.conftest import CALLER, NOON, Village, write_profile

GOOD, BAD = "70b3d5499e00000a", "70b3d5499e00000b"
PROFILE = """
[profile]
id = "fragile"
name = "A codec that one frame can stop"
entity_type = "WasteContainer"
[[attribute]]
field = "fill"
name = "fillingLevel"
scale = 0.01
[[attribute]]
field = "note"
name = "storedWasteKind"
"""
CODEC = """
function decodeUplink(input) {
  if (input.bytes[1] === 1) while (true) {}
  if (input.bytes[1] === 2) { const a = []; while (true) a.push(new Array(1e4)); }
  if (input.bytes[1] === 3) throw new Error("no");
  return {data: {fill: input.bytes[0]}};
}
"""
ENDLESS, GREEDY, THROWS = 1, 2, 3


async def fragile_fleet(village: Village, limits: Limits = NO_LIMITS) -> Fleet:
    write_profile(village.data_dir, "fragile", PROFILE, CODEC)
    fleet = open_fleet(village.broker, village.store.frames, village.data_dir, limits=limits)
    await fleet.register(
        CALLER, [DeviceRecord(one, "fragile", f"urn:ngsi-ld:WasteContainer:{one}") for one in (GOOD, BAD)]
    )
    return fleet


def frame(device: str, f_cnt: int, poison: int = 0) -> Uplink:
    return Uplink(device, bytes([40, poison]), 1, f_cnt, NOON + f_cnt * 60 * SECOND)


@pytest.mark.parametrize("poison", [ENDLESS, GREEDY, THROWS])
@pytest.mark.parametrize("is_mixed", [True, False])
async def test_every_frame_of_a_good_device_is_stored_beside_a_poisonous_one(
    village: Village, poison: int, is_mixed: bool
) -> None:
    fleet = await fragile_fleet(village)
    slowest_s = 0.0
    for n in range(20):
        bad, good = [frame(BAD, n, poison)], [frame(GOOD, n)]
        if not is_mixed:
            await fleet.take(CALLER, bad)
        began_s = perf_counter()
        results = await fleet.take(CALLER, [*bad, *good] if is_mixed else good)
        if n > 10:
            slowest_s = max(slowest_s, perf_counter() - began_s)
        assert results[-1] is None
    assert slowest_s < 0.25


async def test_a_burst_of_poison_leaves_the_codec_awake_for_the_others(village: Village) -> None:
    fleet = await fragile_fleet(village)
    burst = [frame(BAD, n, ENDLESS) for n in range(30)]
    results = await fleet.take(CALLER, [*burst, *(frame(GOOD, n) for n in range(5))])
    assert results[30:] == [None] * 5
    assert {one.reason for one in results[:30] if one} <= {RefusalReason.CODEC_TIMED_OUT, RefusalReason.CODEC_RESTING}
    began_s = perf_counter()
    for n in range(30, 130):
        assert (await fleet.take(CALLER, [frame(BAD, n, ENDLESS)]))[0] is not None
    assert perf_counter() - began_s < 2.0


async def test_a_tenant_that_wears_out_a_codec_does_so_to_itself(village: Village) -> None:
    fleet = await fragile_fleet(village)
    await village.store.add_tenant("other")
    other = Caller("other", "key:gateway", OPERATOR)
    many = [f"70b3d5499e0001{n:02x}" for n in range(20)]
    await fleet.register(other, [DeviceRecord(one, "fragile", f"urn:ngsi-ld:WasteContainer:{one}") for one in many])
    for one in many[:-1]:
        await fleet.take(other, [frame(one, 1, ENDLESS)])
    (own,) = await fleet.take(other, [frame(many[-1], 10)])
    assert own is not None
    assert own.reason is RefusalReason.CODEC_RESTING
    assert await fleet.take(CALLER, [frame(GOOD, 1)]) == [None]


async def test_a_device_that_floods_is_refused_and_counted_and_the_others_are_not(village: Village) -> None:
    def count() -> float:
        return REGISTRY.get_sample_value("parvis_uplinks_refused_total", {"reason": "RATE_LIMITED"}) or 0

    fleet = await fragile_fleet(village, Limits(frames_per_s=1, frames_burst=50))
    before = count()
    flood = [frame(BAD, n) for n in range(200)]
    results = await fleet.take(CALLER, [*flood, *(frame(GOOD, n) for n in range(10))])
    assert results[:50] == [None] * 50
    assert results[200:] == [None] * 10
    refused = [one for one in results[50:200] if one is not None]
    assert {one.reason for one in refused} == {RefusalReason.RATE_LIMITED}
    assert count() - before == len(refused) >= 140
    assert await fleet.list_refusals(CALLER) == []


def test_a_bucket_fills_with_time_and_never_beyond_its_size() -> None:
    bucket = TokenBucket(rate=2.0, size=10.0)
    assert all(bucket.take(1.0, 0.0) for _ in range(10))
    assert not bucket.take(1.0, 0.4)
    assert bucket.take(1.0, 0.5)
    assert bucket.left(1000.0) == 10.0
    bucket.charge(15.0, 1000.0)
    assert not bucket.take(0.1, 1002.0)
    assert bucket.take(0.1, 1003.0)


async def test_while_one_device_floods_the_frames_of_another_are_stored_in_time(village: Village) -> None:
    fleet = await fragile_fleet(village)
    flooding = asyncio.create_task(fleet.take(CALLER, [frame(BAD, n) for n in range(8000)]))
    latencies_s: list[float] = []
    while not flooding.done():
        began_s = perf_counter()
        assert await fleet.take(CALLER, [frame(GOOD, len(latencies_s))]) == [None]
        latencies_s.append(perf_counter() - began_s)
    assert await flooding == [None] * 8000
    assert len(latencies_s) >= 5
    assert median(latencies_s) < 0.2


@pytest.mark.parametrize("value", [10**400, float("nan"), float("inf"), "\ud800", ["\ud800"]])
async def test_a_value_that_no_store_can_hold_refuses_its_own_frame_only(village: Village, value: object) -> None:
    fleet = await fragile_fleet(village)
    plain = [Uplink(GOOD, b"", 1, n, NOON + n * SECOND, fields={"fill": 10 + n}) for n in range(3)]
    bad = Uplink(BAD, b"", 1, 1, NOON, fields={"fill": 1, "note": value})
    beside, results = await asyncio.gather(fleet.take(CALLER, plain[:1]), fleet.take(CALLER, [plain[1], bad, plain[2]]))
    assert (beside, results[0], results[2]) == ([None], None, None)
    assert results[1] is not None
    assert await fleet.take(CALLER, plain) == [Refused(RefusalReason.DUPLICATE, f"frame counter {n}") for n in range(3)]
    (kept,) = await fleet.list_refusals(CALLER)
    assert kept.device == BAD
