"""The first page: what needs attention, domain by domain, and how fresh the picture is."""

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from parvis.kernel.time import HOUR, MINUTE, Instant
from parvis.web.console.first_run import find_beginning
from parvis.web.console.first_run_frame import may_set_up
from parvis.web.filters import ObjectFilter, Tally
from parvis.web.headline import Domain, State
from parvis.web.objects import count_others, count_types
from parvis.web.pages import caller_of
from parvis.web.site import site_of
from parvis.web.views import ObjectView, by_urgency

MOST_URGENT = 8
FRESHNESS_STEPS: tuple[tuple[str, Instant], ...] = (("15min", 15 * MINUTE), ("1h", HOUR), ("1d", 24 * HOUR))


@dataclass(frozen=True, slots=True)
class DomainSummary:
    domain: Domain
    tally: Tally


@dataclass(frozen=True, slots=True)
class Freshness:
    """How many objects were measured within a span; the last step counts all older ones and those never measured."""

    step: str
    count: int
    share: float


async def overview(request: Request) -> Response:
    site, caller = site_of(request), caller_of(request)
    selection = ObjectFilter().selection(site.reader.terms)
    views = await site.list_views(caller, selection)
    others = count_others(await count_types(site, caller))
    times = [view.observed_at for view in views if view.observed_at is not None and view.is_dated]
    return site.pages.render(
        request,
        "console/pages/overview.html",
        tally=Tally.of(views) + calm(others),
        domains=summarise(views, others),
        followed=len(views),
        urgent=[view for view in by_urgency(views) if view.state.needs_attention][:MOST_URGENT],
        freshness=freshness_of(views, site.now),
        measured_last_minute=sum(site.now - at < MINUTE for at in times),
        newest=max(times, default=None),
        beginning=await find_beginning(site, caller),
        may_begin=may_set_up(caller),
    )


def calm(number: int) -> Tally:
    """Of objects that are only counted: nothing judges those that no domain knows."""
    return Tally(number, dict.fromkeys(State, 0) | {State.GOOD: number})


def summarise(views: Sequence[ObjectView], others: int) -> list[DomainSummary]:
    """The domains that have objects, in the rail's order; `others` are counted and not read: there may be many."""
    summaries = [
        DomainSummary(one, Tally.of(view for view in views if view.domain is one))
        for one in Domain
        if one is not Domain.OTHER
    ]
    summaries.append(DomainSummary(Domain.OTHER, calm(others)))
    return [summary for summary in summaries if summary.tally.total]


def freshness_of(views: Sequence[ObjectView], now: Instant) -> list[Freshness]:
    ages = [now - view.observed_at for view in views if view.observed_at is not None and view.is_dated]
    steps, counted = [], 0
    for step, limit in FRESHNESS_STEPS:
        within = sum(age <= limit for age in ages)
        steps.append(_freshness(step, within - counted, len(views)))
        counted = within
    return [*steps, _freshness("older", len(views) - counted, len(views))]


def _freshness(step: str, count: int, total: int) -> Freshness:
    return Freshness(step, count, count / total if total else 0.0)


ROUTES = [Route("/console", overview), Route("/console/", overview)]
