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


def test_what_was_not_heard_is_left_out_and_texts_come_beside_numbers() -> None:
    """In one batch, so that the file of a day is written once."""
    [told] = columns_of(readings(HOURS), HOURS)

    assert told.values[:2].tolist() == [3600.0, 10800.0]
    assert told.times[:2].tolist() == [HOUR, 3 * HOUR]
    assert (told.series[0].attribute, told.series[0].unit) == ("fillingLevel", "P1")
    assert told.texts is not None
    assert told.texts.tolist() == [None, None, *["free"] * 3]
    assert told.of.tolist() == [0, 0, 1, 1, 1]


def test_the_newest_days_come_first_and_in_full() -> None:
    assert list_days(100, 165) == [
        Days(162, 165, True), Days(132, 162, False), Days(102, 132, False), Days(100, 102, False)
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

    parts = list_days(100, 135)
    steps = [step async for step in bring_days(parts, tell, "http://x/{}".format, bring)]  # type: ignore[arg-type]

    assert seen[:3] == ["told 132", "told 102", "brought 132 http://x/fillingLevel"]
    assert [round(step.share, 2) for step in steps] == [0.09, 0.94, 1.0]
    assert steps[-1].brought.written == 35 * 12 + 35 * 24 - 3
