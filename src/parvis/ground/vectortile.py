"""Mapbox Vector Tile encoding (specification 2.1), as much as a base map needs."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

EXTENT = 4096
POINT, LINE, POLYGON = 1, 2, 3
MOVE_TO, LINE_TO, CLOSE_PATH = 1, 2, 7
Value = str | int | float | bool
Cells = NDArray[np.int64]


def varint(number: int) -> bytes:
    if number < 0x80:
        return _SHORT[number]
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


_SHORT = [bytes((number,)) for number in range(0x80)]


def varints(numbers: Cells) -> bytes:
    """Packed, without a Python loop: each number takes as many 7-bit groups as it needs."""
    groups = np.maximum(1, (np.frexp(np.maximum(numbers, 1).astype(np.float64))[1] + 6) // 7)
    ends = np.cumsum(groups)
    starts = np.repeat(ends - groups, groups)
    place = np.arange(int(ends[-1])) - starts
    packed = (np.repeat(numbers, groups) >> (7 * place)) & 0x7F
    packed[place < np.repeat(groups, groups) - 1] |= 0x80
    encoded: bytes = packed.astype(np.uint8).tobytes()
    return encoded


def length_delimited(number: int, payload: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(payload)) + payload


@dataclass(slots=True)
class Layer:
    name: str
    features: list[bytes] = field(default_factory=list)
    _keys: dict[str, int] = field(default_factory=dict)
    _values: dict[tuple[type, Value], int] = field(default_factory=dict)

    def add(self, geometry: BaseGeometry, properties: Mapping[str, Value]) -> None:
        """`geometry` in tile coordinates (0..EXTENT, y down); it is left out if nothing of it remains on the grid."""
        kind, commands = encode_geometry(geometry)
        if len(commands) == 0:
            return
        tags = [number for pair in self._tags(properties) for number in pair]
        body = length_delimited(2, b"".join(map(varint, tags))) if tags else b""
        body += varint(3 << 3) + varint(kind) + length_delimited(4, varints(commands))
        self.features.append(length_delimited(2, body))

    def _tags(self, properties: Mapping[str, Value]) -> Iterator[tuple[int, int]]:
        for key, value in properties.items():
            typed = (type(value), value)
            yield self._keys.setdefault(key, len(self._keys)), self._values.setdefault(typed, len(self._values))

    def encode(self) -> bytes:
        body = length_delimited(1, self.name.encode()) + b"".join(self.features)
        body += b"".join(length_delimited(3, key.encode()) for key in self._keys)
        body += b"".join(length_delimited(4, _encode_value(value)) for _, value in self._values)
        body += varint(5 << 3) + varint(EXTENT) + varint(15 << 3) + varint(2)
        return length_delimited(3, body)


def encode_tile(layers: Iterable[Layer]) -> bytes:
    return b"".join(layer.encode() for layer in layers if layer.features)


def _encode_value(value: Value) -> bytes:
    match value:
        case bool():
            return varint(7 << 3) + varint(int(value))
        case str():
            return length_delimited(1, value.encode())
        case int() if value >= 0:
            return varint(5 << 3) + varint(value)
        case _:
            return varint(3 << 3 | 1) + np.float64(value).tobytes()


def encode_geometry(geometry: BaseGeometry) -> tuple[int, Cells]:
    """The geometry type and its command integers (specification 4.3)."""
    kind = geometry.geom_type.removeprefix("Multi")
    if kind == "Point":
        return POINT, _points(_snapped(geometry))
    parts = shapely.get_parts(geometry)
    if kind == "LineString":
        return LINE, _paths([_snapped(part) for part in parts], closed=False)
    rings = [ring for part in parts for ring in _rings(part)]
    return POLYGON, _paths(rings, closed=True)


def _snapped(geometry: BaseGeometry) -> Cells:
    snapped: Cells = np.rint(shapely.get_coordinates(geometry)).astype(np.int64)
    return snapped


def _rings(polygon: BaseGeometry) -> Iterator[Cells]:
    """Outer ring clockwise on the screen (positive area with y down), holes the other way; none if it collapsed."""
    outer = _turned(_snapped(polygon.exterior), positive=True)
    if outer is None:
        return
    yield outer
    for hole in polygon.interiors:
        inner = _turned(_snapped(hole), positive=False)
        if inner is not None:
            yield inner


def _turned(ring: Cells, *, positive: bool) -> Cells | None:
    x, y = ring[:, 0], ring[:, 1]
    doubled_area = int(np.dot(x[:-1], y[1:]) - np.dot(x[1:], y[:-1]))
    if doubled_area == 0:
        return None
    return (ring if (doubled_area > 0) is positive else ring[::-1])[:-1]


def _points(cells: Cells) -> Cells:
    steps = np.diff(cells, axis=0, prepend=np.zeros((1, 2), dtype=np.int64))
    return np.concatenate(([MOVE_TO | len(cells) << 3], _zigzag(steps).ravel()))


def _paths(paths: Sequence[Cells], *, closed: bool) -> Cells:
    commands: list[Cells] = []
    cursor = np.zeros((1, 2), dtype=np.int64)
    for path in paths:
        kept = path[np.concatenate(([True], np.any(np.diff(path, axis=0) != 0, axis=1)))]
        if len(kept) < (3 if closed else 2):
            continue
        steps = _zigzag(np.diff(kept, axis=0, prepend=cursor))
        cursor = kept[-1:]
        commands += [
            np.array([MOVE_TO | 1 << 3]),
            steps[0],
            np.array([LINE_TO | (len(kept) - 1) << 3]),
            steps[1:].ravel(),
        ]
        if closed:
            commands.append(np.array([CLOSE_PATH | 1 << 3]))
    return np.concatenate(commands) if commands else np.empty(0, dtype=np.int64)


def _zigzag(numbers: Cells) -> Cells:
    zigzagged: Cells = (numbers << 1) ^ (numbers >> 63)
    return zigzagged
