"""The matrix is data, and the worse never comes after the better."""

from importlib.resources import files
from itertools import product

import msgspec
import pytest
from msgspec.structs import replace

from parvis.operations.alarms.model import Alarm, Consequence, Deed, Priority, Rationalization, Urgency
from parvis.operations.alarms.priority import in_order, priority_of, read_matrix, weight_of

TEXT = files("parvis.operations.alarms").joinpath("priority.toml").read_text(encoding="utf-8")


def test_the_worst_within_minutes_is_critical_and_the_least_in_a_week_low() -> None:
    assert priority_of(Rationalization("", Consequence.SEVERE, Urgency.NOW)) is Priority.CRITICAL
    assert priority_of(Rationalization("", Consequence.MINOR, Urgency.WEEK)) is Priority.LOW


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ('"low", "low", "low", "medium"', '"low", "low", "low"', "for each urgency"),
        ('"low", "low", "low", "medium"', '"low", "high", "low", "medium"', "no lower priority"),
        ('"low", "medium", "high", "critical"', '"low", "low", "low", "low"', "no lower priority"),
        ("minor", "trifling", "Invalid enum value"),
    ],
)
def test_a_matrix_that_turns_things_round_is_refused(before: str, after: str, told: str) -> None:
    assert before in TEXT
    with pytest.raises(msgspec.ValidationError, match=told):
        read_matrix(TEXT.replace(before, after, 1))


def test_a_territory_may_weigh_otherwise() -> None:
    about = Rationalization("", Consequence.MINOR, Urgency.NOW)
    assert priority_of(about, read_matrix(TEXT)) is Priority.MEDIUM
    assert (
        priority_of(about, read_matrix(TEXT.replace('"low", "low", "low", "medium"', '"low", "low", "low", "low"', 1)))
        is Priority.LOW
    )


def test_the_list_begins_with_what_is_heaviest_then_unseen_then_oldest() -> None:
    about = Rationalization("", Consequence.MAJOR, Urgency.HOUR)
    first, second = (Alarm("r", name, about, True, at, at) for name, at in (("a", 1), ("b", 2)))
    seen = replace(first, entity_id="c", acknowledged=Deed("user:ada", 3, "", 1))
    severe = replace(second, about=Rationalization("", Consequence.SEVERE, Urgency.HOUR))
    assert in_order([seen, second, first, severe]) == [severe, first, second, seen]


def test_more_weight_is_never_less_priority() -> None:
    abouts = [Rationalization("", *place) for place in product(Consequence, Urgency)]
    ranks = [list(Priority).index(priority_of(one)) for one in sorted(abouts, key=weight_of)]
    assert ranks == sorted(ranks)
