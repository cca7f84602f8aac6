"""Lists of points: which objects of a controller are read, and what their values are in plain terms.

A list is `points.toml` beside the `profile.toml` of the device profile that says what its fields mean.
"""

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
from bacpypes3.primitivedata import (
    Boolean,
    CharacterString,
    Double,
    Enumerated,
    Integer,
    Null,
    ObjectIdentifier,
    Real,
    TagClass,
    Unsigned,
)

from parvis.fleet.ways.connector import InvalidConnector, find_repeated
from parvis.fleet.ways.profile_files import load_profile_file

POINTS_FILE = "points.toml"
MOST_POINTS = 1000
Value = int | float | bool | str
_LONGEST_TEXT = 200
_OBJECT = re.compile(r"([a-z]+(?:-[a-z]+)*),(\d{1,7})")


class Point(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[[point]]`: the present value of an object such as `analog-input,3`, as the field `name`.

    `is_writable` lets a command write it at `priority`, between `least` and `most`; null gives the priority up.
    """

    name: Annotated[str, msgspec.Meta(pattern="^[A-Za-z_][A-Za-z0-9_]{0,63}$")]
    object: Annotated[str, msgspec.Meta(pattern=rf"^{_OBJECT.pattern}$")]
    is_writable: bool = False
    priority: Annotated[int, msgspec.Meta(ge=1, le=16)] = 8
    least: float | None = None
    most: float | None = None

    @property
    def identifier(self) -> Any:
        """The library's. Raises ValueError for a type of object that BACnet does not have."""
        return ObjectIdentifier(self.object)

    @property
    def is_binary(self) -> bool:
        return self.object.startswith("binary-")


class PointsDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    point: Annotated[tuple[Point, ...], msgspec.Meta(min_length=1, max_length=MOST_POINTS)]


def load_points(profile: str, roots: Sequence[Path]) -> tuple[Point, ...]:
    """The list of the first root that has one. Raises InvalidConnector: there is none, or what is wrong with it."""
    path, document = load_profile_file(profile, POINTS_FILE, roots, PointsDocument)
    try:
        for point in document.point:
            _ = point.identifier
    except ValueError as error:
        raise InvalidConnector(f"{path}: {error}") from None
    for what in ("name", "object"):
        if twice := find_repeated(getattr(point, what) for point in document.point):
            raise InvalidConnector(f"{path}: two points have the {what} {twice}")
    return document.point


_BY_TAG = {
    0: Null,
    1: Boolean,
    2: Unsigned,
    3: Integer,
    4: Real,
    5: Double,
    7: CharacterString,
    9: Enumerated,
}
"""ASHRAE 135-2020, 20.2.1.4."""


def open_value(value: Any) -> Any:
    """What a notification wraps; None where it is of a type that no field can hold."""
    told = [tag for tag in value.tagList if tag.tag_class == TagClass.application]
    kind = _BY_TAG.get(told[0].tag_number) if len(told) == 1 else None
    return None if kind is None else value.cast_out(kind)


def read_value(point: Point, value: Any) -> Value | None:
    """In plain terms; None where the controller has none, or one that no field can hold."""
    if isinstance(value, Null):
        return None
    if isinstance(value, Boolean):
        return bool(value)
    if isinstance(value, Real | Double):
        return _rounded(float(value)) if math.isfinite(value) else None
    if isinstance(value, Unsigned | Integer | Enumerated):
        return bool(int(value)) if point.is_binary else int(value)
    return str(value)[:_LONGEST_TEXT] if isinstance(value, CharacterString) else None


def _rounded(value: float) -> float:
    """A Real has seven digits; the rest is what its 32 bits leave."""
    return float(f"{value:.7g}")


def write_value(point: Point, value: Value | None) -> Any:
    """The library's value. Raises ValueError: it is not of the point's kind, or out of its bounds."""
    if not point.is_writable:
        raise ValueError(f"{point.name} may not be written")
    if value is None:
        return Null(())
    if isinstance(value, str) or not math.isfinite(value):
        raise ValueError(f"{str(value)[:50]!r} is no number")
    if (point.least is not None and value < point.least) or (point.most is not None and value > point.most):
        raise ValueError(f"{value} is not between {point.least} and {point.most}")
    if point.is_binary:
        return "active" if value else "inactive"
    return float(value) if point.object.startswith("analog-") else int(value)
