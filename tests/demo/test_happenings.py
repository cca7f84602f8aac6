"""What the console of the demonstration tells of its story, and what it sets off."""

from pathlib import Path

import pytest

from parvis.demo.happenings import DemoStory, running_clock
from parvis.demo.story.kept import KeptStory
from parvis.demo.story.line import read_line
from parvis.demo.story.stage import Spot, Stage
from parvis.kernel.errors import Overloaded, ResourceNotFound
from parvis.kernel.time import SECOND

BEGUN_S = 1_795_348_800.0
BURST = """
[[trigger]]
id = "burst"
kind = "burst"
lasts_min = 60
place = { of = "main" }
label = { fr = "Rompre", en = "Burst" }
title = { fr = "Rupture, {place}", en = "A burst, {place}" }
tells = { fr = "Ça coule.", en = "It runs." }
expect = { fr = "La pression tombe : {place}.", en = "The pressure falls: {place}." }
"""


def main(name: str) -> tuple[str, Spot]:
    return "main", Spot(frozenset({name}), 0, 0, "port", name, f"urn:{name}")


@pytest.fixture
def story(tmp_path: Path) -> DemoStory:
    clock = lambda: round((BEGUN_S + 625) * SECOND)  # noqa: E731
    return DemoStory(KeptStory.open(tmp_path, 7, BEGUN_S), read_line(BURST), clock)


async def test_nothing_is_told_until_the_stage_is_set(story: DemoStory) -> None:
    assert not story.list_happenings("fr")
    assert not story.list_offers("fr")
    with pytest.raises(Overloaded):
        await story.set_off("burst")


async def test_what_is_set_off_begins_now_and_says_what_will_be_seen(story: DemoStory) -> None:
    story.ready(Stage([main("a"), main("b")]))

    assert [one.label for one in story.list_offers("fr")] == ["Rompre"]
    assert await story.set_off("burst") == "burst-1"
    assert await story.set_off("burst") == "burst-2"

    first, second = story.list_happenings("en")
    assert (first.id, first.begins_at, first.look) == ("burst-1", story.now - 25 * SECOND, "urn:a")
    assert (second.tells, second.is_set_off) == ("The pressure falls: b.", True)
    with pytest.raises(ResourceNotFound):
        await story.set_off("flood")


def test_devices_live_ahead_where_they_are_faster() -> None:
    ticks = iter([100, 110])

    assert running_clock(lambda: next(ticks), 60.0)() == 100 + 600
