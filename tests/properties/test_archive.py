"""Whatever is written, moved, stopped and erased in whatever order: history is what a list of instances says."""

import contextlib
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from parvis.broker.model.change import Change, Mode
from parvis.broker.model.entity import Instance
from parvis.broker.query.tree import Aggregation, Method, TemporalQuery, TimeRelation
from parvis.broker.temporal.erasure import Correction, Erasure
from parvis.kernel.errors import ResourceNotFound
from parvis.kernel.time import DAY, HOUR, Instant, parse_duration
from parvis.stores.sqlite import segments
from tests.contract.archiving import Archived, open_file
from tests.contract.territory import LEVEL, NOON, NOTE, TENANT, Ticking, bin_, bin_id, level, note

START = NOON - 12 * DAY
BINS = (1, 2)
NAMES = (LEVEL, NOTE)


class Write(NamedTuple):
    """Late or not; `hours` after START."""

    number: int
    name: str
    hours: list[int]


class Remove(NamedTuple):
    number: int
    name: str


class Move(NamedTuple):
    """Stopped at that step; 0: it comes to its end."""

    stopped_at: int


class Erase(NamedTuple):
    number: int
    name: str | None
    before_hour: int | None


class Correct(NamedTuple):
    """The instance at `place` of its series, if there is one; `to_hour` None: its time is right."""

    number: int
    name: str
    place: int
    to_hour: int | None


class Forget(NamedTuple):
    """That one instance."""

    number: int
    name: str
    place: int


class Open(NamedTuple):
    """The process ended, and another begins."""


Deed = Write | Remove | Move | Erase | Correct | Forget | Open
PLACES = st.integers(0, 5)
DEEDS: st.SearchStrategy[Deed] = st.one_of(
    st.builds(
        Write, st.sampled_from(BINS), st.sampled_from(NAMES), st.lists(st.integers(0, 200), min_size=1, max_size=4)
    ),
    st.builds(Remove, st.sampled_from(BINS), st.sampled_from(NAMES)),
    st.builds(Move, st.one_of(st.just(0), st.integers(1, 12))),
    st.builds(Erase, st.sampled_from(BINS), st.sampled_from([None, *NAMES]), st.one_of(st.none(), st.integers(0, 200))),
    st.builds(
        Correct, st.sampled_from(BINS), st.sampled_from(NAMES), PLACES, st.one_of(st.none(), st.integers(0, 200))
    ),
    st.builds(Forget, st.sampled_from(BINS), st.sampled_from(NAMES), PLACES),
    st.builds(Open),
)


class Stop(Exception):
    pass


class StopAt:
    def __init__(self, n: int) -> None:
        self.left = n

    def __call__(self, _name: str) -> None:
        self.left -= 1
        if self.left == 0:
            raise Stop


class Model:
    """(name, time, value) of each bin, in the order of writing; values go up. `present` is today's value by name."""

    def __init__(self) -> None:
        self.past: dict[int, list[tuple[str, Instant, int]]] = {number: [] for number in BINS}
        self.present: dict[tuple[int, str], tuple[Instant, int]] = {}
        self.next_value = 0

    def write(self, deed: Write) -> Change:
        make = level if deed.name == LEVEL else note
        instances = []
        for hour in deed.hours:
            self.next_value += 1
            time = START + hour * HOUR
            self.past[deed.number].append((deed.name, time, self.next_value))
            shown = self.present.get((deed.number, deed.name))
            if shown is None or time >= shown[0]:
                self.present[deed.number, deed.name] = time, self.next_value
            instances.append(make(self.next_value, observed_at=time))
        return bin_(deed.number, *instances, keep_newest=True)

    def erase(self, deed: Erase) -> Erasure:
        before = None if deed.before_hour is None else START + deed.before_hour * HOUR
        self.past[deed.number] = [
            one
            for one in self.past[deed.number]
            if (deed.name is not None and one[0] != deed.name) or (before is not None and one[1] >= before)
        ]
        return Erasure(bin_id(deed.number), deed.name, before=before)

    def correct(self, deed: Correct, value: int) -> Instance:
        """Of the instance of that value."""
        self.next_value += 1
        [time] = [time for name, time, known in self.past[deed.number] if (name, known) == (deed.name, value)]
        moved = time if deed.to_hour is None else START + deed.to_hour * HOUR
        self.past[deed.number].remove((deed.name, time, value))
        self.past[deed.number].append((deed.name, moved, self.next_value))
        if self.present.get((deed.number, deed.name)) == (time, value):
            self.present[deed.number, deed.name] = moved, self.next_value
        make = level if deed.name == LEVEL else note
        return make(self.next_value, observed_at=None if deed.to_hour is None else moved)

    def values(self, number: int, name: str, start: Instant = -(2**62), end: Instant = 2**62) -> list[int]:
        found = [(time, value) for of, time, value in self.past[number] if of == name and start <= time < end]
        return [value for _, value in sorted(found)]


async def do(archived: Archived, model: Model, deed: Deed) -> Archived:
    match deed:
        case Write():
            await archived.store.write(TENANT, [model.write(deed)])
        case Remove(number, name):
            await archived.store.write(TENANT, [Change(bin_id(number), Mode.DELETE_ATTRIBUTE, removals=((name, ""),))])
            model.present.pop((number, name), None)
        case Move(stopped_at):
            with contextlib.suppress(Stop):
                await archived.run(step=StopAt(stopped_at))
        case Erase():
            with contextlib.suppress(ResourceNotFound):
                await archived.store.erase(TENANT, model.erase(deed))
        case Correct(number, name, place):
            found = await find(archived, number, name, place)
            if found is not None:
                given = model.correct(deed, found.value)
                await archived.store.correct(TENANT, Correction(bin_id(number), found.seq, given))
        case Forget(number, name, place):
            found = await find(archived, number, name, place)
            if found is not None:
                model.past[number] = [one for one in model.past[number] if one[2] != found.value]
                await archived.store.erase(TENANT, Erasure(bin_id(number), name, seq=found.seq))
        case Open():
            await archived.close()
            return await open_file(archived.folder, Ticking())
    return archived


async def find(archived: Archived, number: int, name: str, place: int) -> Instance | None:
    told = await archived.store.history(TENANT, bin_id(number), TemporalQuery(attrs=(name,)))
    series = told.instances.get((name, ""), []) if told else []
    return series[place] if place < len(series) else None


async def check(archived: Archived, model: Model) -> None:
    middle, end = START + 3 * DAY + 5 * HOUR, START + 6 * DAY
    for number in BINS:
        between = TemporalQuery(TimeRelation.BETWEEN, middle, end)
        for query, bounds in ((TemporalQuery(), ()), (between, (middle, end))):
            told = await archived.store.history(TENANT, bin_id(number), query)
            for name in NAMES:
                found = told.instances.get((name, ""), []) if told else []
                assert [one.value for one in found] == model.values(number, name, *bounds)
                assert len({one.seq for one in found}) == len(found)
        entity = await archived.store.find(TENANT, bin_id(number))
        for name in NAMES:
            shown = entity.find(name) if entity else None
            assert (shown and (shown.observed_at, shown.value)) == model.present.get((number, name))
        await check_sums(archived, model, number)


async def check_sums(archived: Archived, model: Model, number: int) -> None:
    daily = Aggregation((Method.TOTAL_COUNT, Method.SUM), parse_duration("P1D"))
    told = await archived.store.aggregate(TENANT, bin_id(number), TemporalQuery(TimeRelation.AFTER, START - 1), daily)
    for name in NAMES:
        for bucket in told.buckets.get((name, ""), []) if told else []:
            values = model.values(number, name, bucket.start, bucket.end)
            assert bucket.values == {Method.TOTAL_COUNT: len(values), Method.SUM: sum(values)}


@pytest.mark.slow
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(DEEDS, min_size=3, max_size=12), st.sampled_from([1, 1_000, segments.SEGMENT_ROWS]))
async def test_history_is_what_a_list_of_instances_says(deeds: Sequence[Deed], segment_rows: int) -> None:
    """A new segment with each round; small remains folded into the next one; all in one."""
    with tempfile.TemporaryDirectory() as folder, patch.object(segments, "SEGMENT_ROWS", segment_rows):
        archived, model = await open_file(Path(folder), Ticking()), Model()
        try:
            for deed in deeds:
                archived = await do(archived, model, deed)
            await check(archived, model)
            await archived.run()
            await check(archived, model)
        finally:
            await archived.close()
