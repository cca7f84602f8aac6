"""When the sun passes an elevation: all evenings and mornings of a year, for thousands of places at once.

What the algorithm gives depends on the time alone, so it is asked every six hours and drawn straight between: that is
exact to 0.0001 degree, a hundredth of a second of the clock.
"""

import numpy as np
import numpy.typing as npt

from parvis.domains.lighting.rules.sun import DAY_S, Floats, find_sun

Days = npt.NDArray[np.int64]
"""Days since the Unix epoch, as the sun counts them at the place."""
_EVERY_S = DAY_S / 4
_ROUNDS = 4


class Ephemeris:
    """Of the days from `first` to `last`, with the mornings after."""

    def __init__(self, first: int, last: int) -> None:
        self._at_s: Floats = np.arange((first - 1) * DAY_S, (last + 3) * DAY_S, _EVERY_S)
        sun = find_sun(self._at_s)
        self._declination_deg = sun.declination_deg
        turned = sun.sidereal_deg - sun.right_ascension_deg - 360 * (self._at_s / DAY_S % 1)
        self._sun_ahead_deg = turned % 360 - 180

    def find_evenings(self, latitude_deg: Floats, longitude_deg: Floats, days: Days, elevation_deg: float) -> Floats:
        """When the sun sinks below it on these days, by place and day. Where it stays above: the middle of the night;
        where it stays below: noon."""
        return self._passing(latitude_deg, longitude_deg, days, elevation_deg, 1.0)

    def find_mornings(self, latitude_deg: Floats, longitude_deg: Floats, days: Days, elevation_deg: float) -> Floats:
        return self._passing(latitude_deg, longitude_deg, days, elevation_deg, -1.0)

    def _passing(
        self, latitude_deg: Floats, longitude_deg: Floats, days: Days, elevation_deg: float, side: float
    ) -> Floats:
        latitude = np.radians(latitude_deg)[:, None]
        noon_deg = 180 - longitude_deg[:, None]
        sine = np.sin(np.radians(elevation_deg))
        at_s = days[None, :] * DAY_S + (noon_deg + side * 90) / 360 * DAY_S
        for _ in range(_ROUNDS):
            declination = np.radians(np.interp(at_s, self._at_s, self._declination_deg))
            cosine = (sine - np.sin(latitude) * np.sin(declination)) / (np.cos(latitude) * np.cos(declination))
            away_deg = side * np.degrees(np.arccos(np.clip(cosine, -1, 1)))
            ahead_deg = np.interp(at_s, self._at_s, self._sun_ahead_deg)
            at_s = days[None, :] * DAY_S + (noon_deg - ahead_deg + away_deg) / 360 * DAY_S
        return np.asarray(at_s)
