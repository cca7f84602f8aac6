"""How members are: what their objects come to, without reading each one, where a mandate lets the pool look."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from parvis.access.members.model import Mandate, Member
from parvis.kernel.identity import Caller, Right
from parvis.kernel.time import SECOND, Instant
from parvis.web.console.dashboards.layout import Widget, WidgetKind
from parvis.web.console.dashboards.subjects import Subjects, Sum, summed
from parvis.web.console.members.frame import elsewhere
from parvis.web.headline import State
from parvis.web.objects import count_others, count_types
from parvis.web.site import Site

AT_ONCE = 4
HELD_FOR = 20 * SECOND


@dataclass(frozen=True, slots=True)
class Health:
    """Of one member's objects; those that no domain knows are counted and not judged."""

    objects: int
    by_state: dict[State, int]
    newest: Instant | None

    @property
    def attention(self) -> int:
        return sum(number for state, number in self.by_state.items() if state.needs_attention)

    @property
    def worst(self) -> State:
        return max((state for state, number in self.by_state.items() if number), default=State.GOOD)


@dataclass(frozen=True, slots=True)
class MemberView:
    """`health` is None where the caller has no mandate to look; `mandates` are those in force."""

    member: Member
    is_in_pool: bool
    mandates: Sequence[Mandate]
    health: Health | None = None


class Figures:
    """Read at most every twenty seconds for each member and kind of caller, however many look."""

    def __init__(self) -> None:
        self._held: dict[object, tuple[Instant, Health]] = {}

    async def of(self, site: Site, caller: Caller) -> Health:
        held = self._held.get(caller.sight)
        if held is not None and site.now - held[0] < HELD_FOR:
            return held[1]
        health = await _read(site, caller)
        self._held = {key: one for key, one in self._held.items() if site.now - one[0] < HELD_FOR}
        self._held[caller.sight] = (site.now, health)
        return health


async def list_views(site: Site, caller: Caller, figures: Figures) -> list[MemberView]:
    """Of all members, those in the pool first."""
    pool, now = site.platform.access.gate.pool, site.now
    gangway = asyncio.Semaphore(AT_ONCE)

    async def view(member: Member) -> MemberView:
        mandates = pool.mandates_of(member.tenant)
        there = elsewhere(site, caller, member.tenant)
        if there is None or not member.is_in_pool(now) or not there.may(Right.READ):
            return MemberView(member, member.is_in_pool(now), mandates)
        async with gangway:
            return MemberView(member, True, mandates, await figures.of(site, there))

    members = site.platform.access.members.list_all()
    views = await asyncio.gather(*(view(one) for one in members))
    return sorted(views, key=lambda one: (not one.is_in_pool, one.member.title.casefold()))


async def _read(site: Site, caller: Caller) -> Health:
    if not await site.platform.broker.is_tenant(caller.tenant):
        return Health(0, {}, None)
    queries = Subjects(site.reader, site.now, site.platform.broker.sight(caller)).tallies(Widget(WidgetKind.STATES))
    found: Sum = summed([row for rows in await site.platform.broker.tally(caller, queries) for row in rows])
    others = count_others(await count_types(site, caller))
    by_state = dict(found.by_state)
    by_state[State.GOOD] = by_state.get(State.GOOD, 0) + others
    return Health(found.entities + others, by_state, found.newest)
