"""The page of the platform itself: figures from two looks at what is counted anyway, each with what is normal."""

import asyncio
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from parvis.bootstrap import Platform
from parvis.bootstrap.disk import Seen, Usage
from parvis.bootstrap.gauges import Gauge
from parvis.bootstrap.machine import memory_limit_bytes
from parvis.kernel.growth import Forecast
from parvis.kernel.time import DAY, Instant
from parvis.web.console.system import bytes_text, disk_norm_text, disk_state, figure_text, norm_text
from parvis.web.console.system_figures import INFLOW, MACHINE, WAITING, Norm, figures_of
from parvis.web.headline import State
from parvis.web.i18n import catalogue
from parvis.web.readings import Reading, Readings, Window, kept_current
from parvis.web.siblings import Family, Sample
from parvis.web.wording import wording
from tests.conftest import ROOT
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
    assert (await readings.look()).quantile("took", 0.95) is None
    counts.at_s, counts.answered = 1_010.0, [8.0, 109.0, 110.0]
    assert (await readings.look()).quantile("took", 0.95) == 0.1
    counts.at_s = 1_015.0
    assert (await Readings(counts.read, lambda: counts.at_s).look()).quantile("nothing", 0.95) is None


async def test_what_a_first_start_has_played_is_no_rate_of_today() -> None:
    """The replay of 90 days stands in the counts: only what comes between two looks is told."""
    counts = Counts()
    counts.stored = {"1": 9_000_000.0}
    readings = Readings(counts.read, lambda: counts.at_s)
    assert (await readings.look()).rate("stored_total") is None
    counts.at_s, counts.stored = 1_015.0, {"1": 9_000_030.0}
    assert (await readings.look()).rate("stored_total") == 2.0


async def test_a_rate_is_there_for_the_first_who_asks() -> None:
    """For the counts are looked at though nobody has asked."""
    counts = Counts()
    readings = Readings(counts.read, lambda: counts.at_s)
    async with kept_current(readings):
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        counts.at_s, counts.stored = 1_060.0, {"1": 130.0, "2": 80.0}
        assert (await readings.look()).rate("stored_total") == 1.0


@pytest.mark.parametrize(("value", "state"), [(0, State.GOOD), (9.9, State.GOOD), (10, State.WARN), (20, State.BAD)])
def test_a_figure_is_judged_by_its_norm(value: float, state: State) -> None:
    assert Norm(10, 20).judge(value) is state


def window(later: dict[str, float], **labels: str) -> Window:
    """A minute in which what counts has come from 0 to `later`."""

    def reading(at_s: float, share: int) -> Reading:
        samples = {name: [Sample(name, labels, value * share)] for name, value in later.items()}
        return Reading(at_s, samples)

    return Window(reading(60.0, 1), reading(0.0, 0))


def test_what_has_a_norm_says_whether_it_keeps_it() -> None:
    seen = window(
        {"parvis_jobs_failed": 2.0, "parvis_uplinks_refused_total": 30.0, "parvis_uplinks_stored_total": 600.0}
    )
    states = {one.key: one.state for one in figures_of((*INFLOW, *WAITING), seen)}
    assert states["failed_jobs"] is State.WARN
    assert states["refused"] is State.GOOD
    assert states["stored"] is None


def test_frames_that_came_twice_are_not_refused_ones() -> None:
    """A demonstration that goes on after a pause sends again what is there already."""
    seen = window({"parvis_uplinks_refused_total": 6_000.0}, reason="DUPLICATE")
    assert next(one for one in figures_of(INFLOW, seen) if one.key == "refused").value == 0
    seen = window({"parvis_uplinks_refused_total": 6_000.0}, reason="CODEC_THREW")
    assert next(one for one in figures_of(INFLOW, seen) if one.key == "refused").state is State.BAD


@pytest.mark.parametrize(("answers", "state"), [(19, None), (20, State.WARN)])
def test_of_few_answers_a_slow_one_is_not_judged(answers: float, state: State | None) -> None:
    name = "parvis_http_request_duration_seconds"
    slow = window({f"{name}_count": answers, f"{name}_bucket": answers}, le="1.0")
    figure = next(one for one in figures_of(INFLOW, slow) if one.key == "slow_requests")
    assert (figure.value, figure.state) == (1_000.0, state)


def test_a_process_that_takes_the_processor_and_most_of_the_memory_is_outside_the_norm() -> None:
    seen = window(
        {
            "process_cpu_seconds_total": 54.0,
            "process_resident_memory_bytes": 9.0 * 2**30,
            "parvis_memory_limit_bytes": 10.0 * 2**30,
        }
    )
    assert [(one.key, round(one.value or 0), one.state) for one in figures_of(MACHINE, seen)] == [
        ("memory_share", 90, State.BAD),
        ("busiest", 90, State.WARN),
    ]


def test_norms_are_told_with_their_unit() -> None:
    by_key = {one.key: one for one in figures_of((*INFLOW, *WAITING, *MACHINE), window({}))}
    english, french = wording("en", "UTC"), wording("fr", "UTC")
    assert norm_text(by_key["slow_requests"], english) == "less than 1,000\u00a0ms"
    assert norm_text(by_key["memory_share"], french) == "moins de 50\u00a0%"
    assert norm_text(by_key["failed_jobs"], english) == "none"
    assert norm_text(by_key["stored"], english) == ""
    assert figure_text(replace(by_key["slow_requests"], value=float("inf")), english) == ">\u00a010,000"


def test_the_reference_tells_every_norm() -> None:
    told = (ROOT / "docs/reference/metrics.md").read_text(encoding="utf-8").split("## What is normal")[1]
    by_title = {line.split("|")[1].strip(): line for line in told.splitlines() if line.startswith("| ")}
    for rule in (*INFLOW, *WAITING, *MACHINE):
        if rule.norm is not None:
            row = by_title[catalogue("en")[f"system.{rule.key}"]]
            assert f"| {rule.norm.warn:,}" in row, rule.key
            assert rule.norm.bad is None or f"| {rule.norm.bad:,}" in row, rule.key


def test_of_a_container_its_limit_is_the_memory_there_is(tmp_path: Path) -> None:
    limit = tmp_path / "memory.max"
    limit.write_text("67108864\n")
    assert memory_limit_bytes(limit) == 64 << 20
    limit.write_text("max\n")
    assert memory_limit_bytes(limit) == memory_limit_bytes(tmp_path / "none") > 64 << 20


@pytest.mark.parametrize(
    ("usage", "days", "state"),
    [
        (ROOMY, None, State.GOOD),
        (ROOMY, 400, State.GOOD),
        (ROOMY, 60, State.WARN),
        (ROOMY, 7, State.BAD),
        (ROOMY._replace(free=9 << 30), None, State.WARN),
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
    assert "measured in a few seconds" in shown
    assert "figures that have a norm keep it" in shown


async def test_the_heading_judges_by_the_figures(platform: Platform, operator: httpx.AsyncClient) -> None:
    """A job that has failed is outside its norm, and the heading names it."""
    failed = {"parvis_jobs_failed": Gauge("", lambda: 2.0)}
    assert isinstance(platform.gauges, dict)
    platform.gauges.update(failed)
    page = (await operator.get("/console/system")).text
    heading = page.split("<h1>")[1].split("</header>")[0]
    assert "is outside its norm:" in plain(f"<body>{heading}")
    assert 'href="#figure-failed_jobs"' in heading
    assert 'class="state warn"' in heading
    row = page.split('id="figure-failed_jobs"')[1].split("</li>")[0]
    assert 'class="state-shape warn"' in row
    assert "outside its norm" in row


async def test_the_growth_of_the_disk_is_told_once_it_is_known(platform: Platform, operator: httpx.AsyncClient) -> None:
    assert "known after three hours" in plain((await operator.get("/console/system")).text)
    await platform.disk.note()
    await platform.disk.note()
    assert len(await platform.disk.list_samples()) == 1


async def test_it_is_for_people_who_are_signed_in(visitor: httpx.AsyncClient) -> None:
    answer = await visitor.get("/console/system")
    assert answer.status_code == 303
    assert "/console/sign-in" in answer.headers["location"]


def test_the_norm_of_the_disk_is_told_as_it_was_judged() -> None:
    t = wording("en", "UTC")
    assert "10.0\u00a0GiB free; how soon it is full is not judged" in disk_norm_text(Seen(ROOMY, None), t)
    assert "90 days" in disk_norm_text(Seen(ROOMY, Forecast(1.0, None)), t)


async def test_a_feed_that_fails_is_outside_the_norm_on_the_page_and_on_the_dot(
    platform: Platform, operator: httpx.AsyncClient
) -> None:
    platform.fleet.ways.sources.note_failure("feeds", "tide", OSError("503"))
    page = (await operator.get("/console/system")).text
    assert 'href="#figure-failing"' in page.split("<h1>")[1].split("</header>")[0]
    assert "something is outside its norm" in (await operator.get("/console/devices")).text


def test_frames_that_wait_for_their_device_are_not_refused_ones() -> None:
    seen = window({"parvis_uplinks_refused_total": 6_000.0}, reason="UNKNOWN_DEVICE")
    assert next(one for one in figures_of(INFLOW, seen) if one.key == "refused").value == 0
