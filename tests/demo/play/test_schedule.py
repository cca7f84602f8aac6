"""Who speaks when."""

from collections import Counter, defaultdict
from itertools import pairwise

import pytest

from parvis.demo.devices.device import Device
from parvis.demo.devices.kinds import Kind
from parvis.demo.play.schedule import MOST_PER_S, Schedule, Turn
from tests.demo.conftest import BEGUN_S

HOUR = 3600.0


def by_device(turns: list[Turn]) -> dict[int, list[Turn]]:
    found: defaultdict[int, list[Turn]] = defaultdict(list)
    for turn in turns:
        found[turn.who].append(turn)
    return found


def test_turns_come_in_order_within_the_window_which_may_be_cut(devices: tuple[Device, ...]) -> None:
    schedule = Schedule(devices, 1)
    whole = list(schedule.turns(BEGUN_S, BEGUN_S + HOUR))
    assert whole == sorted(whole)
    assert all(BEGUN_S <= turn.time_s < BEGUN_S + HOUR for turn in whole)
    cut = BEGUN_S + 1234.5
    assert whole == [*schedule.turns(BEGUN_S, cut), *schedule.turns(cut, BEGUN_S + HOUR)]


def test_each_device_keeps_its_period_and_counts_without_a_gap(devices: tuple[Device, ...]) -> None:
    turns = by_device(list(Schedule(devices, 1).turns(BEGUN_S, BEGUN_S + 4 * HOUR)))
    assert len(turns) == len(devices)
    for who, own in turns.items():
        period_s = devices[who].period_s
        for before, after in pairwise(own):
            assert 0.7 * period_s <= after.time_s - before.time_s <= 1.3 * period_s
            assert after.counted == before.counted + 1


@pytest.mark.parametrize("speed", [1, 10, 600])
def test_nobody_is_flooded_however_fast_they_live(speed: float, devices: tuple[Device, ...]) -> None:
    schedule = Schedule(devices, 1, speed)
    turns = list(schedule.turns(BEGUN_S, BEGUN_S + 20 * speed))
    assert len(turns) / 20 <= 1.1 * MOST_PER_S
    assert schedule.stretch == 1 or len(turns) / 20 >= 0.9 * MOST_PER_S


def test_a_sparse_past_counts_on_into_the_full_one(devices: tuple[Device, ...]) -> None:
    schedule = Schedule(devices, 1)
    begin, middle, end = BEGUN_S - 9 * HOUR, BEGUN_S - HOUR, BEGUN_S
    turns = by_device([*schedule.sparse_turns(begin, middle), *schedule.turns(middle, end)])
    hourly = Counter(len(own) for who, own in turns.items() if devices[who].kind is Kind.METER)
    assert set(hourly) <= {8, 9, 10}
    for own in turns.values():
        assert all(after.counted == before.counted + 1 for before, after in pairwise(own))


def test_the_last_turns_are_the_newest_of_those_before_now(devices: tuple[Device, ...]) -> None:
    schedule = Schedule(devices, 1)
    newest = {turn.who: turn for turn in schedule.turns(BEGUN_S - 26 * HOUR, BEGUN_S)}
    assert schedule.last_turns(BEGUN_S) == [newest[who] for who in range(len(devices))]
