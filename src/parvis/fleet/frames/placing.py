"""From decoded data to attributes at the time they were measured, by what a device's clock is worth."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from parvis.broker.model.entity import Iri
from parvis.fleet.frames.work import Work, still_open
from parvis.fleet.model.clocks import DeviceTime, RecordsRule, offset_of_unbelievable, read_instant, read_number
from parvis.fleet.model.refusal import RefusalReason, Refused
from parvis.fleet.model.uplink import Uplink
from parvis.fleet.profiles.mapping import Extra, Mapped, MappingFailure, dig
from parvis.kernel.time import DAY, FIRST_INSTANT, LAST_INSTANT, SECOND, Instant, format_instant

MOST_RECORDS = 2000
_OLDEST_S = 3660 * DAY // SECOND


class Placing:
    def __init__(self, expand: Callable[[str], Iri]) -> None:
        self._measured_at = expand("measuredAt")
        self._clock_offset = expand("clockOffset")

    def map(self, works: list[Work]) -> None:
        for work in still_open(works):
            try:
                mapped = self._map(work)
            except MappingFailure as failure:
                work.refused = Refused(RefusalReason.MAPPING_FAILED, failure.detail)
                continue
            except ArithmeticError as error:
                work.refused = Refused(RefusalReason.MAPPING_FAILED, f"a number is out of bounds: {error}")
                continue
            if mapped.asset or mapped.device:
                work.mapped = mapped
            else:
                work.refused = Refused(RefusalReason.NOTHING_MAPPED, ", ".join(work.data or ())[:200])

    def _map(self, work: Work) -> Mapped:
        profile, data = work.of.profile, work.data
        assert data is not None
        time = self._find_time(work, data)
        work.at = time.at
        mapped = profile.fields.map(data, time.at, self._told(time))
        if profile.records is not None:
            work.has_records = self._add_records(mapped, work, profile.records, time)
        return mapped

    def _find_time(self, work: Work, data: Mapping[str, Any]) -> DeviceTime:
        uplink, rule = work.uplink, work.of.profile.clock
        measured_at = uplink.measured_at
        if rule.field:
            told = dig(data, rule.field.split("."))
            measured_at = measured_at if told is None else _read_instant(told, rule.field)
        if measured_at is None:
            return DeviceTime(uplink.received_at)
        return work.of.running.clock.place(measured_at, uplink.received_at, round(rule.tolerance_s * SECOND))

    def _told(self, time: DeviceTime) -> Extra:
        """What the device said, where it is not believed."""
        if time.raw is None:
            return None
        raw = {"@type": "DateTime", "@value": format_instant(time.raw)}
        return {
            self._measured_at: {"type": "Property", "value": raw},
            self._clock_offset: {"type": "Property", "value": time.offset / SECOND, "unitCode": "SEC"},
        }

    def _add_records(self, mapped: Mapped, work: Work, rule: RecordsRule, frame: DeviceTime) -> bool:
        """Whether there were any."""
        assert work.data is not None
        records = dig(work.data, rule.path.split("."))
        if records is None:
            return False
        for record, time in zip(_checked(records, rule), _times(records, rule, frame, work.uplink), strict=True):
            one = work.of.profile.fields.map(record, time.at, self._told(time))
            mapped.asset.extend(one.asset)
            mapped.device.extend(one.device)
            mapped.impossible.extend(one.impossible)
        return bool(records)


def _checked(records: Any, rule: RecordsRule) -> list[dict[str, Any]]:
    if not isinstance(records, list):
        raise MappingFailure(f"{rule.path} is {str(records)[:50]!r}: no list of records")
    if len(records) > MOST_RECORDS:
        raise MappingFailure(f"{rule.path} has {len(records)} records: at most {MOST_RECORDS} are taken")
    for number, record in enumerate(records, 1):
        if not isinstance(record, dict):
            raise MappingFailure(f"record {number} of {rule.path} is no object")
    return records


def _times(records: list[dict[str, Any]], rule: RecordsRule, frame: DeviceTime, uplink: Uplink) -> Iterator[DeviceTime]:
    """The clock that dated the frame dated its records, and is wrong by as much."""
    told = [record.get(rule.time) for record in records]
    if rule.time_format == "age_s":
        yield from (DeviceTime(frame.at - _age(one, number, rule)) for number, one in enumerate(told, 1))
        return
    said = [_read_instant(one, f"{rule.time} of record {number}") for number, one in enumerate(told, 1)]
    newest = max(said, default=frame.at)
    offset = frame.offset or offset_of_unbelievable(newest, uplink.received_at)
    for one in said:
        at = max(FIRST_INSTANT, min(one + offset, uplink.received_at)) if offset else one
        yield DeviceTime(at, one if offset else None)


def _age(told: Any, number: int, rule: RecordsRule) -> Instant:
    try:
        age_s = read_number(told)
    except ValueError as error:
        raise MappingFailure(f"{rule.time} of record {number}: {error}") from None
    if not 0 <= age_s <= _OLDEST_S:
        raise MappingFailure(f"{rule.time} of record {number}: {age_s} s is no age")
    return round(age_s * SECOND)


def _read_instant(told: Any, where: str) -> Instant:
    try:
        instant = read_instant(told)
    except ValueError as error:
        raise MappingFailure(f"{where}: {error}") from None
    if not FIRST_INSTANT <= instant <= LAST_INSTANT:
        raise MappingFailure(f"{where}: {str(told)[:50]!r} lies beyond the years 1 to 9999")
    return instant
