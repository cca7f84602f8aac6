"""Cells of a quadtree over all longitudes and latitudes, numbered so that what lies in one is a range of numbers.

The database numbers bounds (`parvis_cell` in schema.sql): the smallest cell that holds them. A cell at depth d of
DEPTH is numbered by its path of 2 d bits, a one, and zeros: everything inside shares the path, so lies around it.
"""

import math
from typing import NamedTuple

from parvis.broker.model.geometry import Bounds

DEPTH = 24
"""Leaves of 2.4 by 1.2 metres at the equator."""
MAX_RANGES = 12
_LAST = (1 << DEPTH) - 1


class Cover(NamedTuple):
    """Numbers of everything that may touch a box: from low to high of each range, and single cells."""

    ranges: list[tuple[int, int]]
    cells: list[int]


class _Cell(NamedTuple):
    """Its leaves: `size` by `size` from (column, row) on."""

    column: int
    row: int
    size: int

    def meets(self, west: int, south: int, east: int, north: int) -> bool:
        columns = self.column <= east and self.column + self.size > west
        return columns and self.row <= north and self.row + self.size > south

    def is_inside(self, west: int, south: int, east: int, north: int) -> bool:
        columns = west <= self.column and self.column + self.size - 1 <= east
        return columns and south <= self.row and self.row + self.size - 1 <= north

    def quarters(self) -> list["_Cell"]:
        half = self.size // 2
        return [_Cell(self.column + right * half, self.row + up * half, half) for up in range(2) for right in range(2)]

    def number(self) -> int:
        bits = 2 * (self.size.bit_length() - 1)
        path = sum((self.column >> bit & 1) << 2 * bit | (self.row >> bit & 1) << 2 * bit + 1 for bit in range(DEPTH))
        return (path >> bits << 1 | 1) << bits


def cover(box: Bounds) -> Cover:
    """Finer where it pays: the largest cells are divided first, until there are about MAX_RANGES."""
    west, south, east, north = box
    leaves = (
        _index((west + 180) / 360),
        _index((south + 90) / 180),
        _index((east + 180) / 360),
        _index((north + 90) / 180),
    )
    open_, whole, divided = [_Cell(0, 0, _LAST + 1)], list[_Cell](), list[int]()
    while open_ and len(open_) + len(whole) < MAX_RANGES:
        cell = open_.pop(0)
        if cell.size == 1 or cell.is_inside(*leaves):
            whole.append(cell)
        else:
            divided.append(cell.number())
            open_ += [one for one in cell.quarters() if one.meets(*leaves)]
    return Cover([_range(one) for one in whole + open_], divided)


def _range(cell: _Cell) -> tuple[int, int]:
    number = cell.number()
    around = (number & -number) - 1
    return number - around, number + around


def _index(share: float) -> int:
    return min(max(math.floor(share * (_LAST + 1)), 0), _LAST)
