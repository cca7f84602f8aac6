"""The first start: the stage of the story is set, and the months before are told while the devices begin to speak."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import NamedTuple, Protocol

from parvis.broker.broker import Broker
from parvis.broker.ports.archive import day_of
from parvis.broker.ports.past import Brought, OldObservations
from parvis.demo.devices.device import Thing
from parvis.demo.happenings import DemoStory
from parvis.demo.past import Days, bring_days, list_days
from parvis.demo.story.kept import KeptStory
from parvis.demo.story.stage import Stage
from parvis.demo.things import Bound, digest_of, write_things
from parvis.kernel.identity import Caller, system_caller
from parvis.kernel.time import Clock, system_clock

_log = logging.getLogger(__name__)
Say = Callable[[str], None]
Told = Awaitable[Sequence[OldObservations]]


class Remembers(Protocol):
    """What tells of the stage and of the days before, elsewhere; each question is begun at once."""

    def stage(self) -> Awaitable[Stage]: ...

    def things(self) -> Awaitable[tuple[list[Thing], list[Bound]]]: ...

    def tell(self, days: Days) -> Awaitable[Sequence[OldObservations]]: ...

    def close(self) -> None: ...


class _Begun(NamedTuple):
    stage: Awaitable[Stage]
    things: Awaitable[tuple[list[Thing], list[Bound]]]
    first: list[Told]


class FirstStart:
    """At later starts the days since the last one are told. What was stopped on the way is told again."""

    def __init__(
        self,
        rememberer: Remembers,
        kept: KeptStory,
        story: DemoStory,
        days: int,
        say: Say,
        clock: Clock = system_clock,
    ) -> None:
        self._rememberer, self._kept, self._story = rememberer, kept, story
        self._days, self._say, self._clock = days, say, clock
        self._caller: Caller = system_caller("demo")
        self._parts: list[Days] = []
        self._begun: _Begun | None = None
        if not kept.things:
            story.lay("land")

    def begin(self) -> None:
        """What is needed is made ready, while devices are registered."""
        if not self._kept.things:
            self._story.lay("devices")
        today = day_of(self._clock())
        self._parts = list_days(max(self._kept.told_until, today - self._days), today)
        self._begun = _Begun(
            self._rememberer.stage(),
            self._rememberer.things(),
            [self._rememberer.tell(part) for part in self._parts[:1]],
        )

    def give_up(self, fault: Exception) -> None:
        """The platform goes on without what is not laid out; pages say so, and the log why."""
        _log.error("the demonstration could not be laid out", exc_info=fault)
        self._end("fault")
        with suppress(OSError):
            self._say(f"Something of the demonstration could not be laid out: {str(fault) or type(fault).__name__}")

    def _end(self, part: str) -> None:
        self._story.past_share = 1.0
        self._story.lay(part)
        self._rememberer.close()

    async def run(self, broker: Broker) -> None:
        """Entities are to be known before. Whatever happens, the platform goes on."""
        try:
            if self._begun is None:
                self.begin()
            assert self._begun is not None, "it has begun"
            self._story.ready(await self._begun.stage)
            await self._set_things(broker, *await self._begun.things)
            if self._parts:
                await self._bring(broker, self._begun.first)
        except Exception as fault:
            self.give_up(fault)
        else:
            self._end("")

    async def _set_things(self, broker: Broker, things: Sequence[Thing], bound: Sequence[Bound]) -> None:
        """Where they are not as they were written last."""
        mark = digest_of(things, bound)
        if mark != self._kept.things:
            await write_things(broker, self._caller, things, bound)
            await asyncio.to_thread(self._kept.note_things, mark)

    async def _bring(self, broker: Broker, begun: list[Told]) -> None:
        parts, today = self._parts, self._parts[0].last
        began_s, total = time.monotonic(), Brought()
        self._story.past_share = 0.0
        self._story.lay("past")
        expand = broker.contexts.parvis.expand

        async def bring(old: OldObservations) -> Brought:
            return await broker.bring_past(self._caller, old)

        def tell(days: Days) -> Told:
            return begun.pop() if begun else self._rememberer.tell(days)

        async for share, total in bring_days(parts, tell, expand, bring):
            self._story.past_share = share
            self._say(f"The past: {share:.0%} of {today - parts[-1].first} days, {total.written:,} readings")
        await asyncio.to_thread(self._kept.note_told, today)
        self._say(f"The past is told: {total.written:,} readings in {time.monotonic() - began_s:.1f} s.")
