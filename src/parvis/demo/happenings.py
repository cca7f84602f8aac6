"""The story of the demonstration as its console shows it, and the setting off of more."""

import asyncio
from collections.abc import Mapping, Sequence

from parvis.demo.story.events import Event, EventKind
from parvis.demo.story.kept import KeptStory, Triggered
from parvis.demo.story.line import Line
from parvis.demo.story.stage import Stage
from parvis.demo.story.story import Story, concerns
from parvis.kernel.errors import Overloaded, ResourceNotFound
from parvis.kernel.happenings import Happening, Laying, Offer
from parvis.kernel.time import MINUTE, SECOND, Clock, Instant

OTHERWISE = "en"
SHOWN = {
    EventKind.LEAK: "waterPressure",
    EventKind.BURST: "waterPressure",
    EventKind.BREAKDOWN: "fillingLevel",
    EventKind.FLAT_BATTERY: "batteryLevel",
    EventKind.STORM: "windSpeed",
    EventKind.CABLE_THEFT: "totalActivePower",
    EventKind.BLACKOUT: "totalActivePower",
    EventKind.OVERFILL: "fillingLevel",
    EventKind.RADIO_LOSS: "fillingLevel",
    EventKind.MARKET: "peopleCount",
    EventKind.FESTIVAL: "peopleCount",
    EventKind.FEED_DOWN: "height",
}
"""The attribute of the entity to look at that tells of it, where it is one."""


class DemoStory:
    """A Happenings. Until the stage is set there is nothing to be told."""

    def __init__(self, kept: KeptStory, line: Line, clock: Clock) -> None:
        self._kept, self._line, self._clock = kept, line, clock
        self._stage: Stage | None = None
        self._told: tuple[Sequence[Triggered], Story] | None = None
        self._touched: Mapping[str, tuple[str, ...]] = {}
        self.past_share = 1.0
        self._part = ""

    def lay(self, part: str) -> None:
        """What is being laid out from now on; empty when all is there."""
        self._part = part

    @property
    def laying(self) -> Laying | None:
        return Laying(self._part, self.past_share) if self._part else None

    def ready(self, stage: Stage) -> None:
        """Raises InvalidStory."""
        self._stage = stage
        self._story()

    @property
    def now(self) -> Instant:
        return self._clock()

    def list_happenings(self, language: str) -> list[Happening]:
        if self._stage is None:
            return []
        story, touched = self._story(), self._touched
        return [_happening(one, language, touched[one.id]) for one in story.events]

    def list_offers(self, language: str) -> list[Offer]:
        if self._stage is None:
            return []
        return [
            Offer(one.id, one.kind.value, _in(one.label, language), _in(one.tells, language))
            for one in self._line.trigger
        ]

    async def set_off(self, offer: str) -> str:
        """From this minute on, for devices measure by it. Raises ResourceNotFound, Overloaded, InvalidStory."""
        if self._stage is None:
            raise Overloaded("The story is being set up: try again in a moment.")
        if offer not in {one.id for one in self._line.trigger}:
            raise ResourceNotFound(f"There is no event {offer!r} to set off.")
        times = await asyncio.to_thread(self._kept.add, offer, self.now // MINUTE * MINUTE / SECOND)
        return f"{offer}-{times}"

    def _story(self) -> Story:
        triggered = self._kept.triggered
        if self._told is None or self._told[0] != triggered:
            assert self._stage is not None, "asked for once it is set"
            self._told = triggered, self._kept.told(self._line, self._stage)
            self._touched = {one.id: list_touched(one, self._stage) for one in self._told[1].events}
        return self._told[1]


def running_clock(clock: Clock, speed: float) -> Clock:
    """The devices' time: from now on it runs `speed` times as fast."""
    began = clock()

    def now() -> Instant:
        return began + round((clock() - began) * speed)

    return now


def list_touched(event: Event, stage: Stage) -> tuple[str, ...]:
    """Of what runs on batteries a blackout touches nothing."""
    is_dark = event.kind is EventKind.BLACKOUT
    found = [one for one in stage.placed if concerns(event, one.place) and (one.needs_current or not is_dark)]
    return () if len(found) == len(stage.placed) else tuple(entity for one in found for entity in one.entities)


def _happening(one: Event, language: str, touched: tuple[str, ...]) -> Happening:
    return Happening(
        one.id,
        one.kind.value,
        round(one.begins_s * SECOND),
        round(one.ends_s * SECOND),
        _in(one.title, language),
        _in(one.tells, language),
        one.look,
        SHOWN.get(one.kind, ""),
        one.is_triggered,
        touched,
    )


def _in(words: Mapping[str, str], language: str) -> str:
    return words.get(language, words[OTHERWISE])
