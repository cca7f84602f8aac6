"""From a frame to an entity with a history, in a real store."""

import asyncio
from collections.abc import Sequence

import pytest
from msgspec import structs
from prometheus_client import REGISTRY

from parvis.broker.model.change import Change, Mode, Outcome
from parvis.fleet.fleet import open_fleet
from parvis.fleet.frames.uplinks import Limits
from parvis.fleet.model.refusal import RefusalReason, Refused
from parvis.fleet.model.uplink import Uplink
from parvis.kernel.errors import Forbidden, Overloaded
from parvis.kernel.identity import Caller, Right
from parvis.kernel.reach import Area
from parvis.kernel.time import HOUR, SECOND, format_instant
from tests.fleet.conftest import BIN, CALLER, DEVICE, EUI, NOON, RECORD, Village, eventually, uplink


def reasons(results: Sequence[Refused | None]) -> list[RefusalReason | None]:
    return [None if one is None else one.reason for one in results]


async def test_a_frame_becomes_state_history_and_health_of_the_device(village: Village) -> None:
    await village.fleet.register(CALLER, [RECORD])
    results = await village.fleet.take(CALLER, [uplink(1, 40, rssi_dbm=-97.0, snr_db=4.5), uplink(2, 55)])
    assert results == [None, None]
    assert await village.value(BIN, "fillingLevel") == 0.55
    assert await village.values(BIN, "fillingLevel") == [0.4, 0.55]
    assert await village.value(BIN, "storedWasteKind") == ["glass"]
    assert await village.value(DEVICE, "batteryLevel") == 0.8
    assert await village.value(DEVICE, "rssi") == -97.0
    assert await village.value(DEVICE, "snr") == 4.5
    reported = {"@type": "DateTime", "@value": format_instant(NOON + 1200 * SECOND)}
    assert await village.value(DEVICE, "dateLastValueReported") == reported


async def test_a_late_frame_is_history_and_leaves_the_state_alone(village: Village) -> None:
    await village.fleet.register(CALLER, [RECORD])
    for frame in (uplink(1, 10), uplink(3, 30), uplink(2, 20)):
        assert await village.fleet.take(CALLER, [frame]) == [None]
    assert await village.value(BIN, "fillingLevel") == 0.3
    assert await village.values(BIN, "fillingLevel") == [0.1, 0.2, 0.3]


async def test_health_is_written_once_a_minute_at_most(village: Village) -> None:
    await village.fleet.register(CALLER, [RECORD])
    await village.fleet.take(CALLER, [uplink(n, n, at=NOON + n * SECOND) for n in range(1, 100)])
    assert len(await village.values(BIN, "fillingLevel")) == 99
    assert len(await village.values(DEVICE, "batteryLevel")) == 2


async def test_the_same_frame_counts_once(village: Village) -> None:
    await village.fleet.register(CALLER, [RECORD])
    over_another_gateway = uplink(1, 40, at=NOON + 600 * SECOND + 3000)
    results = await village.fleet.take(CALLER, [uplink(1, 40), uplink(1, 40)])
    results += await village.fleet.take(CALLER, [uplink(1, 40), over_another_gateway])
    duplicate = RefusalReason.DUPLICATE
    assert reasons(results) == [None, duplicate, duplicate, duplicate]
    assert await village.values(BIN, "fillingLevel") == [0.4]
    assert await village.fleet.list_refusals(CALLER) == []


async def test_two_frames_of_one_instant_are_two_frames(village: Village) -> None:
    await village.fleet.register(CALLER, [RECORD])
    results = await village.fleet.take(CALLER, [uplink(1, 40, at=NOON)])
    results += await village.fleet.take(CALLER, [uplink(2, 45, at=NOON)])
    assert results == [None, None]


@pytest.mark.parametrize("again", [uplink(1, 50, at=NOON + 2 * HOUR), uplink(1, 50, session="00189441")])
async def test_a_device_that_starts_to_count_again_is_heard(village: Village, again: Uplink) -> None:
    await village.fleet.register(CALLER, [RECORD])
    await village.fleet.take(CALLER, [uplink(1, 40, at=NOON), uplink(2, 45, at=NOON + SECOND)])
    assert await village.fleet.take(CALLER, [again]) == [None]


async def test_a_frame_sent_again_over_a_restart_counts_once(village: Village) -> None:
    await village.fleet.register(CALLER, [RECORD])
    await village.fleet.take(CALLER, [uplink(1, 40)])
    assert reasons(await village.reopened().take(CALLER, [uplink(1, 40)])) == [RefusalReason.DUPLICATE]


async def test_a_frame_sent_again_to_another_process_counts_once(village: Village) -> None:
    await village.fleet.register(CALLER, [RECORD])
    other = open_fleet(village.broker, village.store.frames, village.data_dir, is_shared=True)
    await other.registry.load(CALLER.tenant)
    following = asyncio.create_task(other.follow())
    await asyncio.sleep(0)
    await village.fleet.take(CALLER, [uplink(1, 40), uplink(2, 41, at=NOON + SECOND)])
    device = other.registry.find("default", EUI)
    assert device is not None
    await eventually(lambda: device.seen.stored_until > NOON)
    again = [uplink(1, 40), uplink(2, 41, at=NOON + SECOND), uplink(3, 42, at=NOON + 2 * SECOND)]
    assert reasons(await other.take(CALLER, again)) == [RefusalReason.DUPLICATE, RefusalReason.DUPLICATE, None]
    following.cancel()


async def test_all_frames_sent_again_over_a_restart_count_once_and_late_ones_are_stored(village: Village) -> None:
    await village.fleet.register(CALLER, [RECORD])
    frames = [uplink(n, n, at=NOON + n * SECOND) for n in range(1, 100, 2)]
    await village.fleet.take(CALLER, frames)
    late, again = uplink(50, 50, at=NOON + 50 * SECOND), village.reopened()
    assert reasons(await again.take(CALLER, [*frames, late])) == [RefusalReason.DUPLICATE] * len(frames) + [None]
    assert len(await village.values(BIN, "fillingLevel")) == len(frames) + 1


async def test_a_frame_sent_again_while_it_is_being_stored_counts_once(village: Village) -> None:
    await village.fleet.register(CALLER, [RECORD])
    taking = [village.fleet.take(CALLER, [uplink(1, 40), uplink(n, n)]) for n in (2, 3)]
    first, second = await asyncio.gather(*taking)
    assert (reasons(first), reasons(second)) == ([None, None], [RefusalReason.DUPLICATE, None])
    assert sorted(await village.values(BIN, "fillingLevel")) == [0.02, 0.03, 0.4]


async def test_a_frame_whose_first_sending_failed_is_stored_by_its_second(
    village: Village, monkeypatch: pytest.MonkeyPatch
) -> None:
    await village.fleet.register(CALLER, [RECORD])
    healthy, faults = village.store.write, iter([Overloaded("the queue is full")])

    async def write(tenant: str, changes: Sequence[Change], *_more: object) -> list[Outcome]:
        await asyncio.sleep(0)
        for fault in faults:
            raise fault
        return await healthy(tenant, changes)

    monkeypatch.setattr(village.store, "write", write)
    taking = [village.fleet.take(CALLER, [uplink(1, 40)]) for _ in range(2)]
    first, second = await asyncio.gather(*taking, return_exceptions=True)
    assert isinstance(first, Overloaded)
    assert second == [None]


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        (uplink(1, 40, f_port=2), RefusalReason.CODEC_REPORTED_ERRORS),
        (uplink(1, 255), RefusalReason.MAPPING_FAILED),
        (uplink(1, 254), RefusalReason.NOTHING_MAPPED),
        (uplink(1, 40, hardware_id="70b3d5499e0000ff"), RefusalReason.UNKNOWN_DEVICE),
        (uplink(1, 40, payload=b""), RefusalReason.NO_PAYLOAD),
    ],
)
async def test_a_frame_that_cannot_be_stored_is_counted_by_its_reason(
    village: Village, frame: Uplink, expected: RefusalReason
) -> None:
    def count() -> float:
        return REGISTRY.get_sample_value("parvis_uplinks_refused_total", {"reason": expected.value}) or 0

    await village.fleet.register(CALLER, [RECORD])
    before = count()
    results = await village.fleet.take(CALLER, [uplink(5, 40), frame])
    assert reasons(results) == [None, expected]
    assert count() == before + 1
    kept = [(one.reason, one.uplink) for one in await village.fleet.list_refusals(CALLER)]
    assert kept == ([] if expected is RefusalReason.NO_PAYLOAD else [(expected, frame)])


async def test_what_an_overloaded_store_did_not_take_is_taken_when_it_comes_again(
    village: Village, monkeypatch: pytest.MonkeyPatch
) -> None:
    await village.fleet.register(CALLER, [RECORD])

    async def too_busy(_caller: Caller, _changes: Sequence[Change]) -> list[Outcome]:
        raise Overloaded("the queue is full")

    with monkeypatch.context() as busy:
        busy.setattr(village.broker, "write", too_busy)
        with pytest.raises(Overloaded):
            await village.fleet.take(CALLER, [uplink(1, 40)])
    assert await village.fleet.take(CALLER, [uplink(1, 40)]) == [None]
    assert await village.value(DEVICE, "batteryLevel") == 0.8


async def test_a_reader_stores_nothing(village: Village) -> None:
    await village.fleet.register(CALLER, [RECORD])
    with pytest.raises(Forbidden):
        await village.fleet.take(Caller("default", "key:reader", Right.READ), [uplink(1, 40)])


async def test_who_may_deliver_frames_stores_them_and_writes_nothing_else(village: Village) -> None:
    await village.fleet.register(CALLER, [RECORD])
    gateway = Caller("default", "key:gateway", Right.INGEST)
    assert await village.fleet.take(gateway, [uplink(1, 40)]) == [None]
    assert await village.value(BIN, "fillingLevel") == 0.4
    with pytest.raises(Forbidden):
        await village.fleet.register(gateway, [RECORD])
    with pytest.raises(Forbidden):
        await village.broker.write(gateway, [Change(BIN, Mode.DELETE)])


async def test_a_frame_from_the_future_waits_until_its_time_has_come(village: Village) -> None:
    now = [NOON]
    fleet = open_fleet(
        village.broker, village.store.frames, village.data_dir, clock=lambda: now[0], limits=Limits(HOUR)
    )
    await fleet.register(CALLER, [RECORD])
    frames = [uplink(1, 10, NOON + HOUR), uplink(2, 20, NOON + HOUR + 1)]
    assert reasons(await fleet.take(CALLER, frames)) == [None, RefusalReason.TIME_IN_THE_FUTURE]
    assert await village.value(BIN, "fillingLevel") == 0.1
    (refusal,) = await fleet.list_refusals(CALLER)
    now[0] += 1
    assert await fleet.retry(CALLER, [refusal.id]) == {refusal.id: None}
    assert await village.value(BIN, "fillingLevel") == 0.2


async def test_without_a_limit_frames_of_any_time_are_taken(village: Village) -> None:
    fleet = open_fleet(village.broker, village.store.frames, village.data_dir, clock=lambda: NOON)
    await fleet.register(CALLER, [RECORD])
    assert await fleet.take(CALLER, [uplink(1, 10, NOON + 9000 * HOUR)]) == [None]


async def test_frames_of_a_device_nobody_knows_are_replayed_once_it_is_claimed(village: Village) -> None:
    results = await village.fleet.take(CALLER, [uplink(1, 40), uplink(2, 50)])
    assert reasons(results) == [RefusalReason.UNKNOWN_DEVICE] * 2
    assert len(await village.fleet.list_refusals(CALLER)) == 2
    await village.fleet.register(CALLER, [RECORD])
    assert await village.values(BIN, "fillingLevel") == [0.4, 0.5]
    assert await village.fleet.list_refusals(CALLER) == []


async def test_a_device_written_through_the_broker_is_known_and_its_frames_are_replayed(village: Village) -> None:
    expand = village.broker.contexts.parvis.expand
    await village.fleet.take(CALLER, [uplink(1, 40)])
    following = asyncio.create_task(village.fleet.follow())
    await asyncio.sleep(0)
    other = village.reopened()
    await other.registry.register(CALLER, [RECORD])
    await village.none_is_refused()
    assert await village.values(BIN, "fillingLevel") == [0.4]
    await village.broker.write(CALLER, [Change(DEVICE, Mode.DELETE)])
    await eventually(lambda: village.fleet.registry.find("default", EUI) is None)
    following.cancel()
    assert expand("Device") not in await village.broker.count_types(CALLER)


async def test_retrying_stores_what_can_be_stored_now_and_keeps_the_rest(village: Village) -> None:
    await village.fleet.register(CALLER, [RECORD])
    await village.fleet.take(CALLER, [uplink(1, 40, f_port=2), uplink(2, 255)])
    newest, oldest = await village.fleet.list_refusals(CALLER)
    profile = village.data_dir / "profiles/bin-sensor/codec.js"
    profile.write_text(profile.read_text().replace("input.fPort !== 1", "false"))
    reopened = village.reopened()
    results = await reopened.retry(CALLER, [newest.id, oldest.id, 12345])
    assert reasons(list(results.values())) == [RefusalReason.MAPPING_FAILED, None]
    assert await village.values(BIN, "fillingLevel") == [0.4]
    assert [one.id for one in await reopened.list_refusals(CALLER)] == [newest.id]


@pytest.mark.parametrize("is_shared", [False, True])
@pytest.mark.parametrize("within", ["WasteContainer", "Device"])
async def test_of_a_frame_that_its_bearer_may_not_store_whole_nothing_is_stored(
    village: Village, within: str, *, is_shared: bool
) -> None:
    await village.fleet.register(CALLER, [RECORD])
    await village.fleet.take(CALLER, [uplink(1, 40, at=NOON)])
    fleet = open_fleet(village.broker, village.store.frames, village.data_dir, is_shared=is_shared)
    expand = village.broker.contexts.parvis.expand
    narrow = Caller("default", "key:some", Right.INGEST, writes=(Area(frozenset({expand(within)})),))
    frames = [uplink(2, 50, at=NOON + SECOND), uplink(3, 60, at=NOON + 2 * SECOND)]

    assert reasons(await fleet.take(narrow, frames)) == [RefusalReason.WRITE_FAILED] * 2
    assert await village.values(BIN, "fillingLevel") == [0.4]
    assert len(await village.values(DEVICE, "batteryLevel")) == 1

    both = structs.replace(narrow, writes=(Area(frozenset({expand("WasteContainer"), expand("Device")})),))
    assert await fleet.take(both, frames) == [None, None]
    assert await village.values(BIN, "fillingLevel") == [0.4, 0.5, 0.6]
