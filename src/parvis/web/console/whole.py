"""Everything that is followed, counted by the store: right however many there are, and no object is read for it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from parvis.broker.query.tally import Tallied
from parvis.kernel.identity import Caller
from parvis.kernel.time import Instant
from parvis.web.console.dashboards.layout import Widget, WidgetKind
from parvis.web.console.dashboards.subjects import STATES, Subjects, types_about
from parvis.web.filters import Tally
from parvis.web.headline import PROFILES, Domain, State
from parvis.web.objects import count_others, count_types
from parvis.web.site import Site

_EVERYTHING = Widget(WidgetKind.STATES)


@dataclass(frozen=True, slots=True)
class Whole:
    """`domains` are those that have objects, in the rail's order; nothing judges what no domain knows.

    `followed` are those that a domain knows; of them `since` tells how many were measured since each of the moments
    asked for, `newest` when the last was.
    """

    domains: Mapping[Domain, Tally]
    since: tuple[int, ...] = ()
    newest: Instant | None = None

    @property
    def tally(self) -> Tally:
        return sum(self.domains.values(), Tally(0, dict.fromkeys(State, 0)))

    @property
    def followed(self) -> int:
        return sum(tally.total for domain, tally in self.domains.items() if domain is not Domain.OTHER)


async def count_whole(site: Site, caller: Caller, since: Sequence[Instant] = ()) -> Whole:
    queries = [
        msgspec.structs.replace(query, since=tuple(since))
        for query in Subjects(site.reader, site.now, site.platform.broker.sight(caller)).tallies(_EVERYTHING)
    ]
    answer = await site.platform.broker.tally(caller, queries)
    by_type = dict(zip(types_about(_EVERYTHING.about), answer, strict=True))
    rows = [row for of_type in by_type.values() for row in of_type]
    domains = {domain: _tally(by_type, domain) for domain in Domain}
    domains[Domain.OTHER] = calm(count_others(await count_types(site, caller)))
    return Whole(
        {domain: tally for domain, tally in domains.items() if tally.total},
        tuple(sum(row.since[step] for row in rows) for step in range(len(since))),
        max((row.measured for row in rows if row.measured is not None), default=None),
    )


def calm(number: int) -> Tally:
    return Tally(number, dict.fromkeys(State, 0) | {State.GOOD: number})


def _tally(by_type: Mapping[str, Sequence[Tallied]], domain: Domain) -> Tally:
    by_state = dict.fromkeys(State, 0)
    for name, rows in by_type.items():
        if PROFILES[name].domain is domain:
            for row in rows:
                by_state[STATES[row.grade]] += row.entities
    return Tally(sum(by_state.values()), by_state)
