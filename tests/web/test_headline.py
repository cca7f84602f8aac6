from pathlib import Path

import pytest

from parvis import web
from parvis.kernel.time import HOUR, MINUTE
from parvis.web.headline import DEVICE, PROFILES, Domain, Headline, State, judge, profile_of, state_of, types_of

FILL = PROFILES["WasteContainer"].headlines[0]
NOW = 1_000 * HOUR


@pytest.mark.parametrize(
    ("level", "state"), [(0, State.GOOD), (0.79, State.GOOD), (0.8, State.WARN), (0.94, State.WARN), (0.95, State.BAD)]
)
def test_a_container_is_judged_by_how_full_it_is(level: float, state: State) -> None:
    assert state_of(FILL, level, NOW, NOW) is state


def test_after_three_missed_readings_an_object_is_silent() -> None:
    assert state_of(FILL, 0.5, NOW - 3 * HOUR, NOW) is State.GOOD
    assert state_of(FILL, 0.5, NOW - 3 * HOUR - 1, NOW) is State.STALE
    assert state_of(FILL, 0.85, NOW - 5 * HOUR, NOW) is State.STALE


def test_a_full_container_stays_to_act_on_however_old_the_reading() -> None:
    assert state_of(FILL, 0.97, NOW - 50 * HOUR, NOW) is State.BAD


def test_without_any_reading_an_object_is_silent() -> None:
    assert state_of(FILL, None, None, NOW) is State.STALE


def test_a_reported_leak_is_bad_whatever_the_flow() -> None:
    flow = PROFILES["WaterConsumptionObserved"].headlines[0]
    assert state_of(flow, 3, NOW, NOW, alarmed=True) is State.BAD


def test_low_battery_is_bad() -> None:
    assert [judge(DEVICE, level) for level in (0.2, 0.19, 0.1, 0.09)] == [State.GOOD, State.WARN, State.WARN, State.BAD]


def test_truth_values_and_words_have_no_threshold() -> None:
    assert judge(FILL, True) is State.GOOD
    assert judge(FILL, "full") is State.GOOD
    assert judge(Headline("status", warn_words=frozenset({"unknown"})), "unknown") is State.WARN


def test_every_type_belongs_to_one_domain_of_the_rail() -> None:
    assert sorted(name for domain in Domain for name in types_of(domain)) == sorted(PROFILES)
    assert types_of(Domain.OTHER) == []


def test_a_type_without_profile_is_shown_all_the_same() -> None:
    assert profile_of(("Beehive",)) == ("Beehive", profile_of(("Another",))[1])
    assert profile_of(("Beehive", "WasteContainer"))[0] == "WasteContainer"


MAY_STAY_SILENT = {"Vehicle", "EVChargingStation", "ChargingConnector", "Streetlight"}
"""Buses sleep at night, lamps by day; a charging point tells what changes."""


def test_thresholds_rise_and_periods_are_stated() -> None:
    for name, profile in PROFILES.items():
        for headline in profile.headlines:
            assert (headline.period is None) == (name in MAY_STAY_SILENT)
            assert headline.period is None or headline.period >= MINUTE
            if headline.warn is not None:
                assert headline.bad is not None
                assert (headline.warn > headline.bad) == headline.low_is_bad


@pytest.mark.parametrize(
    ("type_name", "domain"),
    [
        ("IndoorEnvironmentObserved", Domain.BUILDINGS),
        ("InverterDevice", Domain.ENERGY),
        ("HeatMeterObserved", Domain.ENERGY),
        ("StreetlightControlCabinet", Domain.LIGHTING),
        ("Streetlight", Domain.LIGHTING),
        ("EVChargingStation", Domain.MOBILITY),
    ],
)
def test_a_type_stands_where_its_users_look_for_it(type_name: str, domain: Domain) -> None:
    assert PROFILES[type_name].domain is domain


@pytest.mark.parametrize("domain", Domain)
def test_every_domain_has_its_hue_on_the_map(domain: Domain) -> None:
    folder = Path(str(web.__file__)).parent
    tokens, rules = (folder / "static/css/tokens.css").read_text(), (folder / "components/map/map.css").read_text()
    assert f"--{domain}: " in tokens
    assert f"--on-{domain}: " in tokens
    assert f".marker.{domain} .disc" in rules
    assert f".marker.{domain} .icon" in rules
    assert f'"{domain}"' in (folder / "static/js/map/shapes.js").read_text().split("];")[0]
