"""Where people gather: squares, gates, quays, beaches, the festival ground; what makes each commune itself."""

from dataclasses import dataclass
from enum import StrEnum


class VenueKind(StrEnum):
    MARKET = "market"
    OLD_TOWN = "old town"
    QUAY = "quay"
    MARINA = "marina"
    BEACH = "beach"
    FESTIVAL = "festival"
    STATION = "station"
    SHOPPING = "shopping"
    SPORTS = "sports"
    CAMPSITE = "campsite"
    VIEWPOINT = "viewpoint"
    BOURG = "bourg"


@dataclass(frozen=True, slots=True)
class Venue:
    """`capacity` is how many people make it crowded; `weekday` is the market's (0 is Monday), None elsewhere."""

    id: str
    kind: VenueKind
    name: str
    x: float
    y: float
    address: str
    commune: int
    capacity: int
    weekday: int | None = None
