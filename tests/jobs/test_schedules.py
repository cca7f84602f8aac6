"""Again and again: each due time once, in the territory's time, however clocks and processes behave."""

import asyncio
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parvis.jobs.jobs import Jobs
from parvis.jobs.schedules import Schedule
from parvis.kernel.identity import DEFAULT_TENANT
from parvis.kernel.jobs import Job, JobContext, JobFilter
from parvis.kernel.time import DAY, HOUR, MINUTE, Instant, from_datetime
from parvis.stores.sqlite.store import SqliteStore
from tests.jobs.conftest import PARIS, Hands


def at(text: str) -> Instant:
    return from_datetime(datetime.fromisoformat(text))


def due_times(cron: str, after: str, count: int) -> list[Instant]:
    schedule, instant, found = Schedule("s", cron, "k"), at(after), []
    for _ in range(count):
        instant = schedule.next_after(instant, PARIS)
        found.append(instant)
    return found


def test_three_in_the_morning_stays_three_in_the_morning() -> None:
    assert due_times("0 3 * * *", "2026-03-28T00:00+01:00", 2) == [
        at("2026-03-28T03:00+01:00"),
        at("2026-03-29T03:00+02:00"),
    ]


def test_a_time_that_the_change_leaves_out_comes_right_after_it() -> None:
    assert due_times("30 2 * * *", "2026-03-28T12:00+01:00", 2) == [
        at("2026-03-29T03:00+02:00"),
        at("2026-03-30T02:30+02:00"),
    ]


def test_a_time_that_is_repeated_counts_once() -> None:
    assert due_times("30 2 * * *", "2026-10-24T12:00+02:00", 2) == [
        at("2026-10-25T02:30+02:00"),
        at("2026-10-26T02:30+01:00"),
    ]


def test_work_of_every_half_hour_goes_on_through_the_repeated_hour() -> None:
    times = due_times("*/30 * * * *", "2026-10-25T01:45+02:00", 5)
    assert {later - earlier for earlier, later in pairwise(times)} == {30 * MINUTE}


@given(st.integers(0, 365 * DAY), st.integers(0, 23), st.integers(0, 59))
def test_a_daily_time_comes_once_each_local_day(start: int, hour: int, minute: int) -> None:
    first = at("2026-01-01T00:00+01:00") + start
    schedule = Schedule("s", f"{minute} {hour} * * *", "k")
    second = schedule.next_after(schedule.next_after(first, PARIS), PARIS)
    third = schedule.next_after(second, PARIS)
    assert timedelta(hours=22) < timedelta(microseconds=third - second) < timedelta(hours=26)


@given(st.integers(0, 400 * DAY), st.sampled_from(["17 3 * * *", "0 4 * * 0", "5 1 1 * *", "*/10 * * * *"]))
def test_the_newest_of_the_missed_is_found(away: int, cron: str) -> None:
    after = at("2026-01-01T00:00+01:00")
    schedule = Schedule("s", cron, "k")
    newest = schedule.newest_between(after, after + away, PARIS)
    if newest is None:
        assert schedule.next_after(after, PARIS) > after + away
    else:
        assert after < newest <= after + away < schedule.next_after(newest, PARIS)


def a_platform(store: SqliteStore, clock: Hands) -> Jobs:
    """One more process on the same store."""

    async def report(context: JobContext) -> None:
        return

    jobs = Jobs(store.jobs, PARIS, clock=clock)
    jobs.kind("report", report)
    jobs.every("nightly report", "30 4 * * *", "report", {"of": "yesterday"})
    return jobs


async def reports(store: SqliteStore) -> list[Job]:
    return await store.jobs.list_jobs(DEFAULT_TENANT, JobFilter(kind="report"))


async def test_a_new_schedule_waits_for_its_first_time(store: SqliteStore) -> None:
    clock = Hands(at("2026-11-22T12:00+01:00"))
    jobs = a_platform(store, clock)
    await jobs.add_what_is_due()
    assert await reports(store) == []

    clock.now = at("2026-11-23T04:30+01:00")
    await jobs.add_what_is_due()
    await jobs.add_what_is_due()
    (added,) = await reports(store)
    assert (added.arguments, added.created_by) == ({"of": "yesterday"}, "system:schedule")


async def test_times_missed_while_nothing_ran_are_made_up_for_once(store: SqliteStore) -> None:
    clock = Hands(at("2026-11-22T12:00+01:00"))
    await a_platform(store, clock).add_what_is_due()
    clock.now += 5 * DAY
    restarted = a_platform(store, clock)
    await restarted.add_what_is_due()
    await restarted.add_what_is_due()
    (added,) = await reports(store)
    assert added.key == "nightly report 2026-11-27T03:30:00Z"

    clock.now += DAY
    await restarted.add_what_is_due()
    assert len(await reports(store)) == 2


async def test_of_many_processes_one_adds_the_job(store: SqliteStore) -> None:
    clock = Hands(at("2026-11-22T12:00+01:00"))
    processes = [a_platform(store, clock) for _ in range(4)]
    for _ in range(3):
        await asyncio.gather(*(jobs.add_what_is_due() for jobs in processes))
        clock.now += DAY
    assert len(await reports(store)) == 2


async def test_a_clock_that_goes_back_repeats_nothing_and_blocks_nothing(store: SqliteStore) -> None:
    clock = Hands(at("2026-11-22T12:00+01:00"))
    jobs = a_platform(store, clock)
    await jobs.add_what_is_due()
    clock.now = at("2026-11-23T04:31+01:00")
    await jobs.add_what_is_due()
    clock.now -= HOUR
    await jobs.add_what_is_due()
    clock.now += HOUR
    await jobs.add_what_is_due()
    assert len(await reports(store)) == 1

    clock.now = at("2035-01-01T12:00+01:00")
    await jobs.add_what_is_due()
    clock.now = at("2026-11-24T00:00+01:00")
    await jobs.add_what_is_due()
    before = len(await reports(store))
    clock.now += DAY
    await jobs.add_what_is_due()
    assert len(await reports(store)) == before + 1, "a clock that was years ahead is not waited for"


async def test_what_comes_next_is_told(store: SqliteStore) -> None:
    jobs = a_platform(store, Hands(at("2026-11-22T12:00+01:00")))
    told = [(one.schedule.name, one.next_at) for one in jobs.list_schedules()]
    assert told == [
        ("jobs.prune", at("2026-11-23T03:17+01:00")),
        ("nightly report", at("2026-11-23T04:30+01:00")),
    ]


async def test_a_schedule_needs_a_kind(jobs: Jobs) -> None:
    with pytest.raises(Exception, match="no kind"):
        jobs.every("nothing", "0 0 * * *", "nothing")


async def test_a_queue_that_is_full_is_counted_all_the_same(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Hands(at("2026-11-22T12:00+01:00"))
    jobs = a_platform(store, clock)
    await jobs.add_what_is_due()
    monkeypatch.setattr("parvis.kernel.jobs.MOST_WAITING", 1)
    await jobs.add("jobs.prune", created_by="account:ada", due_at=at("2099-01-01T00:00+01:00"))
    clock.now += DAY
    async with jobs.running(), asyncio.timeout(5):
        while not jobs.tally.waiting:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
