"""The declared story: read with clear errors, set into time and place, kept with what visitors add."""

import errno
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from parvis.demo.devices.kinds import Kind
from parvis.demo.story.events import Course, Event, EventKind, Place
from parvis.demo.story.kept import KeptStory
from parvis.demo.story.line import InvalidStory, own_line, read_line, tell
from parvis.demo.story.stage import Spot, Stage
from parvis.demo.story.story import Story

BEGUN = datetime(2026, 11, 22, 14, tzinfo=UTC).timestamp()
LEAK = """
[[event]]
id = "leak"
kind = "leak"
day = -2
at = "03:00"
lasts_min = 60
strength = 4.0
course = "growing"
place = { of = "main", commune = "port" }
title = { fr = "Fuite, {place}", en = "Leak, {place}" }
tells = { fr = "Elle coule.", en = "It runs." }
"""


def spot(name: str, commune: str = "port") -> Spot:
    return Spot(frozenset({name}), 10, 20, commune, f"quai {name}", f"urn:{name}")


STAGE = Stage([("main", spot("junction:a", "town")), ("main", spot("junction:b")), ("main", spot("junction:c"))])


def times(*minutes: float, after: float) -> np.ndarray:
    return np.array([after + 60 * one for one in minutes])


def test_an_event_is_set_on_its_day_at_its_place() -> None:
    [event] = tell(read_line(LEAK), STAGE, BEGUN).events

    assert datetime.fromtimestamp(event.begins_s, UTC) == datetime(2026, 11, 20, 2, tzinfo=UTC)
    assert event.reaches == {"junction:b"}
    assert (event.title["fr"], event.look) == ("Fuite, quai junction:b", "urn:junction:b")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("kind = \"leak\"", "kind = \"flood\""), "flood"),
        (("lasts_min = 60", "lasts_min = 0"), "lasts_min"),
        (("at = \"03:00\"", "at = \"25:00\""), "leak: at is to be a local clock time"),
        (("day = -2", "day = -2\nafter_min = 3"), "leak: give either day and at, or after_min"),
        (("strength", "strenght"), "strenght"),
        (('en = "Leak, {place}"', 'en = ""'), "leak: title is not told in en"),
        (("[[event]]", "[[event"), "line 2"),
    ],
)  # fmt: skip
def test_a_wrong_line_says_what_is_wrong(change: tuple[str, str], words: str) -> None:
    with pytest.raises(InvalidStory, match=words):
        read_line(LEAK.replace(*change))


def test_a_place_that_is_not_there_is_told_with_those_that_are() -> None:
    with pytest.raises(InvalidStory, match="leak: There is no main in nowhere; there are: main"):
        tell(read_line(LEAK.replace('"port"', '"nowhere"')), STAGE, BEGUN)
    with pytest.raises(InvalidStory, match="twice"):
        read_line(LEAK + LEAK)


def test_a_leak_grows_and_adds_up() -> None:
    story = tell(read_line(LEAK), STAGE, BEGUN)
    begins = story.events[0].begins_s
    at = times(-1, 0, 30, 59, 61, after=begins)

    here = story.effects_at(at, Place(frozenset({"junction:b"})))
    elsewhere = story.effects_at(at, Place(frozenset({"junction:a"})))

    assert here.leak_l_per_s.tolist() == pytest.approx([0, 0, 2, 4 * 59 / 60, 0])
    assert here.leaked_l[-1] == pytest.approx(4 * 3600 / 2)
    assert (np.diff(here.leaked_l) >= 0).all()
    assert not elsewhere.leak_l_per_s.any()


@pytest.mark.parametrize(
    ("kind", "member", "during", "else_"),
    [
        (EventKind.RADIO_LOSS, "heard", False, True),
        (EventKind.FEED_DOWN, "heard", False, True),
        (EventKind.CABLE_THEFT, "powered", False, True),
        (EventKind.BLACKOUT, "powered", False, True),
        (EventKind.BREAKDOWN, "working", False, True),
        (EventKind.OVERFILL, "fill", 0.5, 0.0),
        (EventKind.MARKET, "crowd", 0.5, 1.0),
        (EventKind.FLAT_BATTERY, "battery", 0.5, 1.0),
    ],
)
def test_each_kind_does_its_own(kind: EventKind, member: str, during: float, else_: float) -> None:
    event = Event("x", kind, BEGUN, BEGUN + 3600, 0.5, Course.STEP, {}, {}, frozenset({"me"}))

    effects = Story(BEGUN, [event]).effects_at(times(-5, 5, 700, after=BEGUN), Place(frozenset({"me"})))

    assert getattr(effects, member).tolist() == [else_, during, else_]


def test_what_stands_near_is_concerned_too() -> None:
    event = Event("x", EventKind.FESTIVAL, BEGUN, BEGUN + 60, 3, Course.STEP, {}, {}, x=0, y=0, radius_m=100)
    story = Story(BEGUN, [event])

    assert story.crowd(np.array([BEGUN]), Place(frozenset(), 60, 60)) == 3
    assert story.crowd(np.array([BEGUN]), Place(frozenset(), 80, 80)) == 1


def test_what_a_visitor_sets_off_stays_after_a_restart_and_comes_elsewhere_each_time(tmp_path: Path) -> None:
    line = read_line(own_line_of_triggers())
    kept = KeptStory.open(tmp_path, 7, BEGUN)
    devices = KeptStory.open(tmp_path, 7, BEGUN + 99)

    kept.add("burst", BEGUN + 60)
    kept.add("burst", BEGUN + 90)

    assert devices.begun_at_s == BEGUN
    assert devices.refresh()
    assert not devices.refresh()
    events = devices.told(line, STAGE).events
    assert [(one.id, one.begins_s, *one.reaches) for one in events] == [
        ("burst-1", BEGUN + 60, "junction:a"),
        ("burst-2", BEGUN + 90, "junction:b"),
    ]
    assert KeptStory.open(tmp_path, 8, BEGUN + 5).begun_at_s == BEGUN + 5


def test_nothing_is_lost_where_several_write_at_once(tmp_path: Path) -> None:
    """Threads of this process, and who opened the file on their own."""
    kept, other = KeptStory.open(tmp_path, 7, BEGUN), KeptStory.open(tmp_path, 7, BEGUN)
    writes: list[Callable[[], int | None]] = [
        *(partial(one.add, "burst", BEGUN) for one in [kept, other] * 15),
        *(partial(kept.note_told, number) for number in range(1, 16)),
        *(partial(other.note_things, f"mark {number}") for number in range(15)),
    ]
    with ThreadPoolExecutor(8) as threads:
        answers = [one.result() for one in [threads.submit(write) for write in writes]]

    found = KeptStory.open(tmp_path, 7, BEGUN)
    assert set(answers[:30]) == set(range(1, 31)), "each is another one"
    assert (len(found.triggered), found.told_until > 0, found.things[:4]) == (30, True, "mark")
    assert list(tmp_path.glob("*.part")) == []


def test_what_could_not_be_kept_did_not_happen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = KeptStory.open(tmp_path, 7, BEGUN)

    def fill(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr("os.fsync", fill)
        with pytest.raises(OSError, match="No space"):
            kept.note_told(20_000)

    assert kept.told_until == 0
    assert KeptStory.open(tmp_path, 7, BEGUN).told_until == 0
    kept.note_told(20_000)
    assert KeptStory.open(tmp_path, 7, BEGUN).told_until == 20_000


def test_what_of_the_past_is_told_is_kept_beside(tmp_path: Path) -> None:
    kept = KeptStory.open(tmp_path, 7, BEGUN)
    devices = KeptStory.open(tmp_path, 7, BEGUN)

    kept.note_told(20_000)

    assert not devices.refresh(), "nothing was set off"
    assert KeptStory.open(tmp_path, 7, BEGUN).told_until == 20_000


def test_a_file_that_cannot_be_read_is_said_to_be_so(tmp_path: Path) -> None:
    (tmp_path / "story.json").write_text("{")

    with pytest.raises(InvalidStory, match="delete it"):
        KeptStory.open(tmp_path, 7, BEGUN)


def own_line_of_triggers() -> str:
    return LEAK.replace("[[event]]", "[[trigger]]").replace('"leak"\nkind = "leak"', '"burst"\nkind = "burst"').replace(
        'day = -2\nat = "03:00"\n', ""
    ).replace(', commune = "port"', "") + (
        'label = { fr = "Rompre", en = "Burst" }\nexpect = { fr = "Baisse à {place}", en = "Falls at {place}" }\n'
    )


def test_the_own_line_fills_the_past_and_the_first_hour() -> None:
    line = own_line()

    assert {one.kind for one in line.event} >= set(EventKind) - {EventKind.VALVE_SHUT, EventKind.BLACKOUT}
    assert sum(one.after_min is not None and one.after_min < 60 for one in line.event) >= 3
    assert min(one.day for one in line.event if one.day is not None) >= -90
    shown = {EventKind.BURST, EventKind.OVERFILL, EventKind.BLACKOUT, EventKind.FEED_DOWN}
    assert {one.kind for one in line.trigger} == shown
    kinds = {*(one.place.of for one in line.event), *(one.place.of for one in line.trigger)}
    assert kinds - {""} <= {
        "main",
        "pump",
        "circuit",
        "feeder",
        "radio",
        "feed",
        "festival",
        "market",
        *(one.value for one in Kind),
    }
