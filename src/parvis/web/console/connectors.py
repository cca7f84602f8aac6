"""The ways in: which are on, where they listen, what each has brought, and what went wrong."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from parvis.bootstrap.plug_ins import PlugIn, list_packaged
from parvis.fleet import metrics
from parvis.fleet.ways.connector import Connector
from parvis.fleet.ways.counts import Brought, WayFault
from parvis.fleet.ways.sources import Source
from parvis.kernel.errors import Forbidden
from parvis.kernel.identity import Caller, Right
from parvis.kernel.time import DAY, HOUR, SECOND, Instant
from parvis.web.causes import Explained
from parvis.web.console.findings import spell_span
from parvis.web.faults import explain_fault
from parvis.web.front import WAYS_IN
from parvis.web.headline import State
from parvis.web.pages import caller_of
from parvis.web.site import Site, site_of
from parvis.web.tenants import is_pool
from parvis.web.wording import Wording

QUIET_AFTER = HOUR
SOURCES_SHOWN = 10
ANSWERING_SHOWN = 50
ANSWERED = "answered"
_NOBODY: Mapping[str, int] = {}


class FaultView(NamedTuple):
    at: Instant
    why: Explained


class SourceView(NamedTuple):
    name: str
    source: Source
    state: State
    why: Explained
    fails_for: str


@dataclass(frozen=True, slots=True)
class WayView:
    """`asked` counts devices that were asked, by what came of it; `summary` is the manifest's, in English."""

    name: str
    summary: str
    state: State
    word: str
    topics: tuple[str, ...]
    addresses: tuple[str, ...]
    works: int
    brought: Brought
    asked: Mapping[str, int]
    fault: FaultView | None
    failing: tuple[SourceView, ...]
    answering: tuple[SourceView, ...]
    more_failing: int
    answering_count: int

    @property
    def unanswered(self) -> int:
        return sum(count for result, count in self.asked.items() if result != ANSWERED)


async def connectors_page(request: Request) -> Response:
    site, caller = site_of(request), caller_of(request)
    if not caller.may(Right.READ):
        raise Forbidden("The ways in can be seen by people who are signed in.")
    shows_faults = caller.may(Right.ADMINISTER) and is_pool(caller)
    t = site.pages.words(request)
    views = [view_of(site, one, caller, shows_faults, t) for one in site.platform.connectors.values()]
    off = [one for one in list_packaged().items() if one[0] not in site.platform.connectors]
    return site.pages.render(
        request,
        "console/pages/connectors.html",
        ways=sorted(views, key=lambda view: (view.state in (State.GOOD, State.STALE), not view.brought.frames)),
        off=[(name, plug_in.manifest.summary) for name, plug_in in sorted(off)],
        listens=site.platform.mqtt is not None,
        since=site.platform.fleet.ways.since,
        shows_faults=shows_faults,
    )


def view_of(site: Site, connector: Connector, caller: Caller, shows_faults: bool, t: Wording) -> WayView:
    """What it asks by itself it asks for the pool: a member hears nothing of it."""
    ways = site.platform.fleet.ways
    brought = ways.brought_to(caller.tenant).get(connector.name) or Brought()
    fault = ways.find_fault(connector.name) if shows_faults else None
    plug_in: PlugIn | None = list_packaged().get(connector.name)
    asked = asked_by(connector.name) if shows_faults else _NOBODY
    listens = bool(connector.routes or connector.webhooks)
    known = ways.sources.list_of(connector.name) if is_pool(caller) else {}
    state, word = judge_sources(known.values()) or judge(brought, fault, site.now, asked, listens=listens)
    sources = list_sources(known, t, site.now) if shows_faults else []
    failing = [one for one in sources if one.state is not State.GOOD]
    answering = [one for one in sources if one.state is State.GOOD]
    return WayView(
        name=connector.name,
        summary="" if plug_in is None else plug_in.manifest.summary,
        state=state,
        word=word,
        topics=tuple(route.topic_filter for route in connector.routes),
        addresses=tuple(f"{WAYS_IN}{connector.name}{'/' if path else ''}{path}" for path in connector.webhooks),
        works=len(connector.works),
        brought=brought,
        asked=asked,
        fault=None if fault is None else FaultView(fault.at, explain_fault(fault.detail, t)),
        failing=tuple(failing[:SOURCES_SHOWN]),
        answering=tuple(answering[:ANSWERING_SHOWN]),
        more_failing=max(0, len(failing) - SOURCES_SHOWN),
        answering_count=len(answering),
    )


def judge_sources(sources: Collection[Source]) -> tuple[State, str] | None:
    """Of what it asks by itself, feed by feed; None where nothing is wrong with any."""
    failing = sum(one.is_failing for one in sources)
    if failing:
        return (State.BAD, "all_fail") if failing == len(sources) else (State.WARN, "some_fail")
    return (State.WARN, "all_stale") if sources and all(one.is_stale for one in sources) else None


def list_sources(sources: Mapping[str, Source], t: Wording, now: Instant) -> list[SourceView]:
    """Those that fail first, of these those that fail the longest."""
    views = [_source_view(name, one, t, now) for name, one in sources.items()]
    return sorted(views, key=lambda view: (-view.state, view.source.failing_since or 0, view.name))


def _source_view(name: str, source: Source, t: Wording, now: Instant) -> SourceView:
    since = source.failing_since
    fails_for = "" if since is None else spell_span(max(0.0, (now - since) / SECOND), t)
    return SourceView(name, source, judge_source(source), explain_fault(source.reason, t), fails_for)


def judge_source(source: Source) -> State:
    if source.is_failing:
        return State.BAD
    return State.WARN if source.is_stale else State.GOOD


def judge(
    brought: Brought, fault: WayFault | None, now: Instant, asked: Mapping[str, int] = _NOBODY, *, listens: bool = True
) -> tuple[State, str]:
    """The state, and the word for it. Where a way in only works by itself, bringing no frames says nothing of it."""
    if fault is not None and now - fault.at < DAY and fault.at >= brought.last_at:
        return State.WARN, "failed"
    if asked and not asked.get(ANSWERED):
        return State.WARN, "no_answer"
    if not brought.frames:
        return (State.STALE, "waits") if listens else (State.GOOD, "runs")
    if brought.refused + brought.waiting == brought.frames:
        return State.WARN, "all_wait" if brought.waiting == brought.frames else "refused_all"
    return (State.GOOD, "hears") if now - brought.last_at <= QUIET_AFTER else (State.STALE, "quiet")


def asked_by(way: str) -> dict[str, int]:
    """Devices this process asked for their values, by result."""
    return {
        sample.labels["result"]: round(sample.value)
        for metric in metrics.POLLS.collect()
        for sample in metric.samples
        if sample.name.endswith("_total") and sample.labels["way"] == way
    }


ROUTES = [Route("/console/connectors", connectors_page, methods=["GET"])]
