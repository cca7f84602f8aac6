"""The mapping file: which cells of a table are which attribute of which entity."""

import difflib
import re
import tomllib
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from parvis.kernel.errors import ParvisError

_PLACEHOLDER = re.compile(r"\{(\w+)\}")


class InvalidMapping(ParvisError):
    title = "The mapping file cannot be used"
    status = 400


class Source(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`file` matches the end of a file's path; a `{placeholder}` in it may be used in `series.entity`."""

    file: str = ""
    sheet: str = ""
    header_row: int = 1
    delimiter: str = ","
    decimal: Literal[".", ","] = "."
    encoding: str = "utf-8-sig"
    missing: tuple[str, ...] = ("", "NaN", "nan", "NA", "N/A", "null")


class Time(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`format` is "iso" or a strptime pattern. `zone` holds for times without an offset.

    `repeated_hour`: which of the two hours of that name in autumn a time means. "in-order": the first hour,
    until a row shows no later time than the one before it, then the second. "refuse": reported and left out.
    """

    column: str
    format: str = "iso"
    zone: str = ""
    repeated_hour: Literal["in-order", "first", "second", "refuse"] = "in-order"


class Series(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One value column, or with a `{placeholder}` in `column` many of a kind.

    `entity` is a template of an id; its placeholders come from the file's path, the column's name, or, in a long
    table, the row's column of that name. `where` takes only rows whose columns hold these texts.
    """

    column: str
    entity: str
    type: str
    attribute: str
    unit_code: str = ""
    dataset: str = ""
    value: Literal["number", "text"] = "number"
    scale: float = 1.0
    offset: float = 0.0
    where: dict[str, str] = msgspec.field(default_factory=dict)


class Mapping(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    time: Time
    series: tuple[Series, ...]
    source: Source = Source()


def load_mapping(path: Path) -> Mapping:
    """Raises InvalidMapping, saying where."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
        mapping = msgspec.convert(document, Mapping)
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidMapping(f"{path} cannot be read: {error}.") from error
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise InvalidMapping(f"{path.name}: {error}.") from error
    if not mapping.series:
        raise InvalidMapping(f"{path.name}: there is no [[series]].")
    zone_of(mapping.time)
    return mapping


def zone_of(time: Time) -> ZoneInfo | None:
    if not time.zone:
        return None
    try:
        return ZoneInfo(time.zone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise InvalidMapping(f"time.zone: there is no time zone {time.zone!r}.") from error


def placeholders(template: str) -> list[str]:
    return _PLACEHOLDER.findall(template)


def pattern_of(template: str) -> re.Pattern[str]:
    """What the template matches, each placeholder as a group; the same one twice must hold the same text."""
    seen: set[str] = set()

    def group(found: re.Match[str]) -> str:
        name = found[1]
        if name in seen:
            return f"(?P={name})"
        seen.add(name)
        return f"(?P<{name}>[^/]+?)"

    parts = re.split(r"(\{\w+\})", template)
    return re.compile("".join(_PLACEHOLDER.sub(group, part) if part[:1] == "{" else re.escape(part) for part in parts))


def filled(template: str, values: dict[str, str]) -> str:
    return _PLACEHOLDER.sub(lambda found: values[found[1]], template)


def nearest(word: str, known: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(word, known, 1, 0.0)
    return f" Did you mean {near[0]!r}?" if near else ""
