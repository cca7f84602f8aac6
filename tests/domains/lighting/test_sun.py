"""Against the example of the report, and against another implementation (pvlib) where no example is printed."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from pvlib.solarposition import get_solarposition, sun_rise_set_transit_spa  # type: ignore[import-untyped]

from parvis.domains.lighting.model.program import CIVIL_DEG, SUNSET_DEG
from parvis.domains.lighting.rules.nights import day_of, list_days
from parvis.domains.lighting.rules.sun import Air, find_position
from parvis.domains.lighting.rules.twilight import Ephemeris

GOLDEN = 39.742476, -105.1786
MOUNTAIN_TIME = timedelta(hours=-7)
PROMISED_S = 30.0
FRANCE = {
    "Bray-Dunes": (51.08, 2.52), "Ouessant": (48.46, -5.09), "Lauterbourg": (48.97, 8.18), "Lorient": (47.75, -3.37),
    "Dijon": (47.32, 5.04), "Nevers": (46.99, 3.16), "Hendaye": (43.36, -1.77), "Bonifacio": (41.39, 9.16),
    "Lamanère": (42.36, 2.52), "Chamonix": (45.92, 6.87), "Fort-de-France": (14.61, -61.07), "Cayenne": (4.94, -52.33),
    "Saint-Denis": (-20.88, 55.45), "Mamoudzou": (-12.78, 45.23), "Nouméa": (-22.27, 166.45),
    "Papeete": (-17.54, -149.57), "Miquelon": (47.10, -56.38),
}  # fmt: skip
NEAR_DEG = 120
"""Beyond it the other one is up to a minute off by its own position of the sun: there days of universal time meet."""
LATITUDES = np.array([place[0] for place in FRANCE.values()])
LONGITUDES = np.array([place[1] for place in FRANCE.values()])


def clock(at_s: float) -> str:
    return f"{datetime.fromtimestamp(at_s, UTC) + MOUNTAIN_TIME:%Y-%m-%d %H:%M:%S}"


def test_the_position_is_that_of_the_report() -> None:
    """Table A5.1: Golden, Colorado, 17 October 2003, 12:30:30 by mountain standard time."""
    at_s = np.array([datetime(2003, 10, 17, 19, 30, 30, tzinfo=UTC).timestamp()])
    found = find_position(at_s, *GOLDEN, height_m=1830.14, air=Air(820, 11, 0.5667), delta_t_s=67)
    assert found.zenith_deg[0] == pytest.approx(50.11162, abs=5e-6)
    assert found.azimuth_deg[0] == pytest.approx(194.34024, abs=5e-6)


def test_sunrise_and_sunset_are_those_of_the_report() -> None:
    """Its day is that of universal time: the sunset that it prints ends the day before, as people in Golden count."""
    days = list_days(date(2003, 10, 16), date(2003, 10, 17))
    where = np.array([GOLDEN[0]]), np.array([GOLDEN[1]])
    ephemeris = Ephemeris(int(days[0]), int(days[-1]))
    assert clock(ephemeris.find_mornings(*where, days, SUNSET_DEG)[0, 1]) == "2003-10-17 06:12:43"
    assert clock(ephemeris.find_evenings(*where, days, SUNSET_DEG)[0, 0]) == "2003-10-16 17:20:19"


@pytest.mark.parametrize("year", [2024, 2027, 2038])
def test_all_over_france_the_sun_rises_and_sets_when_another_implementation_says(year: int) -> None:
    days = list_days(date(year, 1, 1), date(year, 12, 31))
    ephemeris = Ephemeris(int(days[0]), int(days[-1]))
    evenings = ephemeris.find_evenings(LATITUDES, LONGITUDES, days, SUNSET_DEG)
    mornings = ephemeris.find_mornings(LATITUDES, LONGITUDES, days, SUNSET_DEG)
    universal = pd.date_range(date(year - 1, 12, 30), date(year + 1, 1, 3), tz="UTC")
    for row, (latitude, longitude) in enumerate(FRANCE.values()):
        if abs(longitude) > NEAR_DEG:
            continue
        told = sun_rise_set_transit_spa(universal, latitude, longitude)
        for ours, theirs in ((mornings[row], told["sunrise"]), (evenings[row], told["sunset"])):
            told_s = np.array([at.timestamp() for at in theirs])
            away_s = np.abs(ours[:, None] - told_s).min(axis=1)
            assert away_s.max() < 1


def test_all_over_france_street_lamps_switch_when_the_sun_stands_where_they_wait_for_it() -> None:
    """No table of civil twilight is printed: the place of the sun at our switching time is asked of the other one."""
    days = list_days(date(2027, 1, 1), date(2027, 12, 31))
    ephemeris = Ephemeris(int(days[0]), int(days[-1]))
    for find, later in ((ephemeris.find_evenings, -1), (ephemeris.find_mornings, 1)):
        switched = find(LATITUDES, LONGITUDES, days, CIVIL_DEG)
        for row, (latitude, longitude) in enumerate(FRANCE.values()):
            before, after = (
                get_solarposition(pd.to_datetime(switched[row] + s, unit="s", utc=True), latitude, longitude)
                for s in (-PROMISED_S / 10 * later, PROMISED_S / 10 * later)
            )
            assert (before["elevation"].to_numpy() < CIVIL_DEG).all()
            assert (after["elevation"].to_numpy() > CIVIL_DEG).all()


def test_where_it_never_gets_dark_no_night_begins_and_where_no_day_comes_it_lasts() -> None:
    tromsoe = np.array([69.65]), np.array([18.96])
    for night, hours in ((date(2027, 6, 21), 0), (date(2027, 12, 21), 24)):
        days = np.array([day_of(night)])
        ephemeris = Ephemeris(int(days[0]), int(days[0]))
        dusk = ephemeris.find_evenings(*tromsoe, days, 0.0)
        dawn = ephemeris.find_mornings(*tromsoe, days + 1, 0.0)
        assert (dawn - dusk)[0, 0] / 3600 == pytest.approx(hours, abs=0.02)
