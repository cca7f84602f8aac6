"""Late, shuffled, doubled and wrongly dated frames: each measurement once, at its own time, the newest as the state."""

import random
from typing import Any

import msgspec
import pytest

from parvis.broker.model.entity import Instance
from parvis.broker.query.tree import TemporalQuery
from parvis.fleet.devices.registry import DeviceRecord
from parvis.fleet.fleet import Fleet, open_fleet
from parvis.fleet.model.refusal import RefusalReason
from parvis.fleet.model.uplink import NO_COUNTER, Uplink
from parvis.kernel.time import DAY, HOUR, MINUTE, SECOND, Instant, format_instant
from tests.fleet.conftest import BIN, CALLER, EUI, NOON, RECORD, Village, uplink, write_profile

LOGGER = """
[profile]
id = "logger"
name = "A logger of levels"
entity_type = "WasteContainer"
codec = "codec.js"
[clock]
field = "sent"
[records]
path = "log.history"
time = "timestamp"
[[attribute]]
field = "fill"
name = "fillingLevel"
"""
NO_CODEC = "function decodeUplink() { return {data: {}}; }"


async def levels(village: Village) -> list[Instance]:
    name = village.broker.contexts.parvis.expand("fillingLevel")
    history = await village.broker.history(CALLER, BIN, TemporalQuery(attrs=(name,), limit=100_000))
    return history.instances.get((name, ""), [])


async def times(village: Village) -> list[tuple[Instant | None, float]]:
    return [(one.observed_at, one.value) for one in await levels(village)]


def reading(fill: float, measured_at: Instant | None, received_at: Instant, **more: Any) -> Uplink:
    return Uplink(EUI, b"", 0, NO_COUNTER, received_at, fields={"fill": fill, **more}, measured_at=measured_at)


@pytest.mark.parametrize("is_numbered", [True, False])
async def test_what_a_gateway_buffered_for_two_days_is_all_there_once_and_the_state_is_the_newest(
    village: Village, is_numbered: bool
) -> None:
    await village.fleet.register(CALLER, [RECORD])
    source, frames = random.Random(7), 2880
    every = 2 * DAY // frames

    def frame(number: int) -> Uplink:
        at, fill = NOON + number * every, number % 100
        if is_numbered:
            return uplink(number, fill, at=at)
        return reading(fill, at, NOON + 2 * DAY + HOUR)

    live = [frame(number) for number in range(frames, frames + 5)]
    buffered = [frame(number) for number in range(frames)]
    buffered += source.sample(buffered, frames // 3)
    source.shuffle(buffered)
    assert await village.fleet.take(CALLER, [frame(0), *live[:2]]) == [None] * 3
    newest = await village.value(BIN, "fillingLevel")
    refused = []
    for start in range(0, len(buffered), 300):
        refused += await village.fleet.take(CALLER, buffered[start : start + 300])
        assert await village.value(BIN, "fillingLevel") == newest
    assert await village.fleet.take(CALLER, live[2:]) == [None] * 3
    stored = await levels(village)
    assert [one.observed_at for one in stored] == [NOON + number * every for number in range(frames + 5)]
    assert {one.reason for one in refused if one is not None} == {RefusalReason.DUPLICATE}
    assert sum(one is None for one in refused) == frames - 1
    assert await village.value(BIN, "fillingLevel") == stored[-1].value


async def test_buffered_frames_that_come_again_over_a_restart_are_stored_once(village: Village) -> None:
    await village.fleet.register(CALLER, [RECORD])
    frames = [uplink(n, n % 90, at=NOON + n * MINUTE) for n in range(400)]
    random.Random(2).shuffle(frames)
    await village.fleet.take(CALLER, frames[:300])
    results = await village.reopened().take(CALLER, frames[100:])
    assert [one is None for one in results] == [False] * 200 + [True] * 100
    assert len(await levels(village)) == 400


async def test_a_frame_of_a_device_ahead_of_time_stands_at_its_reception_and_tells_what_the_device_said(
    village: Village,
) -> None:
    await village.fleet.register(CALLER, [RECORD])
    await village.fleet.take(CALLER, [reading(20, NOON + 2 * HOUR, NOON)])
    (one,) = await levels(village)
    expand = village.broker.contexts.parvis.expand
    assert one.observed_at == NOON
    assert one.extra is not None
    assert one.extra[expand("measuredAt")]["value"]["@value"] == format_instant(NOON + 2 * HOUR)
    assert one.extra[expand("clockOffset")]["value"] == -7200
    assert await village.fleet.take(CALLER, [reading(30, None, NOON + MINUTE)]) == [None]
    assert await village.value(BIN, "fillingLevel") == 0.3


async def test_a_corrected_frame_that_comes_again_over_a_restart_is_stored_once(village: Village) -> None:
    await village.fleet.register(CALLER, [RECORD])
    frame = reading(20, NOON + 2 * HOUR, NOON)
    assert await village.fleet.take(CALLER, [frame]) == [None]
    later = msgspec.structs.replace(frame, received_at=NOON + 20 * SECOND)
    (again,) = await village.reopened().take(CALLER, [later])
    assert again is not None
    assert again.reason is RefusalReason.DUPLICATE


async def test_a_clock_that_was_never_set_takes_the_time_of_reception(village: Village) -> None:
    await village.fleet.register(CALLER, [RECORD])
    await village.fleet.take(CALLER, [reading(20, 3 * DAY, NOON)])
    assert await times(village) == [(NOON, 0.2)]


async def test_a_satellite_frame_stands_where_it_was_measured_not_where_it_was_sent(village: Village) -> None:
    await village.fleet.register(CALLER, [RECORD])
    frames = [reading(n, NOON + n * HOUR, NOON + 9 * HOUR) for n in (3, 1, 2)]
    assert await village.fleet.take(CALLER, frames) == [None] * 3
    assert await times(village) == [(NOON + n * HOUR, n / 100) for n in (1, 2, 3)]
    assert await village.value(BIN, "fillingLevel") == 0.03


async def logging_fleet(village: Village, profile: str = LOGGER) -> Fleet:
    write_profile(village.data_dir, "logger", profile, NO_CODEC)
    fleet = open_fleet(village.broker, village.store.frames, village.data_dir)
    await fleet.register(CALLER, [DeviceRecord(hardware_id=EUI, profile="logger", entity_id=BIN)])
    return fleet


def log(received_at: Instant, minutes: list[int], shift: Instant = 0, **more: Any) -> Uplink:
    history = [{"timestamp": (NOON + n * MINUTE + shift) // SECOND, "fill": n / 100} for n in minutes]
    fields = {"log": {"history": history}, **more}
    return Uplink(EUI, b"", 0, NO_COUNTER, received_at, fields=fields)


async def test_each_record_of_a_logger_stands_at_its_own_time_once(village: Village) -> None:
    fleet = await logging_fleet(village)
    frames = [log(NOON + 5 * MINUTE, [3, 1, 2]), log(NOON + 7 * MINUTE, [2, 3, 4]), log(NOON + 9 * MINUTE, [5, 4])]
    assert await fleet.take(CALLER, frames[:2]) == [None, None]
    assert await fleet.take(CALLER, frames[2:]) == [None]
    (again,) = await village.reopened().take(CALLER, [log(NOON + 10 * MINUTE, [4, 3])])
    assert again is not None
    assert again.reason is RefusalReason.DUPLICATE
    assert await times(village) == [(NOON + n * MINUTE, n / 100) for n in (1, 2, 3, 4, 5)]
    assert await village.value(BIN, "fillingLevel") == 0.05


async def test_records_are_wrong_by_as_much_as_the_clock_that_dated_them(village: Village) -> None:
    fleet = await logging_fleet(village)
    ahead = log(NOON + 5 * MINUTE, [1, 2], shift=HOUR, sent=(NOON + 5 * MINUTE + HOUR) // SECOND)
    await fleet.take(CALLER, [ahead])
    assert await times(village) == [(NOON + MINUTE, 0.01), (NOON + 2 * MINUTE, 0.02)]


async def test_records_of_a_clock_that_was_never_set_keep_their_distances(village: Village) -> None:
    fleet = await logging_fleet(village)
    await fleet.take(CALLER, [log(NOON + 5 * MINUTE, [1, 3], shift=-NOON)])
    assert await times(village) == [(NOON + 3 * MINUTE, 0.01), (NOON + 5 * MINUTE, 0.03)]


async def test_records_may_tell_their_age(village: Village) -> None:
    fleet = await logging_fleet(village, LOGGER.replace('time = "timestamp"', 'time = "age"\ntime_format = "age_s"'))
    fields = {"fill": 0.9, "log": {"history": [{"age": 120, "fill": 0.7}, {"age": 60.0, "fill": 0.8}]}}
    await fleet.take(CALLER, [Uplink(EUI, b"", 0, NO_COUNTER, NOON, fields=fields)])
    assert await times(village) == [(NOON - 2 * MINUTE, 0.7), (NOON - MINUTE, 0.8), (NOON, 0.9)]
    assert await village.value(BIN, "fillingLevel") == 0.9


@pytest.mark.parametrize(
    ("history", "detail"),
    [
        ("none", "no list of records"),
        ([1], "record 1 of log.history is no object"),
        ([{"fill": 1}], "timestamp of record 1: 'None' is no time"),
        ([{"timestamp": 2e15, "fill": 1}], "timestamp of record 1"),
        ([{}] * 2001, "2001 records: at most 2000 are taken"),
    ],
)
async def test_a_frame_whose_records_cannot_be_read_is_refused_whole(
    village: Village, history: object, detail: str
) -> None:
    fleet = await logging_fleet(village)
    fields = {"fill": 0.5, "log": {"history": history}}
    (refused,) = await fleet.take(CALLER, [Uplink(EUI, b"", 0, NO_COUNTER, NOON, fields=fields)])
    assert refused is not None
    assert refused.reason is RefusalReason.MAPPING_FAILED
    assert detail in refused.detail
    assert await times(village) == []
