"""Floods of a night of lighting: what is folded, and that nothing is ever lost in the folding."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from parvis.kernel.time import HOUR, MINUTE, SECOND
from parvis.operations.alarms.flood import Cause, Tree, Windows, fold, is_flood

T0 = 1_000 * HOUR
WINDOWS = Windows()


def lighting(feeders: int = 3, lamps: int = 4) -> Tree:
    parents = {f"lamp-{feeder}-{lamp}": f"feeder-{feeder}" for feeder in range(feeders) for lamp in range(lamps)}
    parents |= {f"feeder-{feeder}": "cabinet" for feeder in range(feeders)} | {"cabinet": "town"}
    return Tree(parents, {f"feeder-{feeder}": lamps for feeder in range(feeders)} | {"cabinet": feeders, "town": 40})


def raised(name: str, at: int = T0) -> Cause:
    return Cause(name, at, f"alarm of {name}")


def feeder_lost(feeder: int, at: int = T0, lamps: int = 4) -> list[Cause]:
    return [raised(f"lamp-{feeder}-{lamp}", at + lamp * SECOND) for lamp in range(lamps)]


def tops(causes: list[Cause]) -> list[tuple[str, int]]:
    return [(one.entity_id, len(list(one.list_alarms()))) for one in causes]


def test_the_cabinet_explains_its_lamps_though_they_were_noticed_first() -> None:
    causes = fold([*feeder_lost(0), raised("cabinet", T0 + MINUTE)], [lighting()])
    assert tops(causes) == [("cabinet", 5)]
    assert next(causes[0].list_alarms()) == "alarm of cabinet"


def test_a_feeder_that_nothing_watches_is_the_cause_where_most_of_its_lamps_fail() -> None:
    (cause,) = fold(feeder_lost(1), [lighting()])
    assert (cause.entity_id, cause.alarm_id, cause.at) == ("feeder-1", "", T0)
    assert len(cause.led_to) == 4


def test_all_feeders_at_once_are_the_cabinet_and_no_more() -> None:
    assert tops(fold([one for feeder in range(3) for one in feeder_lost(feeder)], [lighting()])) == [("cabinet", 12)]


def test_two_feeders_of_a_town_are_two_causes() -> None:
    tree = lighting(feeders=12)
    assert tops(fold(feeder_lost(0) + feeder_lost(7), [tree])) == [("feeder-0", 4), ("feeder-7", 4)]


def test_single_lamps_stay_single() -> None:
    lamps = [raised("lamp-0-1"), raised("lamp-0-2"), raised("lamp-2-0")]
    assert len(fold(lamps, [lighting(lamps=20)])) == 3


def test_what_failed_long_before_is_not_explained_by_what_fails_now() -> None:
    causes = fold([raised("lamp-0-0", T0 - HOUR), raised("cabinet"), raised("lamp-0-1")], [lighting()])
    assert tops(causes) == [("lamp-0-0", 1), ("cabinet", 2)]


def test_failures_that_trickle_in_over_a_day_are_no_common_failure() -> None:
    lamps = [raised(f"lamp-0-{lamp}", T0 + lamp * HOUR) for lamp in range(4)]
    assert len(fold(lamps, [lighting()])) == 4


def test_several_alarms_of_one_thing_are_one() -> None:
    assert tops(fold([raised("cabinet"), Cause("cabinet", T0 + MINUTE, "door open")], [lighting()])) == [("cabinet", 2)]


def test_what_no_tree_of_assets_explains_a_zone_may() -> None:
    zones = Tree({f"meter-{number}": "harbour" for number in range(4)} | {"cabinet": "harbour"}, {"harbour": 6})
    meters = [raised(f"meter-{number}") for number in range(4)]
    assert tops(fold([*meters, *feeder_lost(0), raised("cabinet")], [lighting(), zones])) == [("harbour", 9)]


def test_without_knowing_how_many_there_are_nothing_is_concluded() -> None:
    assert len(fold(feeder_lost(0), [Tree(lighting().parents)])) == 4


def test_a_tree_that_runs_in_a_circle_does_no_harm() -> None:
    circle = Tree({"a": "b", "b": "c", "c": "a"}, {"a": 1, "b": 1, "c": 1})
    assert tops(fold([raised("a"), raised("b"), raised("c")], [circle])) in ([("a", 3)], [("b", 3)], [("c", 3)])


def test_a_flood_ends_lower_than_it_begins() -> None:
    assert [is_flood(False, count, 10) for count in (10, 11)] == [False, True]
    assert [is_flood(True, count, 10) for count in (5, 4)] == [True, False]


NAMES = st.sampled_from([f"n{number}" for number in range(12)])
ALARMS = st.lists(st.builds(Cause, NAMES, st.integers(T0, T0 + 30 * MINUTE), st.uuids().map(str)), max_size=40)
TREES = st.lists(st.builds(Tree, st.dictionaries(NAMES, NAMES), st.dictionaries(NAMES, st.integers(0, 6))), max_size=3)


@given(ALARMS, TREES)
def test_nothing_is_lost_and_nothing_told_twice(alarms: list[Cause], trees: list[Tree]) -> None:
    causes = fold(alarms, trees)
    assert Counter(one for cause in causes for one in cause.list_alarms()) == Counter(one.alarm_id for one in alarms)
    assert len(causes) <= len(alarms)


@given(ALARMS, TREES, st.randoms())
def test_the_order_in_which_alarms_come_changes_nothing(alarms: list[Cause], trees: list[Tree], chance: object) -> None:
    mixed = alarms.copy()
    chance.shuffle(mixed)  # type: ignore[attr-defined]
    assert fold(mixed, trees) == fold(alarms, trees)


@given(ALARMS, TREES)
def test_a_cause_lies_near_in_time_to_what_it_led_to(alarms: list[Cause], trees: list[Tree]) -> None:
    waiting = fold(alarms, trees)
    while waiting:
        cause = waiting.pop()
        reach = WINDOWS.late if cause.alarm_id else max(WINDOWS.late, WINDOWS.early * len(cause.led_to))
        assert all(-WINDOWS.early <= one.at - cause.at <= reach for one in cause.led_to)
        waiting.extend(cause.led_to)
