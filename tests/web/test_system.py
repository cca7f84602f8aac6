"""The page of the platform itself: figures from two looks at what is counted anyway, each with what is normal."""

import httpx
import pytest

from parvis.bootstrap import Platform
from parvis.bootstrap.disk import Usage
from parvis.kernel.growth import Forecast
from parvis.kernel.time import DAY, Instant
from parvis.web.console.system import bytes_text, disk_state
from parvis.web.console.system_figures import judge
from parvis.web.headline import State
from parvis.web.i18n import catalogue
from parvis.web.readings import Readings
from parvis.web.siblings import Family, Sample
from parvis.web.wording import wording
from tests.web.conftest import plain

NOW: Instant = 1_795_348_800_000_000
ROOMY = Usage(store=10 << 30, files=0, free=100 << 30, total=200 << 30)


class Counts:
    """What a platform of two workers would tell; time goes by as the test says."""

    def __init__(self) -> None:
        self.at_s = 1_000.0
        self.stored = {"1": 100.0, "2": 50.0}
        self.answered = [8.0, 9.0, 10.0]
        self.asked = 0

    async def read(self) -> list[Family]:
        self.asked += 1
        bounds = zip(("0.01", "0.1", "+Inf"), self.answered, strict=True)
        return [
            Family("stored", "", "counter", [Sample("stored_total", {"worker": w}, n) for w, n in self.stored.items()]),
            Family("waiting", "", "gauge", [Sample("waiting", {"worker": w}, 7.0) for w in self.stored]),
            Family("took", "", "histogram", [Sample("took_bucket", {"le": le}, n) for le, n in bounds]),
        ]


async def test_rates_are_of_all_workers_over_the_time_between_two_looks() -> None:
    counts = Counts()
    readings = Readings(counts.read, lambda: counts.at_s)
    await readings.look()
    counts.at_s, counts.stored = 1_010.0, {"1": 130.0, "2": 70.0}
    window = await readings.look()
    assert window.rate("stored_total") == 5.0
    assert window.now.most("waiting") == 7.0


async def test_after_a_restart_no_rate_is_below_nothing() -> None:
    counts = Counts()
    readings = Readings(counts.read, lambda: counts.at_s)
    await readings.look()
    counts.at_s, counts.stored = 1_010.0, {"1": 3.0}
    assert (await readings.look()).rate("stored_total") == 0.0


async def test_many_who_look_at_once_read_the_counts_once() -> None:
    counts = Counts()
    readings = Readings(counts.read, lambda: counts.at_s)
    for _ in range(50):
        await readings.look()
    assert counts.asked == 1


async def test_the_slowest_answers_are_those_of_the_last_minute() -> None:
    counts = Counts()
    readings = Readings(counts.read, lambda: counts.at_s)
    assert (await readings.look()).quantile("took", 0.95) == float("inf")
    counts.at_s, counts.answered = 1_010.0, [8.0, 109.0, 110.0]
    assert (await readings.look()).quantile("took", 0.95) == 0.1
    counts.at_s = 1_015.0
    assert (await Readings(counts.read, lambda: counts.at_s).look()).quantile("nothing", 0.95) is None


@pytest.mark.parametrize(
    ("value", "state"), [(None, State.GOOD), (0, State.GOOD), (9.9, State.GOOD), (10, State.WARN), (20, State.BAD)]
)
def test_a_figure_is_judged_by_its_bounds(value: float | None, state: State) -> None:
    assert judge(value, 10, 20) is state


@pytest.mark.parametrize(
    ("usage", "days", "state"),
    [
        (ROOMY, None, State.GOOD),
        (ROOMY, 400, State.GOOD),
        (ROOMY, 60, State.WARN),
        (ROOMY, 7, State.BAD),
        (ROOMY._replace(free=1 << 20), None, State.BAD),
        (ROOMY._replace(free=None, total=None), None, State.GOOD),
    ],
)
def test_the_disk_is_judged_by_what_is_free_and_when_it_will_be_full(
    usage: Usage, days: int | None, state: State
) -> None:
    growth = None if days is None else Forecast(1.0, NOW + days * DAY)
    assert disk_state(usage, growth, NOW) is state


def test_bytes_are_said_in_the_language_of_the_page() -> None:
    assert bytes_text(1536 * 2**20, wording("en", "UTC")) == "1.5\u00a0GiB"
    assert bytes_text(1536 * 2**20, wording("fr", "UTC")) == "1,5\u00a0Gio"
    assert bytes_text(12, wording("en", "UTC")) == "12\u00a0B"


async def test_the_page_tells_every_figure_with_what_is_normal(operator: httpx.AsyncClient) -> None:
    shown = plain((await operator.get("/console/system")).text)
    for key, sentence in catalogue("en").items():
        if key.startswith("system_normal."):
            assert sentence in shown, key
    assert "mean since the start" in shown


async def test_the_growth_of_the_disk_is_told_once_it_is_known(platform: Platform, operator: httpx.AsyncClient) -> None:
    assert "known after an hour" in plain((await operator.get("/console/system")).text)
    await platform.disk.note()
    await platform.disk.note()
    assert len(await platform.disk.list_samples()) == 1


async def test_it_is_for_people_who_are_signed_in(visitor: httpx.AsyncClient) -> None:
    answer = await visitor.get("/console/system")
    assert answer.status_code == 303
    assert "/console/sign-in" in answer.headers["location"]
