"""The declared story line: read once from TOML, checked with clear words, set on a stage and into time."""

from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Annotated

import msgspec
import numpy as np

from parvis.demo.nature.calendar import local_midnight_s, moments
from parvis.demo.story.events import Course, Event, EventKind
from parvis.demo.story.stage import NoSuchPlace, Spot, Stage
from parvis.demo.story.story import Story
from parvis.kernel.errors import ParvisError

LANGUAGES = ("fr", "en")
Words = dict[str, str]
Positive = Annotated[float, msgspec.Meta(gt=0)]


class InvalidStory(ParvisError):
    title = "The story line cannot be used"


class Where(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One thing of the stage, or everybody where `of` is empty; `radius_m` reaches all around it."""

    of: str = ""
    commune: str = ""
    pick: int = 0
    radius_m: float = 0.0


class Declared(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`title` and `tells` may say {place}. `strength` is in the unit of the kind, see Event.

    `show` is a kind of the stage: what of it stands there shows the event better than the place does.
    """

    id: str
    kind: EventKind
    lasts_min: Positive
    title: Words
    tells: Words
    strength: Positive = 1.0
    course: Course = Course.STEP
    place: Where = Where()
    show: str = ""


class Beginning(Declared, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """It begins on a local day counted from that of the start (0), at a clock time; or minutes after the start."""

    day: int | None = None
    at: str = ""
    after_min: float | None = None


class Trigger(Declared, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a visitor may set off; `label` is the button's, `expect` says what will be seen then."""

    label: Words
    expect: Words


class Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    event: tuple[Beginning, ...] = ()
    trigger: tuple[Trigger, ...] = ()


def own_line() -> Line:
    return read_line((files("parvis.demo.story") / "story.toml").read_text(encoding="utf-8"))


def read_line(text: str) -> Line:
    """Raises InvalidStory."""
    try:
        line = msgspec.toml.decode(text, type=Line)
    except (msgspec.ValidationError, msgspec.DecodeError, ValueError) as error:
        raise InvalidStory(f"{error}") from error
    declared: Sequence[Declared] = (*line.event, *line.trigger)
    for one in declared:
        _check(one)
    seen: set[str] = set()
    for one in declared:
        if one.id in seen:
            raise InvalidStory(f"{one.id} is declared twice.")
        seen.add(one.id)
    return line


def _check(one: Declared) -> None:
    texts = {"title": one.title, "tells": one.tells}
    if isinstance(one, Trigger):
        texts |= {"label": one.label, "expect": one.expect}
    for name, words in texts.items():
        missing = [language for language in LANGUAGES if not words.get(language)]
        if missing:
            raise InvalidStory(f"{one.id}: {name} is not told in {' and '.join(missing)}.")
    if isinstance(one, Beginning):
        _check_begin(one)


def _check_begin(one: Beginning) -> None:
    if (one.day is None) == (one.after_min is None):
        raise InvalidStory(f"{one.id}: give either day and at, or after_min.")
    if one.day is not None:
        _minutes(one)


def _minutes(one: Beginning) -> int:
    hours, _, minutes = one.at.partition(":")
    if not (hours.isdigit() and minutes.isdigit() and int(hours) < 24 and int(minutes) < 60):
        raise InvalidStory(f"{one.id}: at is to be a local clock time such as 06:30, not {one.at!r}.")
    return int(hours) * 60 + int(minutes)


def tell(line: Line, stage: Stage, begun_at_s: float) -> Story:
    """Raises InvalidStory."""
    return Story(begun_at_s, [set_event(one, stage, _begin_s(one, begun_at_s)) for one in line.event])


def set_event(one: Declared, stage: Stage, begins_s: float, turn: int = 0, *, is_triggered: bool = False) -> Event:
    """`turn` counts how often it happened before: each time it comes elsewhere. Raises InvalidStory."""
    spot = _find_spot(one, stage, turn)
    label = {"place": spot.label if spot else ""}
    return Event(
        id=one.id if not is_triggered else f"{one.id}-{turn + 1}",
        kind=one.kind,
        begins_s=begins_s,
        ends_s=begins_s + one.lasts_min * 60,
        strength=one.strength,
        course=one.course,
        title=_filled(one.title, label),
        tells=_filled(one.expect if isinstance(one, Trigger) else one.tells, label),
        reaches=spot.names if spot and not one.place.radius_m else frozenset(),
        x=spot.x if spot else 0.0,
        y=spot.y if spot else 0.0,
        radius_m=one.place.radius_m,
        look=_look(one, stage, spot),
        is_triggered=is_triggered,
    )


def _look(one: Declared, stage: Stage, spot: Spot | None) -> str:
    if one.show:
        return stage.get(one.show).look
    if spot is None:
        return ""
    return spot.device if one.kind is EventKind.FLAT_BATTERY else spot.look


def _find_spot(one: Declared, stage: Stage, turn: int) -> Spot | None:
    if not one.place.of:
        return None
    try:
        return stage.get(one.place.of, one.place.commune, one.place.pick + turn)
    except NoSuchPlace as fault:
        raise InvalidStory(f"{one.id}: {fault}") from fault


def _begin_s(one: Beginning, begun_at_s: float) -> float:
    if one.after_min is not None:
        return begun_at_s + one.after_min * 60
    assert one.day is not None, "checked when it was read"
    today = int(moments(np.array([begun_at_s])).day[0])
    return local_midnight_s(today + one.day) + _minutes(one) * 60


def _filled(words: Mapping[str, str], facts: Mapping[str, str]) -> dict[str, str]:
    return {language: text.format(**facts) for language, text in words.items()}
