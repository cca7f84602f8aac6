"""How much is known of the light points, and what that is enough for."""

from collections.abc import Mapping, Sequence
from enum import StrEnum

import msgspec

from parvis.domains.lighting.model.inventory import LightPoint


class Purpose(StrEnum):
    """What somebody wants to do with an inventory."""

    SWITCHING = "switching"
    ENERGY = "energy"
    DECREE = "decree"
    RENEWAL = "renewal"


NEEDED: Mapping[Purpose, tuple[str, ...]] = {
    Purpose.SWITCHING: ("place", "cabinet", "circuit"),
    Purpose.ENERGY: ("place", "power_w", "is_dimmable"),
    Purpose.DECREE: ("place", "usage", "luminous_flux_lm", "color_temperature_k", "upward_light_ratio"),
    Purpose.RENEWAL: ("place", "technology", "power_w", "height_m", "installed"),
}
"""The decree is that of 27 December 2018 on light nuisance: it rules by use of the light, its colour and what of it
goes upwards."""
ASKED = tuple(field for field in LightPoint.__struct_fields__ if field != "name")


class Completeness(msgspec.Struct, frozen=True):
    """Shares of the points: `known` by field, `ready` where all is known that a purpose needs. `score` is the mean of
    `known`: 1 is a perfect inventory, and so is one of no points."""

    points: int
    known: dict[str, float]
    ready: dict[Purpose, float]
    score: float


def find_completeness(points: Sequence[LightPoint]) -> Completeness:
    known = {field: _share([getattr(one, field) is not None for one in points]) for field in ASKED}
    ready = {
        purpose: _share([all(getattr(one, field) is not None for field in fields) for one in points])
        for purpose, fields in NEEDED.items()
    }
    return Completeness(len(points), known, ready, sum(known.values()) / len(known))


def _share(holds: Sequence[bool]) -> float:
    return sum(holds) / len(holds) if holds else 1.0
