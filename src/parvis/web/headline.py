"""What the pages say first of an entity: its one attribute that matters, and when that needs attention."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Any

from parvis.kernel.time import HOUR, MINUTE, Instant
from parvis.web.units import SHARES_OF_ONE

STALE_AFTER_PERIODS = 3


class Domain(StrEnum):
    WASTE = "waste"
    WATER = "water"
    ENERGY = "energy"
    BUILDINGS = "buildings"
    LIGHTING = "lighting"
    AIR = "air"
    MOBILITY = "mobility"
    OTHER = "other"


class State(IntEnum):
    """Ordered by how much attention it asks for."""

    GOOD = 0
    STALE = 1
    WARN = 2
    BAD = 3

    @property
    def word(self) -> str:
        return self.name.lower()

    @property
    def needs_attention(self) -> bool:
        return self >= State.WARN


@dataclass(frozen=True, slots=True)
class Headline:
    """`warn` and `bad` are reached at or above their value, or below it where `low_is_bad`.

    `alarm` names an attribute that makes the state BAD wherever it is true or 1. `period` is how often a value is
    expected; None: it may stay silent.
    """

    attribute: str
    period: Instant | None = None
    warn: float | None = None
    bad: float | None = None
    low_is_bad: bool = False
    alarm: str | None = None
    warn_words: frozenset[str] = frozenset()

    @property
    def stale_after(self) -> Instant | None:
        return None if self.period is None else self.period * STALE_AFTER_PERIODS


@dataclass(frozen=True, slots=True)
class TypeProfile:
    """`headlines`: the first whose attribute the entity has is the one.

    `unmeasured` is the state of an entity that has none: what is there for its measurements alone is silent then, a
    container or a building may have no sensor.
    """

    domain: Domain
    headlines: tuple[Headline, ...]
    unmeasured: State = State.STALE


LAMP_FAULTS = frozenset({"defectiveLamp", "columnIssue", "brokenLantern"})
"""Of `status`, in the words of the Smart Data Models' Streetlight."""

# Thresholds: container levels are the usual ordering points of collection rounds; CO2 1,000 ppm is article 64 of the
# French departmental health regulation, 1,500 ppm the action value of decree 2022-1690; PM2.5, PM10 and NO2 are "poor"
# and "very poor" of the European Air Quality Index (EEA, hourly).
PROFILES: Mapping[str, TypeProfile] = {
    "WasteContainer": TypeProfile(Domain.WASTE, (Headline("fillingLevel", HOUR, warn=0.8, bad=0.95),), State.GOOD),
    "WaterConsumptionObserved": TypeProfile(
        Domain.WATER,
        (Headline("flow", HOUR, alarm="alarmStopsLeaks"), Headline("waterConsumption", HOUR, alarm="alarmStopsLeaks")),
    ),
    "WaterObserved": TypeProfile(Domain.WATER, (Headline("height", 15 * MINUTE), Headline("flow", 15 * MINUTE))),
    "WaterDistributionNetwork": TypeProfile(
        Domain.WATER,
        (
            Headline("waterPressure", HOUR, warn=2.0, bad=1.0, low_is_bad=True),
            Headline("fillingLevel", HOUR, warn=0.3, bad=0.15, low_is_bad=True),
        ),
    ),
    "WaterQualityObserved": TypeProfile(Domain.WATER, (Headline("temperature", HOUR),)),
    "IndoorEnvironmentObserved": TypeProfile(
        Domain.BUILDINGS, (Headline("co2", 15 * MINUTE, warn=1000, bad=1500), Headline("temperature", 15 * MINUTE))
    ),
    "Building": TypeProfile(
        Domain.BUILDINGS, (Headline("energyConsumption", HOUR), Headline("occupancy", HOUR)), State.GOOD
    ),
    "ACMeasurement": TypeProfile(
        Domain.ENERGY, (Headline("totalActivePower", HOUR), Headline("totalActiveEnergyImport", HOUR))
    ),
    "ThreePhaseAcMeasurement": TypeProfile(
        Domain.ENERGY, (Headline("totalActivePower", HOUR), Headline("totalActiveEnergyImport", HOUR))
    ),
    "SmartMeteringObservation": TypeProfile(
        Domain.ENERGY, (Headline("totalActivePower", 2 * HOUR), Headline("volumeFlow", 2 * HOUR))
    ),
    "HeatMeterObserved": TypeProfile(Domain.ENERGY, (Headline("thermalPower", 2 * HOUR),)),
    "StreetlightControlCabinet": TypeProfile(
        Domain.LIGHTING, (Headline("totalActivePower", HOUR, alarm="alarmInProgress"),), State.GOOD
    ),
    "Streetlight": TypeProfile(Domain.LIGHTING, (Headline("status", warn_words=LAMP_FAULTS),), State.GOOD),
    "InverterDevice": TypeProfile(Domain.ENERGY, (Headline("activePower", HOUR),)),
    "AirQualityObserved": TypeProfile(
        Domain.AIR,
        (
            Headline("pm25", 15 * MINUTE, warn=25, bad=50),
            Headline("pm10", 15 * MINUTE, warn=50, bad=100),
            Headline("no2", 15 * MINUTE, warn=120, bad=230),
            Headline("temperature", 15 * MINUTE),
        ),
    ),
    "WeatherObserved": TypeProfile(Domain.AIR, (Headline("temperature", 15 * MINUTE),)),
    "NoiseLevelObserved": TypeProfile(Domain.AIR, (Headline("LAeq", 15 * MINUTE, warn=65, bad=75),)),
    "ParkingSpot": TypeProfile(
        Domain.MOBILITY, (Headline("status", 4 * HOUR, warn_words=frozenset({"unknown"})),), State.GOOD
    ),
    "OffStreetParking": TypeProfile(Domain.MOBILITY, (Headline("availableSpotNumber", HOUR),), State.GOOD),
    "OnStreetParking": TypeProfile(Domain.MOBILITY, (Headline("availableSpotNumber", HOUR),), State.GOOD),
    "TrafficFlowObserved": TypeProfile(
        Domain.MOBILITY, (Headline("intensity", 15 * MINUTE), Headline("averageVehicleSpeed", 15 * MINUTE))
    ),
    "CrowdFlowObserved": TypeProfile(Domain.MOBILITY, (Headline("intensity", 15 * MINUTE),)),
    "Vehicle": TypeProfile(Domain.MOBILITY, (Headline("delay", warn=300, bad=900), Headline("speed")), State.GOOD),
    "EVChargingStation": TypeProfile(Domain.MOBILITY, (Headline("availableCapacity"),), State.GOOD),
    "ChargingConnector": TypeProfile(
        Domain.MOBILITY, (Headline("status", warn_words=frozenset({"Faulted"})),), State.GOOD
    ),
    "BikeHireDockingStation": TypeProfile(Domain.MOBILITY, (Headline("availableBikeNumber", HOUR),), State.GOOD),
}
BEHIND_THE_SCENES = frozenset({"Dashboard", "Device", "Gateway", "Zone"})
"""What brings measurements has pages of its own."""
DEVICE = Headline("batteryLevel", warn=0.2, bad=0.1, low_is_bad=True)
DEVICES = TypeProfile(Domain.OTHER, (DEVICE,))
_OTHER = TypeProfile(Domain.OTHER, ())


def profile_of(types: tuple[str, ...]) -> tuple[str, TypeProfile]:
    """The first type (a short name) that has a profile, else the first type with an empty one."""
    for name in types:
        if name in PROFILES:
            return name, PROFILES[name]
    return types[0], _OTHER


def types_of(domain: Domain) -> list[str]:
    return [name for name, profile in PROFILES.items() if profile.domain is domain]


def is_other(type_name: str) -> bool:
    """Of a type that no domain knows, such as what an import has brought."""
    return type_name not in PROFILES and type_name not in BEHIND_THE_SCENES


def is_stale(headline: Headline, observed_at: Instant | None, now: Instant) -> bool:
    if headline.stale_after is None or observed_at is None:
        return False
    return now - observed_at > headline.stale_after


def state_of(headline: Headline, value: Any, observed_at: Instant | None, now: Instant, alarmed: bool = False) -> State:
    """An alarm stays one when it grows old; what is only worth a warning is stale first."""
    judged = State.BAD if alarmed else judge(headline, value)
    if value is None and not alarmed:
        return State.STALE
    if judged is not State.BAD and is_stale(headline, observed_at, now):
        return State.STALE
    return judged


def judge(headline: Headline, value: Any) -> State:
    """The state of a value alone, whatever its age."""
    if isinstance(value, bool):
        return State.GOOD
    if isinstance(value, str):
        return State.WARN if value in headline.warn_words else State.GOOD
    if not isinstance(value, int | float):
        return State.GOOD
    shown = _as_shown(headline, value)
    if _reached(headline, shown, headline.bad):
        return State.BAD
    return State.WARN if _reached(headline, shown, headline.warn) else State.GOOD


def excess_of(headline: Headline, value: Any) -> float:
    """How far a value is past its warning threshold, as a share of it; below 0 before."""
    if headline.warn is None or isinstance(value, bool) or not isinstance(value, int | float):
        return 0.0
    past = headline.warn - value if headline.low_is_bad else value - headline.warn
    return past / headline.warn


def _as_shown(headline: Headline, value: float) -> float:
    """Shares of one are read as whole per cent: 79.6 % reads as 80 % and is judged as that."""
    return round(value, 2) if headline.attribute in SHARES_OF_ONE else value


def _reached(headline: Headline, value: float, threshold: float | None) -> bool:
    if threshold is None:
        return False
    return value < threshold if headline.low_is_bad else value >= threshold
