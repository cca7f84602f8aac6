"""How well a lit road uses its energy: the two indicators of EN 13201-5:2015, which are told together."""

from collections.abc import Sequence

import msgspec

HOURS_A_YEAR = 8760.0


class Area(msgspec.Struct, frozen=True):
    """A part of the road, with the mean horizontal illuminance calculated for it, maintained (4.2, 4.4)."""

    area_m2: float
    illuminance_lx: float


class Period(msgspec.Struct, frozen=True):
    """Hours of the year, and the share of the full power that is drawn meanwhile.

    Where somebody is heard or seen, which is so for `detection_share` of the time, `detected_share` of it is drawn.
    """

    hours: float
    power_share: float
    detection_share: float = 0.0
    detected_share: float = 1.0

    @property
    def mean_share(self) -> float:
        return (1 - self.detection_share) * self.power_share + self.detection_share * self.detected_share


class Undefined(ValueError):
    """Nothing is lit there, so nothing can be said of how well."""


def power_density_w_per_lx_m2(power_w: float, areas: Sequence[Area]) -> float:
    """PDI, clause 4.1: the system's power, gear and controls included, by the light that falls on the areas."""
    lumens = sum(area.illuminance_lx * area.area_m2 for area in areas)
    if lumens <= 0:
        raise Undefined("No light falls on any area.")
    return power_w / lumens


def annual_consumption_wh_per_m2(
    power_w: float, periods: Sequence[Period], areas: Sequence[Area], standing_w: float = 0.0
) -> float:
    """AECI, clause 5: what the system draws in a year by the area it lights.

    `standing_w` is drawn all the year beside the lamps: by gateways, sensors, controllers.
    """
    area_m2 = sum(area.area_m2 for area in areas)
    if area_m2 <= 0:
        raise Undefined("No area is lit.")
    lit_wh = sum(power_w * period.mean_share * period.hours for period in periods)
    return (lit_wh + standing_w * HOURS_A_YEAR) / area_m2
