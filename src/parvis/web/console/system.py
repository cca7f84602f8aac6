"""The platform itself: what comes in, what waits, what is refused, how full the disk is and when it will be."""

import platform as machine
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import time

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from parvis import __version__
from parvis.bootstrap import Platform
from parvis.bootstrap.disk import Seen, Usage
from parvis.bootstrap.stores import is_on_postgres
from parvis.fleet.model.refusal import RefusalReason
from parvis.kernel.errors import Forbidden, Unauthenticated
from parvis.kernel.growth import Forecast
from parvis.kernel.identity import ANONYMOUS, Right
from parvis.kernel.jobs import JobState
from parvis.kernel.time import DAY, SECOND, Instant
from parvis.web.console.system_figures import INFLOW, MACHINE, MEMORY, PROCESSOR, WAITING, Figure, figures_of
from parvis.web.headline import State
from parvis.web.pages import caller_of
from parvis.web.readings import STARTED, Readings, Window
from parvis.web.site import Site, site_of
from parvis.web.tenants import is_pool
from parvis.web.wording import NO_BREAK_SPACE, Wording

REFRESH_S = 5
MOST_REASONS = 12
FULL_SOON, FULL_IN_SIGHT = 14 * DAY, 90 * DAY
LEAST_FREE_BYTES = 1 << 30
SLOWEST_BOUND_MS = 10_000
REFUSALS = (
    ("frames", "parvis_uplinks_refused_total", "reason"),
    ("http", "parvis_http_connections_refused_total", "reason"),
    ("mqtt", "parvis_mqtt_connections_refused_total", "reason"),
)
DISK = "disk"
GROUPS = {"inflow": INFLOW, "waiting": WAITING, "processes": MACHINE}
_STEPS = ("byte", "kibi", "mebi", "gibi", "tebi")


@dataclass(frozen=True, slots=True)
class RefusalRow:
    way: str
    reason: str
    count: int


@dataclass(frozen=True, slots=True)
class Process:
    name: str
    memory: str
    processor: float | None
    started_at: Instant


@dataclass(frozen=True, slots=True)
class Judgement:
    """Of what keeps its norm or does not, by the figure."""

    figures: Mapping[str, Sequence[Figure]]
    states: Mapping[str, State]
    worst: State


async def system_page(request: Request) -> Response:
    site, caller = site_of(request), caller_of(request)
    if not caller.may(Right.READ):
        raise Unauthenticated("Sign in.") if caller.subject == ANONYMOUS else Forbidden("For those who may read.")
    if not is_pool(caller):
        raise Forbidden("How the platform itself is doing is told to the people of the pool.")
    readings: Readings = request.app.state.readings
    t = site.pages.words(request)
    window, disk = await readings.look(), await site.platform.disk.look()
    judged = judge_system(site.platform, window, site.now)
    jobs = await site.platform.jobs.count(caller)
    return site.pages.render(
        request,
        "console/pages/system.html",
        refresh_s=REFRESH_S,
        is_first=window.before is None,
        worst=judged.worst,
        judged=len(judged.states),
        troubles=[key for key, state in judged.states.items() if state.needs_attention],
        fault=site.platform.fault(),
        degraded=site.platform.degraded(),
        figures=judged.figures,
        refusals=list_refusals(window),
        disk=disk,
        disk_judged=judged.states[DISK],
        disk_norm=disk_norm_text(disk, t),
        bytes=bytes_text,
        processes=list_processes(window, t),
        versions=versions(site),
        jobs=[(state.word, sum(n for (_, held), n in jobs.items() if held is state)) for state in JobState],
        figure=figure_text,
        norm=norm_text,
    )


def judge_system(platform: Platform, window: Window | None, now: Instant) -> Judgement:
    """For the page and for the dot on every other; what has not been looked at yet is not judged."""
    figures = {} if window is None else {name: figures_of(rules, window) for name, rules in GROUPS.items()}
    seen = platform.disk.seen
    states = {} if seen is None else {DISK: disk_state(seen.usage, seen.growth, now)}
    states |= {one.key: one.state for group in figures.values() for one in group if one.state is not None}
    beside = State.BAD if platform.fault() else State.WARN if platform.degraded() else State.GOOD
    return Judgement(figures, states, max(beside, *states.values(), State.GOOD))


def disk_state(usage: Usage, growth: Forecast | None, now: Instant) -> State:
    """The archive is rewritten beside itself: what is free has to hold what is taken once more."""
    full_at = None if growth is None else growth.full_at
    if usage.free is not None and (usage.free < LEAST_FREE_BYTES or _is_within(full_at, now, FULL_SOON)):
        return State.BAD
    is_tight = usage.free is not None and usage.free < usage.taken
    return State.WARN if is_tight or _is_within(full_at, now, FULL_IN_SIGHT) else State.GOOD


def _is_within(at: Instant | None, now: Instant, span: Instant) -> bool:
    return at is not None and at - now < span


def list_refusals(window: Window) -> list[RefusalRow]:
    """Since the start, the most frequent first."""
    rows = [
        RefusalRow(way, reason, count)
        for way, name, label in REFUSALS
        for reason, count in window.now.by(name, label).items()
        if count and reason != RefusalReason.UNKNOWN_DEVICE.value
    ]
    return sorted(rows, key=lambda row: -row.count)[:MOST_REASONS]


def list_processes(window: Window, t: Wording) -> list[Process]:
    """This one, or each worker."""
    started, processor = window.now.by_worker(STARTED), window.rate_by_worker(PROCESSOR)
    return [
        Process(name, bytes_text(size, t), processor.get(name), round(started.get(name, time()) * SECOND))
        for name, size in sorted(window.now.by_worker(MEMORY).items())
    ]


def versions(site: Site) -> Sequence[tuple[str, str]]:
    store = "PostgreSQL" if is_on_postgres(site.platform.settings) else f"SQLite {sqlite3.sqlite_version}"
    return (
        ("Parvis", __version__),
        ("Python", machine.python_version()),
        ("store", store),
        ("machine", f"{machine.system()} {machine.release()}, {machine.machine()}"),
    )


def bytes_text(amount: float, t: Wording) -> str:
    """ "1.4 GiB", in French "1,4 Gio"."""
    step = 0
    while abs(amount) >= 1024 and step < len(_STEPS) - 1:
        amount, step = amount / 1024, step + 1
    number = t.number(amount, 0 if step < 2 or amount >= 100 else 1)
    return f"{number}{NO_BREAK_SPACE}{t(f'bytes.{_STEPS[step]}')}"


def figure_text(figure: Figure, t: Wording) -> str:
    if figure.value is None:
        return "–"
    if figure.value == float("inf"):
        return f">{NO_BREAK_SPACE}{t.number(SLOWEST_BOUND_MS)}"
    return t.number(figure.value, figure.rule.decimals if figure.value < 100 else 0)


def disk_norm_text(disk: Seen, t: Wording) -> str:
    """Of what was judged: while nobody knows how fast it fills, only what is free."""
    if disk.usage.free is None:
        return t("system.norm_disk_elsewhere")
    amount = bytes_text(max(disk.usage.taken, LEAST_FREE_BYTES), t)
    return t("system.norm_disk_free" if disk.growth is None else "system.norm_disk", amount=amount)


def norm_text(figure: Figure, t: Wording) -> str:
    """ "normal: below 500 ms"."""
    norm, unit = figure.rule.norm, figure.rule.unit
    if norm is None:
        return ""
    if norm.warn == 1 and not unit:
        return t("system.norm_none")
    return t("system.norm_below", amount=f"{t.number(norm.warn)}{t.gap(unit) if unit else ''}{unit}")


ROUTES = [Route("/console/system", system_page, methods=["GET"])]
