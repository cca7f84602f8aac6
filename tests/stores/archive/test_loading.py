"""What is stored already is left out of what is brought: looked for where there are rows, and in the time of a sort."""

import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parvis.broker.ports.archive import SeriesOfFile
from parvis.broker.ports.past import OldObservations, OldSeries
from parvis.broker.temporal.retention import KeepRule, Retention
from parvis.kernel.time import DAY, HOUR, Instant
from parvis.stores.archive import loading
from parvis.stores.archive.loading import Ordered, put_in_order

BIN = ("Bin",)
TODAY = 20_000
NO_RULES = Retention()
Row = tuple[int, int]


class Hot(NamedTuple):
    """A store that tells what it was asked for."""

    rows: dict[int, Sequence[Instant]]
    asked: list[tuple[list[str], range]]

    def list_held(self, entities: Sequence[str], days: range) -> Iterator[tuple[SeriesOfFile, Instant]]:
        self.asked.append((list(entities), days))
        for number, times in self.rows.items():
            if entity(number) in entities:
                series = SeriesOfFile(entity(number), "level", "")
                yield from ((series, at) for at in times if at // DAY in days)


def entity(number: int) -> str:
    return f"urn:ngsi-ld:Bin:{number:05}"


def brought(rows: Sequence[Row]) -> OldObservations:
    of = np.array([number for number, _ in rows], np.int32)
    times = np.array([at for _, at in rows], np.int64)
    series = [OldSeries(entity(number), "level") for number in range(max([0, *of.tolist()]) + 1)]
    return OldObservations(series, of, times, np.zeros(len(rows)))


def written(ordered: Ordered) -> list[Row]:
    return list(zip(ordered.of.tolist(), ordered.times.tolist(), strict=True))


def types_of(old: OldObservations) -> dict[str, tuple[str, ...]]:
    return {one.entity_id: BIN for one in old.series}


ROWS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9).map(lambda hours: hours * 9 * HOUR)), max_size=40)


@settings(max_examples=60, deadline=None)
@given(ROWS, ROWS, st.integers(1, 5))
def test_each_that_is_not_stored_is_written_once(given_rows: list[Row], stored: list[Row], at_once: int) -> None:
    hot = Hot({number: [at for of, at in stored if of == number] for number in range(4)}, [])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loading, "HELD_AT_ONCE", at_once)
        old = brought(given_rows)
        ordered, told = put_in_order(old, types_of(old), TODAY, NO_RULES, hot.list_held)

    new = set(given_rows) - set(stored)
    assert written(ordered) == sorted(new, key=lambda row: (row[1] // DAY, row))
    assert told.stored_before == len(given_rows) - len(new)


def test_files_of_kinds_and_days_follow_each_other_each_by_series_and_time() -> None:
    """Far apart, before the epoch too, and given in any order."""
    rows = [(2, 19_990 * DAY + 5), (0, -3 * DAY), (1, 19_990 * DAY), (0, 19_990 * DAY), (2, 19_990 * DAY), (1, 7)]
    old = brought(rows)
    kinds = {entity(0): BIN, entity(1): ("urn:Aardvark",), entity(2): BIN}

    ordered, _ = put_in_order(old, kinds, TODAY, NO_RULES, Hot({}, []).list_held)

    kind_of = {number: kinds[entity(number)] for number in range(3)}
    assert written(ordered) == sorted(rows, key=lambda row: (kind_of[row[0]], row[1] // DAY, row))
    assert [(part.types, part.day) for part in ordered.parts] == sorted({(kind_of[of], at // DAY) for of, at in rows})


def test_only_days_and_entities_that_rows_are_of_are_looked_at() -> None:
    hot = Hot({}, [])
    old = brought([(0, 0), (2, 19_998 * DAY), (1, 19_998 * DAY), (2, 19_999 * DAY)])

    put_in_order(old, types_of(old), TODAY, NO_RULES, hot.list_held)

    assert hot.asked == [([entity(0)], range(1)), ([entity(1), entity(2)], range(19_998, 20_000))]


def test_what_is_not_written_anyway_is_not_looked_for() -> None:
    hot = Hot({}, [])
    old = brought([(0, TODAY * DAY), (0, 19_000 * DAY)])
    rules = Retention((KeepRule("Bin", None, 30),))

    _, told = put_in_order(old, types_of(old), TODAY, rules, hot.list_held)

    assert (told.not_over, told.expired, hot.asked) == (1, 1, [])


def test_thousands_of_series_that_are_hot_cost_no_more_than_their_rows() -> None:
    """Were each series compared with all rows, this would take a minute."""
    series, hours = 3_000, np.arange(72) * HOUR + 19_990 * DAY
    times = np.tile(hours, series)
    of = np.repeat(np.arange(series, dtype=np.int32), len(hours))
    old = OldObservations([OldSeries(entity(one), "level") for one in range(series)], of, times, np.zeros(len(of)))
    held = [(SeriesOfFile(entity(one), "level", ""), at) for one in range(series) for at in hours[::2].tolist()]
    rules = Retention((KeepRule("Bin", None, 3_000),))

    began_s = time.process_time()
    ordered, told = put_in_order(old, types_of(old), TODAY, rules, lambda _entities, _days: iter(held))

    assert (len(ordered), told.stored_before) == (series * 36, series * 36)
    assert time.process_time() - began_s < 6
