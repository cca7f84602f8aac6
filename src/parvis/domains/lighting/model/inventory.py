"""What stands in the streets, as somebody has written it down: most of it may be unknown."""

from datetime import date
from enum import StrEnum
from typing import NamedTuple

import msgspec

from parvis.domains.lighting.model.program import Level


class Place(NamedTuple):
    latitude_deg: float
    longitude_deg: float


class Technology(StrEnum):
    """`lampTechnology` of the Smart Data Models' StreetlightModel, with the further kinds of the French standard."""

    LED = "LED"
    SODIUM = "HPS"
    LOW_PRESSURE_SODIUM = "LPS"
    METAL_HALIDE = "MH"
    MERCURY = "MV"
    FLUORESCENT = "FL"
    HALOGEN = "HAL"
    INCANDESCENT = "INC"
    INDUCTION = "IND"
    XENON = "XEN"


class Lamp(msgspec.Struct, frozen=True):
    """`power_w` is what the grid gives at full light, gear counted in; `standby_w` what the driver draws while it is
    off in the night: by day its circuit is dead.

    A lamp that cannot be dimmed burns fully at any level but 0. `fixed_share` of the power is saved by no dimming.
    """

    power_w: float
    is_dimmable: bool = False
    standby_w: float = 0.0
    fixed_share: float = 0.0

    def power_at_w(self, level: Level) -> float:
        if not level:
            return self.standby_w
        if not self.is_dimmable:
            return self.power_w
        return max(self.standby_w, self.power_w * (self.fixed_share + (1 - self.fixed_share) * level))


class LightPoint(msgspec.Struct, frozen=True, kw_only=True):
    """`cabinet`, `circuit` and `group` are names; `usage` is the category of the French decree of 27 December 2018
    (article 1), `upward_light_ratio` the share above the horizontal as mounted."""

    name: str
    place: Place | None = None
    street: str | None = None
    cabinet: str | None = None
    circuit: str | None = None
    group: str | None = None
    technology: Technology | None = None
    power_w: float | None = None
    is_dimmable: bool | None = None
    luminous_flux_lm: float | None = None
    color_temperature_k: float | None = None
    upward_light_ratio: float | None = None
    height_m: float | None = None
    usage: str | None = None
    installed: date | None = None
