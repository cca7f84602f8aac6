"""The mapping: which cells of a table are which attribute of which entity."""

import difflib
import re
import tomllib
from pathlib import Path
from typing import Annotated, Literal, NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from parvis.fleet.profiles.limits import ANYTHING, OF_TERMS
from parvis.kernel.errors import ParvisError
from parvis.kernel.identity import DEFAULT_TENANT
from parvis.kernel.time import find_zone

_PLACEHOLDER = re.compile(r"\{([^{}]+)\}")
PER_CENT, ONE = "P1", "C62"
IN_ADDRESS = "address."
"""What the name of an attribute begins with that is a member of the address: `address.addressLocality`."""
LINE_ENDINGS = tuple(f".{kind}{packed}" for kind in ("csv", "tsv", "txt", "jsonl", "ndjson") for packed in ("", ".gz"))
"""Files that are read line by line."""
BOOK_ENDINGS = (".xlsx", ".xlsm")
COLUMN_ENDINGS = (".parquet", ".geoparquet")
GEOJSON_ENDINGS = (".geojson", ".json")
MAP_ENDINGS = (".gpkg", ".shp", ".zip")
ENDINGS = (*LINE_ENDINGS, *BOOK_ENDINGS, *COLUMN_ENDINGS, *GEOJSON_ENDINGS, *MAP_ENDINGS)


class InvalidMapping(ParvisError):
    title = "The mapping file cannot be used"
    status = 400


class Source(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`file` matches the end of a file's path; a `{placeholder}` in it may be used in `series.entity`.

    `sheet` is a workbook's, `layer` a GeoPackage's; the first one where none is named.
    """

    file: str = ""
    sheet: str = ""
    layer: str = ""
    header_row: int = 1
    delimiter: str = ","
    decimal: Literal[".", ","] = "."
    encoding: str = "utf-8-sig"
    missing: tuple[str, ...] = ("", "NaN", "nan", "NA", "N/A", "null")


class Time(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`format` is "iso", "epoch-s", "epoch-ms" or a strptime pattern. `zone` holds for times without an offset.

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


class Place(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where an object is: in two columns, or in one (GeoJSON, WKT, "latitude, longitude", a map file's own geometry).

    `crs` is what the coordinates are in (`EPSG:2154` is Lambert-93); empty: as the file says, else WGS 84.
    """

    geometry: str = ""
    longitude: str = ""
    latitude: str = ""
    crs: str = ""
    attribute: str = "location"


class Attribute(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`value` "uri" makes a Relationship; "date" a DateTime or Date in ISO 8601, read as `format` says."""

    column: str
    name: str
    value: Literal["number", "text", "boolean", "date", "uri"] = "text"
    unit_code: str = ""
    scale: float = 1.0
    offset: float = 0.0
    format: str = "iso"


class Inventory(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An entity for each row. `id` is a template of column names: `urn:ngsi-ld:WasteContainer:{number}`."""

    type: str
    id: str
    attributes: tuple[Attribute, ...] = ()
    place: Place | None = None


class Mapping(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of observations (`time` and `series`) or of objects (`inventory`)."""

    time: Time | None = None
    series: tuple[Series, ...] = ()
    inventory: Inventory | None = None
    source: Source = Source()


def load_mapping(path: Path) -> Mapping:
    """Raises InvalidMapping, saying where."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidMapping(f"{path} cannot be read: {error}.") from error
    except tomllib.TOMLDecodeError as error:
        raise InvalidMapping(f"{path.name}: {error}.") from error
    return mapping_of(document, path.name)


def stored_unit(term: str, unit_code: str) -> str:
    """Shares that the standard terms count from 0 to 1 are stored so, though a file gives them in per cent."""
    return ONE if is_per_cent_of_one(term, unit_code) else unit_code


def is_per_cent_of_one(term: str, unit_code: str) -> bool:
    return unit_code == PER_CENT and OF_TERMS.get(term, ANYTHING)[1] == 1.0


def stored_number(term: str, given: Series | Attribute, number: float) -> float:
    """The number of a cell as it is stored."""
    if given.scale != 1.0 or given.offset != 0.0:
        number = number * given.scale + given.offset
    return number / 100 if is_per_cent_of_one(term, given.unit_code) else number


def mapping_of(document: object, name: str) -> Mapping:
    """Raises InvalidMapping."""
    try:
        mapping = msgspec.convert(document, Mapping)
    except msgspec.ValidationError as error:
        raise InvalidMapping(f"{name}: {error}.") from error
    if mapping.inventory is not None:
        _check_inventory(mapping, mapping.inventory, name)
    elif not mapping.series:
        raise InvalidMapping(f"{name}: there is neither [[series]] nor [inventory].")
    elif mapping.time is None:
        raise InvalidMapping(f"{name}: series need [time].")
    else:
        zone_of(mapping.time)
    if len(mapping.source.delimiter) != 1:
        raise InvalidMapping(f"{name}: source.delimiter is one character.")
    _check_encoding(mapping.source.encoding, name)
    return mapping


def _check_inventory(mapping: Mapping, inventory: Inventory, name: str) -> None:
    if mapping.series:
        raise InvalidMapping(f"{name}: a mapping is of [[series]] or of [inventory], not of both.")
    if not placeholders(inventory.id):
        raise InvalidMapping(f"{name}: inventory.id, {inventory.id!r}, names no column.")
    place = inventory.place
    if place is not None and not place.geometry and not (place.longitude and place.latitude):
        raise InvalidMapping(f"{name}: inventory.place needs a column of geometry, or one of longitude and latitude.")


def _check_encoding(encoding: str, name: str) -> None:
    try:
        "".encode(encoding)
    except (LookupError, ValueError) as error:
        raise InvalidMapping(f"{name}: there is no encoding {encoding!r}.") from error


def zone_of(time: Time) -> ZoneInfo | None:
    if not time.zone:
        return None
    if (zone := find_zone(time.zone)) is None:
        raise InvalidMapping(f"time.zone: there is no time zone {time.zone!r}.")
    return zone


def placeholders(template: str) -> list[str]:
    return _PLACEHOLDER.findall(template)


class Template(NamedTuple):
    """What a text with placeholders matches."""

    pattern: re.Pattern[str]
    names: tuple[str, ...]

    def find(self, text: str) -> dict[str, str] | None:
        """The text of each placeholder; None where it does not match."""
        found = self.pattern.fullmatch(text)
        return None if found is None else dict(zip(self.names, found.groups(), strict=True))


def pattern_of(template: str) -> Template:
    """Each placeholder as a group; the same one twice must hold the same text."""
    names = tuple(dict.fromkeys(placeholders(template)))
    seen: set[str] = set()

    def group(part: str) -> str:
        name = part[1:-1]
        number = names.index(name) + 1
        if name in seen:
            return f"\\{number}"
        seen.add(name)
        return "([^/]+?)"

    parts = re.split(r"(\{[^{}]+\})", template)
    expression = "".join(group(part) if index % 2 else re.escape(part) for index, part in enumerate(parts))
    return Template(re.compile(expression), names)


def filled(template: str, values: dict[str, str]) -> str:
    return _PLACEHOLDER.sub(lambda found: values[found[1]], template)


def nearest(word: str, known: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(word, known, 1, 0.0)
    return f" Did you mean {near[0]!r}?" if near else ""


class Sftp(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A server that is asked for new files. `host_key` is its public key as OpenSSH writes it, `private_key` ours.

    `then`: what becomes of a file there once it is here.
    """

    host: str
    user: str
    host_key: str
    folder: str
    mapping: str
    port: int = 22
    password: str = ""
    private_key: str = ""
    files: str = "*"
    every_s: Annotated[float, msgspec.Meta(ge=1)] = 300.0
    then: Literal["keep", "delete"] = "keep"
    tenant: str = DEFAULT_TENANT


class FilesConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`largest_file_mb` is of what may be uploaded or fetched."""

    inbox: bool = True
    largest_file_mb: Annotated[int, msgspec.Meta(ge=1)] = 4096
    sftp: tuple[Sftp, ...] = ()
