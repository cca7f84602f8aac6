"""The form that says what a file's columns mean: from a mapping to its fields, and back."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from math import log, pi, tan
from typing import Any

import msgspec
from starlette.datastructures import FormData

from parvis.connectors.files.config import (
    BOOK_ENDINGS,
    MAP_ENDINGS,
    InvalidMapping,
    Mapping,
    Place,
    Source,
    Time,
    mapping_of,
)
from parvis.connectors.files.guess import TIME_FORMATS, Guess
from parvis.connectors.files.look import Kind
from parvis.connectors.files.proposal import camel, check_terms
from parvis.connectors.files.wanted import Wanted

DELIMITERS = ((",", "comma"), (";", "semicolon"), ("\t", "tab"), ("|", "bar"))
_EXAMPLE = datetime(2026, 12, 31, 23, 59, tzinfo=UTC)
_EXAMPLES = {
    "iso": _EXAMPLE.strftime("%Y-%m-%dT%H:%M:%SZ"),
    "epoch-s": f"{_EXAMPLE.timestamp():.0f}",
    "epoch-ms": f"{_EXAMPLE.timestamp() * 1000:.0f}",
}
FORMATS = tuple((one, _EXAMPLES.get(one) or _EXAMPLE.strftime(one)) for one in (*TIME_FORMATS, "epoch-s", "epoch-ms"))
"""How a time may be written, each with the end of 2026 written so."""
PROJECTIONS = ("EPSG:4326", "EPSG:2154", "EPSG:3857", "EPSG:27572", *(f"EPSG:{code}" for code in range(3942, 3951)))
TEXT_ENDINGS = tuple(f".{kind}{packed}" for kind in ("csv", "tsv", "txt") for packed in ("", ".gz"))
MOST_COLUMNS = 500
_PLOT_WIDTH = 480.0
_PLOT_HEIGHT = 260.0
_MARGIN = 12.0


@dataclass(frozen=True, slots=True)
class ColumnField:
    """One row of the form. `is_used`: it becomes an attribute."""

    name: str
    kind: str
    example: str
    is_used: bool
    term: str
    value: str
    unit_code: str
    format: str


@dataclass(frozen=True, slots=True)
class FileForm:
    """What there is to say of how a file is written, by its name: a map says all of it itself."""

    name: str

    @property
    def is_text(self) -> bool:
        return self.name.lower().endswith(TEXT_ENDINGS)

    @property
    def is_book(self) -> bool:
        return self.name.lower().endswith(BOOK_ENDINGS)

    @property
    def is_table(self) -> bool:
        return self.is_text or self.is_book

    @property
    def is_map(self) -> bool:
        return self.name.lower().endswith(MAP_ENDINGS)

    @property
    def has_any(self) -> bool:
        return self.is_table or self.is_map


@dataclass(frozen=True, slots=True)
class Drawing:
    """`plot` is where the first objects are, in the units of the picture; `bounds` west, south, east, north."""

    guess: Guess
    form: FileForm
    is_series: bool
    is_by_hand: bool
    type: str
    id: str
    columns: tuple[ColumnField, ...]
    names: tuple[tuple[str, str], ...]
    titles: tuple[dict[str, str], ...]
    plot: tuple[tuple[float, float], ...]
    bounds: tuple[float, float, float, float] | None


def drawing_of(guess: Guess, file: str) -> Drawing:
    mapping = guess.mapping
    first = mapping.series[0] if mapping.series else None
    inventory = mapping.inventory
    return Drawing(
        guess,
        FileForm(file),
        inventory is None,
        is_by_hand(mapping, {one.name for one in guess.columns}),
        inventory.type if inventory else first.type if first else "",
        inventory.id if inventory else first.entity if first else "",
        tuple(_fields(guess)),
        tuple((one.name, one.name) for one in guess.columns),
        tuple({"title": one.name[:60]} for one in guess.columns),
        plotted(guess.points),
        _bounds(guess.points),
    )


def _fields(guess: Guess) -> list[ColumnField]:
    mapping = guess.mapping
    attributes = {one.column: one for one in mapping.inventory.attributes} if mapping.inventory else {}
    series = {one.column: one for one in mapping.series}
    fields = []
    for column in guess.columns[:MOST_COLUMNS]:
        shown = (column.name, column.kind.value, column.example)
        if (attribute := attributes.get(column.name)) is not None:
            told = (attribute.name, attribute.value, attribute.unit_code, attribute.format)
            fields.append(ColumnField(*shown, True, *told))
        elif (one := series.get(column.name)) is not None:
            fields.append(ColumnField(*shown, True, one.attribute, one.value, one.unit_code, ""))
        else:
            value = column.kind.value if column.kind not in (Kind.EMPTY, Kind.GEOMETRY) else "text"
            fields.append(ColumnField(*shown, False, camel(column.name), value, "", column.format))
    return fields


def is_by_hand(mapping: Mapping, names: Collection[str]) -> bool:
    """Whether the mapping says more than the form can."""
    inventory = mapping.inventory
    attributes = inventory.attributes if inventory else ()
    scales = [(one.scale, one.offset) for one in mapping.series] + [(one.scale, one.offset) for one in attributes]
    scaled = [one for one in scales if one != (1.0, 0.0)]
    templates = [one for one in mapping.series if one.column not in names or one.where or one.dataset]
    others = {(one.entity, one.type) for one in mapping.series}
    elsewhere = inventory is not None and inventory.place is not None and inventory.place.attribute != "location"
    plain = mapping.source.file == "" and mapping.source.missing == Source().missing
    by_order = mapping.time is None or mapping.time.repeated_hour == "in-order"
    return bool(scaled or templates or len(others) > 1 or elsewhere or not plain or not by_order)


def wanted_from(form: FormData) -> Wanted | None:
    """What the rows are to be now, where that was changed: the columns were proposed for something else."""
    text = _Fields(form)
    if not text("what_before") or (text("what"), text("type")) == (text("what_before"), text("type_before")):
        return None
    place = _place(text)
    time = _time(text) if text("time_column") else None
    return Wanted(
        text("what") == "series",
        text("type"),
        None if time is None else msgspec.convert(time, Time),
        None if place is None else msgspec.convert(place, Place),
    )


def is_other_kind(form: FormData) -> bool:
    """Objects became measurements, or the other way round."""
    text = _Fields(form)
    return bool(text("what_before")) and text("what") != text("what_before")


def mapping_from(form: FormData, *, as_before: bool = False) -> Mapping:
    """`as_before`: as if what the rows are had not been changed. Raises InvalidMapping."""
    text = _Fields(form)
    before = "_before" if as_before else ""
    is_series, type_name = text(f"what{before}") == "series", text(f"type{before}")
    source: dict[str, Any] = {
        "delimiter": text("delimiter") or ",",
        "decimal": text("decimal") or ".",
        "encoding": text("encoding") or "utf-8-sig",
        "header_row": text.number("header_row", 1),
        "sheet": text("sheet"),
        "layer": text("layer"),
    }
    columns = [index for index in range(min(text.number("columns", 0), MOST_COLUMNS)) if text(f"use-{index}")]
    document: dict[str, Any] = {"source": source}
    entity_id = text("id") if as_before else _entity_id(text)
    if is_series:
        document["time"] = _time(text)
        document["series"] = [_series(text, index, entity_id, type_name) for index in columns]
    else:
        document["inventory"] = {
            "type": type_name,
            "id": entity_id,
            "attributes": [_attribute(text, index) for index in columns],
            "place": _place(text),
        }
    if not type_name:
        raise InvalidMapping("Say of which type the objects are.")
    mapping = mapping_of(document, text("name") or "mapping")
    check_terms(mapping)
    return mapping


class _Fields:
    def __init__(self, form: FormData) -> None:
        self._form = form

    def __call__(self, name: str) -> str:
        value = self._form.get(name, "")
        text = value if isinstance(value, str) else ""
        return text if name == "delimiter" else text.strip()

    def number(self, name: str, default: int) -> int:
        text = self(name)
        return int(text) if text.isascii() and text.isdigit() and len(text) < 7 else default


def _entity_id(text: _Fields) -> str:
    """A type that was changed is changed in the id too, where the id named it."""
    before = f"urn:ngsi-ld:{text('type_before')}:"
    given = text("id")
    return f"urn:ngsi-ld:{text('type')}:{given.removeprefix(before)}" if given.startswith(before) else given


def _time(text: _Fields) -> dict[str, Any] | None:
    if not text("time_column"):
        return None
    return {"column": text("time_column"), "format": text("time_format") or "iso", "zone": text("zone")}


def _series(text: _Fields, index: int, entity_id: str, type_name: str) -> dict[str, Any]:
    return {
        "column": text(f"column-{index}"),
        "entity": entity_id,
        "type": type_name,
        "attribute": text(f"term-{index}"),
        "unit_code": text(f"unit-{index}"),
        "value": "number" if text(f"value-{index}") == "number" else "text",
    }


def _attribute(text: _Fields, index: int) -> dict[str, Any]:
    return {
        "column": text(f"column-{index}"),
        "name": text(f"term-{index}"),
        "value": text(f"value-{index}") or "text",
        "unit_code": text(f"unit-{index}"),
        "format": text(f"format-{index}") or "iso",
    }


def _place(text: _Fields) -> dict[str, str] | None:
    geometry, longitude, latitude = text("geometry"), text("longitude"), text("latitude")
    if not geometry and not (longitude and latitude):
        return None
    return {"geometry": geometry, "longitude": longitude, "latitude": latitude, "crs": text("crs")}


def _bounds(points: tuple[tuple[float, float], ...]) -> tuple[float, float, float, float] | None:
    if not points:
        return None
    return (
        min(one[0] for one in points),
        min(one[1] for one in points),
        max(one[0] for one in points),
        max(one[1] for one in points),
    )


def plotted(points: tuple[tuple[float, float], ...]) -> tuple[tuple[float, float], ...]:
    """In a picture of 480 by 260, true to angles (Mercator), north up."""
    flat = [(x, 180 / pi * log(tan(pi / 4 + max(-85.0, min(85.0, y)) * pi / 360))) for x, y in points]
    if not flat:
        return ()
    west, east = min(one[0] for one in flat), max(one[0] for one in flat)
    south, north = min(one[1] for one in flat), max(one[1] for one in flat)
    inner_width, inner_height = _PLOT_WIDTH - 2 * _MARGIN, _PLOT_HEIGHT - 2 * _MARGIN
    scale = min(inner_width / max(east - west, 1e-9), inner_height / max(north - south, 1e-9))
    return tuple(
        (
            round(_PLOT_WIDTH / 2 + (x - (west + east) / 2) * scale, 1),
            round(_PLOT_HEIGHT / 2 - (y - (south + north) / 2) * scale, 1),
        )
        for x, y in flat
    )
