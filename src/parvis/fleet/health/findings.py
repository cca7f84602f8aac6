"""What is wrong with a device, since when, and why. Pure: from what is known of it to its findings.

Each finding has a bound at which it begins and a milder one at which it ends, so that none comes and goes.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum
from typing import Any

import msgspec

from parvis.fleet.model.uplink import Technology
from parvis.fleet.model.vitals import Statistics
from parvis.kernel.time import DAY, HOUR, MINUTE, SECOND, Instant, format_instant, parse_instant

Figures = dict[str, float | str]
Found = tuple[Instant, str, Figures]
"""Since when, the reason in English, and the figures of it for words in other languages."""


class FindingKind(Enum):
    SILENT = "silent"
    LOW_BATTERY = "lowBattery"
    BAD_RADIO = "badRadio"
    CLOCK_DRIFT = "clockDrift"
    STUCK_VALUE = "stuckValue"
    IMPOSSIBLE_VALUE = "impossibleValue"
    DUPLICATE_KEY = "duplicateKey"


class DeviceState(Enum):
    """The value of `deviceState` (Smart Data Models leave its words to the vendor)."""

    OK = "ok"
    WARNING = "warning"
    SILENT = "silent"


class Finding(msgspec.Struct, frozen=True):
    kind: FindingKind
    since: Instant
    reason: str
    figures: Figures


class DeviceFacts(msgspec.Struct, frozen=True):
    """`interval_s` is 0 where no interval is known, `varying` how long an attribute may stay as it is."""

    now: Instant
    last_reported_at: Instant = 0
    interval_s: float = 0.0
    battery_level: float | None = None
    battery_low: float = 0.2
    battery_last_day: Instant | None = None
    clock_tolerance_s: float = 300.0
    statistics: Statistics = Statistics()
    varying: Mapping[str, Instant] = {}


SILENT_AFTER, HEARD_WITHIN = 3.0, 1.5
"""Intervals."""
GRACE = 5 * MINUTE
BATTERY_RISE = 0.05
LAST_DAYS, LAST_DAYS_OVER = 30 * DAY, 45 * DAY
FRAMES_TO_JUDGE = 20
LOSS_BAD, LOSS_OVER = 0.3, 0.15
MARGIN_BAD_DB, MARGIN_OVER_DB = 2.0, 5.0
CELLULAR_RSSI_BAD_DBM, CELLULAR_RSSI_OVER_DBM = -113.0, -107.0
FOREIGN_SIGNS = 3
IMPOSSIBLE_VALUES = 2
REQUIRED_SNR_DB = {5: -2.5, 6: -5.0, 7: -7.5, 8: -10.0, 9: -12.5, 10: -15.0, 11: -17.5, 12: -20.0}
"""What a LoRa demodulator needs at each spreading factor (Semtech SX1276 and, for SF5, SX1262 data sheets)."""


def examine(facts: DeviceFacts, earlier: Iterable[Finding] = ()) -> tuple[Finding, ...]:
    """What is wrong now; what was so before keeps its `since`."""
    before = {one.kind: one for one in earlier}
    findings = []
    for kind, check in _CHECKS.items():
        known = before.get(kind)
        found = check(facts, known is not None)
        if found is not None:
            since, reason, figures = found
            findings.append(Finding(kind, since if known is None else known.since, reason, figures))
    return tuple(findings)


def state_of(findings: Iterable[Finding]) -> DeviceState:
    kinds = {one.kind for one in findings}
    if FindingKind.SILENT in kinds:
        return DeviceState.SILENT
    return DeviceState.WARNING if kinds else DeviceState.OK


def snr_margin_db(statistics: Statistics) -> float | None:
    """How much the signal is better than it would have to be; None where it is no LoRa or nothing was told."""
    required = REQUIRED_SNR_DB.get(statistics.spreading_factor)
    return None if required is None or statistics.snr_db is None else round(statistics.snr_db - required, 1)


def _silent(facts: DeviceFacts, is_on: bool) -> Found | None:
    if not facts.interval_s or not facts.last_reported_at:
        return None
    quiet_s = (facts.now - facts.last_reported_at) / SECOND
    allowed_s = facts.interval_s * (HEARD_WITHIN if is_on else SILENT_AFTER) + GRACE / SECOND
    if quiet_s <= allowed_s:
        return None
    since = facts.last_reported_at + round(facts.interval_s * SECOND)
    figures: Figures = {"quiet_s": round(quiet_s), "interval_s": round(facts.interval_s)}
    return since, f"not heard for {_span(quiet_s)}, expected every {_span(facts.interval_s)}", figures


def _low_battery(facts: DeviceFacts, is_on: bool) -> Found | None:
    level, ends_at = facts.battery_level, facts.battery_last_day
    if level is None or level < 0:
        return None
    figures: Figures = {"level": round(level, 3)}
    if ends_at is not None:
        figures["last_day"] = format_instant(ends_at)[:10]
    if level <= facts.battery_low + (BATTERY_RISE if is_on else 0.0):
        return facts.now, f"battery at {level:.0%}", figures
    if ends_at is not None and ends_at - facts.now <= (LAST_DAYS_OVER if is_on else LAST_DAYS):
        return facts.now, f"battery at {level:.0%}, empty about {figures['last_day']}", figures
    return None


def _bad_radio(facts: DeviceFacts, is_on: bool) -> Found | None:
    statistics = facts.statistics
    if statistics.frames + statistics.lost < FRAMES_TO_JUDGE:
        return None
    reasons, figures = [], _radio_figures(statistics)
    if statistics.loss >= (LOSS_OVER if is_on else LOSS_BAD):
        reasons.append(f"{statistics.loss:.0%} of the frames were lost")
    margin_db = snr_margin_db(statistics)
    if margin_db is not None and margin_db <= (MARGIN_OVER_DB if is_on else MARGIN_BAD_DB):
        reasons.append(f"{margin_db:.1f} dB above what SF{statistics.spreading_factor} needs")
    rssi_dbm = statistics.rssi_dbm if statistics.technology == Technology.CELLULAR.value else None
    if rssi_dbm is not None and rssi_dbm <= (CELLULAR_RSSI_OVER_DBM if is_on else CELLULAR_RSSI_BAD_DBM):
        reasons.append(f"signal of {rssi_dbm:.0f} dBm")
    if not reasons:
        return None
    return facts.now, f"{', '.join(reasons)}; {statistics.gateways:.1f} gateways hear it", figures


def _radio_figures(statistics: Statistics) -> Figures:
    figures: Figures = {"loss": round(statistics.loss, 3), "gateways": statistics.gateways}
    margin_db = snr_margin_db(statistics)
    if margin_db is not None:
        figures |= {"margin_db": margin_db, "spreading_factor": statistics.spreading_factor}
    if statistics.rssi_dbm is not None:
        figures["rssi_dbm"] = statistics.rssi_dbm
    return figures


def _clock_drift(facts: DeviceFacts, is_on: bool) -> Found | None:
    statistics = facts.statistics
    if statistics.is_clock_unset:
        return statistics.last_at, "the device's clock is not set", {}
    offset_s = statistics.clock_offset_s
    if offset_s is None:
        return None
    if abs(offset_s) <= facts.clock_tolerance_s * (0.5 if is_on else 1.0):
        return None
    way = "behind" if offset_s > 0 else "ahead"
    return facts.now, f"the device's clock is {_span(abs(offset_s))} {way}", {"offset_s": round(offset_s, 1)}


def _stuck_value(facts: DeviceFacts, _is_on: bool) -> Found | None:
    for name, allowed in facts.varying.items():
        series = facts.statistics.series.get(name)
        if series is None or series.same_frames < 3:
            continue
        unchanged = facts.statistics.last_at - series.since
        if unchanged >= allowed:
            figures: Figures = {"attribute": name, "value": str(series.value), "unchanged_s": unchanged // SECOND}
            return series.since, f"{name} has been {series.value} for {_span(unchanged / SECOND)}", figures
    return None


def _impossible_value(facts: DeviceFacts, is_on: bool) -> Found | None:
    for name, series in facts.statistics.series.items():
        is_recent = series.impossible_at and facts.now - series.impossible_at < DAY
        is_latest = series.value == series.impossible_value
        if is_recent and (is_on or is_latest or series.impossible >= IMPOSSIBLE_VALUES):
            figures: Figures = {"attribute": name, "value": series.impossible_value, "count": series.impossible}
            return series.impossible_at, f"{name} was {series.impossible_value:g}, which cannot be", figures
    return None


def _duplicate_key(facts: DeviceFacts, is_on: bool) -> Found | None:
    statistics = facts.statistics
    is_recent = statistics.foreign_at and facts.now - statistics.foreign_at < DAY
    if not is_recent or statistics.foreign < (1 if is_on else FOREIGN_SIGNS):
        return None
    reason = "its frame counter or session goes back and forth: two devices seem to share its key"
    return statistics.foreign_at, reason, {"signs": statistics.foreign}


_CHECKS: dict[FindingKind, Callable[[DeviceFacts, bool], Found | None]] = {
    FindingKind.SILENT: _silent,
    FindingKind.LOW_BATTERY: _low_battery,
    FindingKind.BAD_RADIO: _bad_radio,
    FindingKind.CLOCK_DRIFT: _clock_drift,
    FindingKind.STUCK_VALUE: _stuck_value,
    FindingKind.IMPOSSIBLE_VALUE: _impossible_value,
    FindingKind.DUPLICATE_KEY: _duplicate_key,
}


def _span(seconds: float) -> str:
    for unit_s, unit in ((DAY / SECOND, "days"), (HOUR / SECOND, "h"), (MINUTE / SECOND, "min")):
        if seconds >= 2 * unit_s:
            return f"{seconds / unit_s:.0f} {unit}"
    return f"{seconds:.0f} s"


class _Stored(msgspec.Struct, frozen=True, rename="camel"):
    finding: str
    since: str
    reason: str = ""
    figures: Figures = {}


def write_findings(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    """As the Device entity's `deviceFindings` holds them."""
    return [
        msgspec.to_builtins(_Stored(one.kind.value, format_instant(one.since), one.reason, one.figures))
        for one in findings
    ]


def read_findings(value: Any) -> tuple[Finding, ...]:
    """Those that can be read: anybody may write a Device entity."""
    found = (_read_finding(one) for one in (value if isinstance(value, list) else [value]))
    return tuple(one for one in found if one is not None)


def _read_finding(value: Any) -> Finding | None:
    try:
        stored = msgspec.convert(value, _Stored)
        return Finding(FindingKind(stored.finding), parse_instant(stored.since), stored.reason, stored.figures)
    except (msgspec.ValidationError, ValueError):
        return None
