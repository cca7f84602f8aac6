"""Where each technology is heard, and how well: the fleet in cells of a grid, for a map and the table under it."""

from collections.abc import Iterable
from math import floor
from statistics import fmean, median

import msgspec

from parvis.fleet.health.findings import snr_margin_db
from parvis.fleet.model.vitals import Statistics

CELL_DEG = 0.01
"""About 1.1 km from south to north."""


class HeardDevice(msgspec.Struct, frozen=True):
    """Where a device is (WGS 84, degrees), and how it was heard."""

    longitude: float
    latitude: float
    statistics: Statistics
    is_silent: bool = False


class CoverageCell(msgspec.Struct, frozen=True):
    """`longitude`, `latitude`: its centre. `loss` from 0 to 1; `margin_db` is the median of its LoRa devices."""

    technology: str
    longitude: float
    latitude: float
    devices: int
    silent: int
    frames: int
    loss: float
    gateways: float
    margin_db: float | None = None
    rssi_dbm: float | None = None


def coverage(devices: Iterable[HeardDevice], cell_deg: float = CELL_DEG) -> tuple[CoverageCell, ...]:
    """By technology, then from south-west to north-east."""
    cells: dict[tuple[str, int, int], list[HeardDevice]] = {}
    for one in devices:
        row, column = floor(one.latitude / cell_deg), floor(one.longitude / cell_deg)
        cells.setdefault((one.statistics.technology, row, column), []).append(one)
    return tuple(_cell(key, cells[key], cell_deg) for key in sorted(cells))


def _cell(key: tuple[str, int, int], devices: list[HeardDevice], cell_deg: float) -> CoverageCell:
    technology, row, column = key
    known = [one.statistics for one in devices]
    frames, lost = sum(one.frames for one in known), sum(one.lost for one in known)
    margins = [margin for one in known if (margin := snr_margin_db(one)) is not None]
    signals = [one.rssi_dbm for one in known if one.rssi_dbm is not None]
    return CoverageCell(
        technology,
        round((column + 0.5) * cell_deg, 6),
        round((row + 0.5) * cell_deg, 6),
        devices=len(devices),
        silent=sum(one.is_silent for one in devices),
        frames=round(frames),
        loss=round(lost / (frames + lost), 3) if frames + lost else 0.0,
        gateways=round(fmean(one.gateways for one in known), 1),
        margin_db=round(median(margins), 1) if margins else None,
        rssi_dbm=round(median(signals), 1) if signals else None,
    )
