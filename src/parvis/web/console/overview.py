"""The first page: what needs attention, domain by domain, and how fresh the picture is."""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from parvis.kernel.time import HOUR, MINUTE, Instant
from parvis.web.console.backups import find_urgent
from parvis.web.console.dashboards.layout import Widget, WidgetKind
from parvis.web.console.dashboards.pages import cached_of
from parvis.web.console.dashboards.present import Present
from parvis.web.console.first_run import find_beginning
from parvis.web.console.first_run_frame import may_set_up
from parvis.web.console.whole import Whole, count_whole
from parvis.web.pages import caller_of
from parvis.web.site import site_of

MOST_URGENT = 8
FRESHNESS_STEPS: tuple[tuple[str, Instant], ...] = (("15min", 15 * MINUTE), ("1h", HOUR), ("1d", 24 * HOUR))
_URGENT = Widget(WidgetKind.ALERTS, height=2)


@dataclass(frozen=True, slots=True)
class Freshness:
    """How many objects were measured within a span; the last step counts all older ones and those never measured."""

    step: str
    count: int
    share: float


async def overview(request: Request) -> Response:
    site, caller = site_of(request), caller_of(request)
    cached = cached_of(request)
    spans = (*(span for _, span in FRESHNESS_STEPS), MINUTE)
    whole = await cached.ask(
        caller, "whole", lambda: count_whole(site, caller, tuple(site.now - span for span in spans))
    )
    urgent = await Present(site, cached, caller, site.pages.words(request)).alerts(_URGENT)
    return site.pages.render(
        request,
        "console/pages/overview.html",
        tally=whole.tally,
        domains=list(whole.domains.items()),
        urgent=urgent.views[:MOST_URGENT],
        freshness=freshness_of(whole),
        measured_last_minute=whole.since[-1],
        newest=whole.newest,
        beginning=await find_beginning(site, caller),
        backups=await find_urgent(request),
        may_begin=may_set_up(caller),
    )


def freshness_of(whole: Whole) -> list[Freshness]:
    """Of what was measured within the spans of `FRESHNESS_STEPS`, the shortest first."""
    bounds = [0, *whole.since[: len(FRESHNESS_STEPS)], whole.followed]
    names = [*(name for name, _ in FRESHNESS_STEPS), "older"]
    return [_freshness(name, bounds[step + 1] - bounds[step], whole.followed) for step, name in enumerate(names)]


def _freshness(step: str, count: int, total: int) -> Freshness:
    return Freshness(step, count, count / total if total else 0.0)


ROUTES = [Route("/console", overview), Route("/console/", overview)]
