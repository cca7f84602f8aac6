"""What a feed's format states, and from its documents to observations of stations.

A format is a folder `<id>/` with `feed.toml`; those of the installation, below `feeds/` of its data, win.
"""

import re
import tomllib
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import timedelta
from math import isfinite
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlencode

import msgspec

from parvis.connectors.feeds.codec import Encoding
from parvis.connectors.feeds.config import FeedSettings
from parvis.fleet.documents.expressions import Expression, ExpressionFailed, InvalidExpression
from parvis.fleet.documents.mapping import read_moment
from parvis.fleet.profiles.mapping import as_number
from parvis.fleet.ways.connector import InvalidConnector
from parvis.kernel.time import SECOND, Instant, to_datetime

PACKAGED_FORMATS = Path(__file__).parent / "formats"
FORMATS_FOLDER = "feeds"
FORMAT_FILE = "feed.toml"
_STATION = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,63}")
_LONGEST_TEXT = 200


class Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`url` and the parameters of `[query]` may hold `{stations}`, `{since}` (`window_s` ago), `{date}` and `{year}`
    (of each of the last `days`, in UTC); a parameter that comes out empty is left out. `next` leads to a further page.
    """

    id: Annotated[str, msgspec.Meta(pattern="^[0-9a-z][0-9a-z-]{0,62}$")]
    name: str
    url: str
    entity_type: Annotated[str, msgspec.Meta(pattern="^[A-Za-z][0-9A-Za-z]{0,62}$")]
    provider: str
    licence: str
    source: str
    encoding: Encoding
    charset: str = "utf-8"
    records: str = "@"
    next: str = ""
    every_s: Annotated[float, msgspec.Meta(ge=10)] = 900.0
    stale_after_s: Annotated[float, msgspec.Meta(ge=60)] = 10_800.0
    window_s: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    days: Annotated[int, msgspec.Meta(ge=1, le=7)] = 1
    stations_at_once: Annotated[int, msgspec.Meta(ge=1)] = 100
    needs_stations: bool = False
    needs_headers: tuple[str, ...] = ()


class StationRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Each an expression over a record."""

    id: str
    at: str
    name: str = ""
    longitude: str = ""
    latitude: str = ""


class AttributeRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`when` is an expression that must hold for the record to have a value of this; null is no value."""

    name: str
    value: str
    when: str = ""
    unit_code: str = ""
    scale: float = 1.0
    offset: float = 0.0
    is_text: bool = False


class FormatDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    feed: Header
    station: StationRules
    attribute: Annotated[tuple[AttributeRules, ...], msgspec.Meta(min_length=1)]
    query: Mapping[str, str] = {}


class Observation(msgspec.Struct, frozen=True):
    term: str
    at: Instant
    value: float | str
    unit_code: str


class Station(msgspec.Struct):
    """What one answer tells of a station; the last of two values of one moment holds."""

    id: str
    name: str = ""
    place: tuple[float, float] | None = None
    observations: dict[tuple[str, Instant], Observation] = msgspec.field(default_factory=dict)


class Reading(msgspec.Struct):
    stations: dict[str, Station] = msgspec.field(default_factory=dict)
    refused: Counter[str] = msgspec.field(default_factory=Counter)


class _Refused(Exception):
    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class FeedFormat:
    def __init__(self, document: FormatDocument) -> None:
        """Raises InvalidExpression."""
        self.header = document.feed
        self.query = document.query
        self.terms = {rules.name for rules in document.attribute}
        self._records = Expression(document.feed.records)
        self._next = Expression(document.feed.next) if document.feed.next else None
        self._station = {
            name: Expression(text)
            for name in StationRules.__struct_fields__
            if (text := getattr(document.station, name))
        }
        self._attributes = [
            (rules, Expression(rules.when) if rules.when else None, Expression(rules.value))
            for rules in document.attribute
        ]

    @property
    def needs_stations(self) -> bool:
        return self.header.needs_stations

    def find_next(self, document: Any) -> str | None:
        """The address of the page after, where there is one."""
        try:
            found = None if self._next is None else self._next.evaluate(document)
        except ExpressionFailed:
            return None
        return found if isinstance(found, str) and found else None

    def read(self, document: Any, wanted: Collection[str], most: int, latest: Instant, reading: Reading) -> None:
        """Add what the document tells until `latest` of the stations `wanted` (none: all), of `most` at most.

        Raises:
            ExpressionFailed: the document is not of the shape that the format is for.
        """
        records = self._records.evaluate(document)
        if not isinstance(records, list):
            raise ExpressionFailed(f"{self._records.text!r} finds no records in it")
        for record in records:
            try:
                self._read_record(record, wanted, most, latest, reading)
            except _Refused as fault:
                reading.refused[fault.reason] += 1
            except ExpressionFailed:
                reading.refused["other_shape"] += 1

    def _read_record(self, record: Any, wanted: Collection[str], most: int, latest: Instant, reading: Reading) -> None:
        station_id = _text(self._station["id"].evaluate(record))
        if wanted and station_id not in wanted:
            return
        if not _STATION.fullmatch(station_id):
            raise _Refused("no_station")
        at = self._moment(record, latest)
        observations, faults = self._observe(record, at)
        reading.refused.update(faults)
        if not observations:
            return
        if station_id not in reading.stations and len(reading.stations) >= most:
            raise _Refused("too_many_stations")
        station = reading.stations.setdefault(station_id, Station(station_id))
        station.observations.update({(one.term, one.at): one for one in observations})
        self._describe(record, station)

    def _moment(self, record: Any, latest: Instant) -> Instant:
        try:
            at = read_moment(self._station["at"].evaluate(record))
        except (ExpressionFailed, OverflowError):
            raise _Refused("no_time") from None
        if at is None:
            raise _Refused("no_time")
        if at > latest:
            raise _Refused("in_the_future")
        return at

    def _observe(self, record: Any, at: Instant) -> tuple[list[Observation], Counter[str]]:
        found: list[Observation] = []
        faults: Counter[str] = Counter()
        for rules, when, value in self._attributes:
            if when is not None and when.evaluate(record) is not True:
                continue
            told = value.evaluate(record)
            if told is None or told == "":
                continue
            measured = _text(told) if rules.is_text else _scaled(told, rules)
            if measured is None or measured == "":
                faults["no_number" if measured is None else "no_text"] += 1
            else:
                found.append(Observation(rules.name, at, measured, rules.unit_code))
        return found, faults

    def _describe(self, record: Any, station: Station) -> None:
        told = {name: self._station[name].evaluate(record) for name in self._station.keys() - {"id", "at"}}
        station.name = _text(told.get("name")) or station.name
        longitude, latitude = as_number(told.get("longitude")), as_number(told.get("latitude"))
        if longitude is None or latitude is None or not (-180 <= longitude <= 180 and -90 <= latitude <= 90):
            return
        station.place = (float(longitude), float(latitude))


def _text(value: Any) -> str:
    return str(value)[:_LONGEST_TEXT] if isinstance(value, str | int) and not isinstance(value, bool) else ""


def _scaled(told: Any, rules: AttributeRules) -> float | None:
    number = as_number(told)
    scaled = None if number is None else number * rules.scale + rules.offset
    return float(f"{scaled:.10g}") if scaled is not None and isfinite(scaled) else None


def list_addresses(form: FeedFormat, settings: FeedSettings, now: Instant) -> list[str]:
    """What is asked in one turn, in this order."""
    header = form.header
    url, query = settings.url or header.url, {**form.query, **settings.query}
    times = {"since": to_datetime(now - int(header.window_s * SECOND)).strftime("%Y-%m-%dT%H:%M:00Z")}
    asks_for_stations = "{stations}" in url or any("{stations}" in value for value in query.values())
    groups = _groups(settings.stations, header.stations_at_once) if asks_for_stations else [""]
    addresses = []
    for ago in reversed(range(header.days)):
        day = to_datetime(now) - timedelta(days=ago)
        for group in groups:
            words = {**times, "date": day.strftime("%Y-%m-%d"), "year": day.strftime("%Y"), "stations": group}
            told = {name: text for name, value in query.items() if (text := _filled(value, words))}
            address = _filled(url, words)
            addresses.append(f"{address}{'&' if '?' in address else '?'}{urlencode(told)}" if told else address)
    return addresses


def _groups(stations: Sequence[str], at_once: int) -> list[str]:
    return [",".join(stations[first : first + at_once]) for first in range(0, len(stations), at_once)] or [""]


def _filled(template: str, words: Mapping[str, str]) -> str:
    for name, word in words.items():
        template = template.replace("{" + name + "}", word)
    return template


def load_format(feed: str, roots: Iterable[Path]) -> FeedFormat:
    """The format of this name, of the first of `roots` that has it. Raises InvalidConnector."""
    roots = list(roots)
    known = sorted({path.parent.name for root in roots for path in root.glob(f"*/{FORMAT_FILE}")})
    if feed not in known:
        raise InvalidConnector(f"there is no feed {feed!r}: there are {', '.join(known)}")
    path = next(path for root in roots if (path := root / feed / FORMAT_FILE).is_file())
    try:
        document = msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), FormatDocument)
        form = FeedFormat(document)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as fault:
        raise InvalidConnector(f"{path}: {fault}") from None
    except InvalidExpression as fault:
        raise InvalidConnector(f"{path}: {fault.detail}") from None
    if form.header.id != feed:
        raise InvalidConnector(f"{path}: id {form.header.id!r} is not the folder's name")
    return form
