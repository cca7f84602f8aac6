"""The months before the first start come from the same functions as the play, in batches, the newest days first."""

from collections.abc import Iterator

import numpy as np

from parvis.broker.ports.past import Brought, OldObservations
from parvis.demo.nature.chance import Times
from parvis.demo.past import PastSeries, bring_days, columns_of
from parvis.kernel.time import DAY, HOUR

HOURS: Times = np.arange(4, dtype=np.float64) * 3600
NOW = 20_000 * DAY + 7 * HOUR


def readings(times: Times) -> Iterator[PastSeries]:
    level = np.where(times % 7200 == 0, np.nan, times)
    yield PastSeries("urn:bin", "fillingLevel", level, "P1")
    yield PastSeries("urn:bay", "status", np.array([*["free"] * (len(times) - 1), None], object))


def expand(term: str) -> str:
    return f"https://example.org/{term}"


def test_what_was_not_heard_is_left_out_and_kinds_of_values_come_apart() -> None:
    numbers, texts = columns_of(readings(HOURS), HOURS, expand)

    assert numbers.values.tolist() == [3600.0, 10800.0]
    assert numbers.times.tolist() == [HOUR, 3 * HOUR]
    assert (numbers.series[0].attribute, numbers.series[0].unit) == ("https://example.org/fillingLevel", "P1")
    assert texts.values.tolist() == ["free"] * 3


async def test_all_days_that_are_over_are_brought_once_the_newest_first() -> None:
    seen: list[tuple[int, int]] = []

    async def bring(old: OldObservations) -> Brought:
        seen.append((int(old.times.min()) // DAY, int(old.times.max()) // DAY))
        return Brought(written=len(old))

    steps = [step async for step in bring_days(readings, expand, bring, NOW, days=25)]

    assert [round(step.share, 2) for step in steps] == [0.4, 0.8, 1.0]
    assert seen[::2] == [(19_990, 19_999), (19_980, 19_989), (19_975, 19_979)]
    assert steps[-1].brought.written == 25 * 24 - 3 + 25 * 12
