"""From what stations measure to attributes: OCPP 1.6, 7.31 to 7.43; OCPP 2.0.1 part 2, 2.46 and 3.51.

The library has turned the names of members into snake case; both versions differ only in where the unit is.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from enum import Enum
from typing import Any

import msgspec

from parvis.broker.model.entity import Json
from parvis.kernel.time import MINUTE, Instant, from_datetime

MOST_SAMPLES = 1000
"""Of one message: of those after it nothing is read."""
AHEAD_AT_MOST = 10 * MINUTE


class Measurement(msgspec.Struct, frozen=True):
    term: str
    value: Json
    unit_code: str


class Sample(msgspec.Struct, frozen=True):
    """What was measured at one moment."""

    at: Instant
    measurements: tuple[Measurement, ...]

    def find(self, term: str) -> Json:
        return next((one.value for one in self.measurements if one.term == term), None)


class _Phases(Enum):
    SUM = "sum"
    APART = "apart"


class _Measurand(msgspec.Struct, frozen=True):
    term: str
    unit_code: str
    phases: _Phases
    scales: Mapping[str, float]


_KILO = {"Wh": 0.001, "kWh": 1.0, "W": 0.001, "kW": 1.0, "VA": 0.001, "kVA": 1.0}
_PLAIN = {"A": 1.0, "V": 1.0, "Percent": 1.0, "Celsius": 1.0, "Celcius": 1.0, "Hertz": 1.0, "": 1.0}
ENERGY = "totalActiveEnergyImport"
_MEASURANDS = {
    "Energy.Active.Import.Register": _Measurand(ENERGY, "KWH", _Phases.SUM, _KILO),
    "Energy.Active.Export.Register": _Measurand("totalActiveEnergyExport", "KWH", _Phases.SUM, _KILO),
    "Power.Active.Import": _Measurand("activePower", "KWT", _Phases.SUM, _KILO),
    "Power.Offered": _Measurand("powerOffered", "KWT", _Phases.SUM, _KILO),
    "Current.Import": _Measurand("current", "AMP", _Phases.APART, _PLAIN),
    "Voltage": _Measurand("voltage", "VLT", _Phases.APART, _PLAIN),
    "SoC": _Measurand("stateOfCharge", "P1", _Phases.SUM, _PLAIN),
    "Temperature": _Measurand("temperature", "CEL", _Phases.SUM, _PLAIN),
    "Frequency": _Measurand("frequency", "HTZ", _Phases.SUM, _PLAIN),
}
_DEFAULT = "Energy.Active.Import.Register"
_DEFAULT_UNITS = {"Energy": "Wh", "Power": "W"}
_OF_THE_CAR = ("EV", "Inlet")
_ONE_PHASE = ("L1", "L2", "L3", "L1-N", "L2-N", "L3-N")


def read_time(text: str, now: Instant) -> Instant:
    """ISO 8601; without a zone it is UTC. What is ahead of the clock, or no time at all, is now."""
    try:
        moment = datetime.fromisoformat(text)
        at = from_datetime(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        return now
    return at if 0 < at <= now + AHEAD_AT_MOST else now


def read_samples(meter_values: Iterable[Mapping[str, Any]], now: Instant) -> tuple[list[Sample], int]:
    """The samples, oldest first, and how many values were none. The latter of two at one moment adds to the former."""
    by_moment: dict[Instant, dict[str, Measurement]] = {}
    skipped = taken = 0
    for entry in meter_values:
        values = entry.get("sampled_value")
        values = values[: MOST_SAMPLES - taken] if isinstance(values, list) else []
        taken += len(values)
        measured, failed = _measure(values)
        skipped += failed
        if measured:
            at = read_time(str(entry.get("timestamp", "")), now)
            by_moment.setdefault(at, {}).update({one.term: one for one in measured})
    return [Sample(at, tuple(by_moment[at].values())) for at in sorted(by_moment)], skipped


def _measure(values: Sequence[object]) -> tuple[list[Measurement], int]:
    whole: dict[str, float] = {}
    by_phase: dict[str, dict[str, float]] = {}
    failed = 0
    for sampled in values:
        if not isinstance(sampled, Mapping):
            failed += 1
            continue
        name = str(sampled.get("measurand") or _DEFAULT)
        if name not in _MEASURANDS or _is_elsewhere(name, sampled):
            continue
        value = _read_value(name, sampled)
        if value is None:
            failed += 1
        elif (phase := sampled.get("phase")) in _ONE_PHASE:
            by_phase.setdefault(name, {})[str(phase)[:2]] = value
        elif phase in (None, "N"):
            whole[name] = value
    return [_put_together(name, whole, by_phase) for name in {**whole, **by_phase}], failed


def _put_together(name: str, whole: Mapping[str, float], by_phase: Mapping[str, dict[str, float]]) -> Measurement:
    measurand = _MEASURANDS[name]
    phases = by_phase.get(name, {})
    if name in whole:
        value: Json = whole[name]
    elif measurand.phases is _Phases.SUM:
        value = _rounded(sum(phases.values()))
    else:
        value = phases
    return Measurement(measurand.term, value, measurand.unit_code)


def _is_elsewhere(name: str, sampled: Mapping[str, Any]) -> bool:
    """What the grid's side or the car's measures is no value of the outlet; only the car knows its charge."""
    return name != "SoC" and sampled.get("location") in _OF_THE_CAR


def _read_value(name: str, sampled: Mapping[str, Any]) -> float | None:
    if sampled.get("format") == "SignedData":
        return None
    unit, exponent = _unit(name, sampled)
    scale = _MEASURANDS[name].scales.get(unit)
    try:
        value = float(sampled["value"]) * 10.0**exponent
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    return None if scale is None or not math.isfinite(value) else _rounded(value * scale)


def _unit(name: str, sampled: Mapping[str, Any]) -> tuple[str, int]:
    """1.6 has the unit beside the value, 2.0.1 in `unit_of_measure` with a power of ten."""
    told = sampled.get("unit_of_measure")
    told = told if isinstance(told, Mapping) else {}
    unit = sampled.get("unit") or told.get("unit") or _DEFAULT_UNITS.get(name.partition(".")[0], "")
    exponent = told.get("multiplier", 0)
    return str(unit), exponent if isinstance(exponent, int) and abs(exponent) <= 12 else 0


def _rounded(value: float) -> float:
    return float(f"{value:.10g}")
