"""The months before the first start come from the same functions as the play, in batches, the newest days first."""

from collections.abc import Iterator, Sequence

import numpy as np

from parvis.broker.ports.past import Brought, OldObservations
from parvis.demo.nature.chance import Times
from parvis.demo.past import Days, PastSeries, bring_days, columns_of, list_days
from parvis.kernel.time import DAY, HOUR

HOURS: Times = np.arange(4, dtype=np.float64) * 3600


def readings(times: Times) -> Iterator[PastSeries]:
    level = np.where(times % 7200 == 0, np.nan, times)
    yield PastSeries("urn:bin", "fillingLevel", level, "P1")
    yield PastSeries("urn:bay", "status", np.array([*["free"] * (len(times) - 1), None], object))


def test_what_was_not_heard_is_left_out_and_kinds_of_values_come_apart() -> None:
    numbers, texts = columns_of(readings(HOURS), HOURS)

    assert numbers.values.tolist() == [3600.0, 10800.0]
    assert numbers.times.tolist() == [HOUR, 3 * HOUR]
    assert (numbers.series[0].attribute, numbers.series[0].unit) == ("fillingLevel", "P1")
    assert texts.values.tolist() == ["free"] * 3


def test_the_newest_days_come_first_and_in_full() -> None:
    assert list_days(100, 125) == [
        Days(122, 125, True), Days(112, 122, False), Days(102, 112, False), Days(100, 102, False)
    ]  # fmt: skip
    assert list_days(124, 125) == [Days(124, 125, True)]
    assert list_days(125, 125) == []


async def test_the_next_days_are_told_while_some_are_brought() -> None:
    seen: list[str] = []

    async def tell_now(days: Days) -> Sequence[OldObservations]:
        return list(columns_of(readings(days.times), days.times))

    def tell(days: Days) -> object:
        seen.append(f"told {days.first}")
        return tell_now(days)

    async def bring(old: OldObservations) -> Brought:
        seen.append(f"brought {int(old.times.min()) // DAY} {old.series[0].attribute}")
        return Brought(written=len(old))

    parts = list_days(100, 115)
    steps = [step async for step in bring_days(parts, tell, "http://x/{}".format, bring)]  # type: ignore[arg-type]

    assert seen[:3] == ["told 112", "told 102", "brought 112 http://x/fillingLevel"]
    assert [round(step.share, 2) for step in steps] == [0.2, 0.87, 1.0]
    assert steps[-1].brought.written == 15 * 12 + 15 * 24 - 3
