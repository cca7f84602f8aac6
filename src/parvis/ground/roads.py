"""The road graph: junctions, the directed edges between them, and the turns that are forbidden."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from parvis.broker.model.geometry import EARTH_RADIUS_M
from parvis.kernel.errors import ParvisError

KINDS: Final = ("trunk", "primary", "secondary", "tertiary", "residential", "track")
"""Mean radius of the International Union of Geodesy and Geophysics."""
_EDITION: Final = 2


class InvalidRoadGraph(ParvisError):
    title = "The road graph cannot be read"


@dataclass(frozen=True, slots=True)
class RoadGraph:
    """`n` junctions and `m` directed edges; a road open both ways is two edges.

    Attributes:
        junctions: (n, 2) longitude and latitude, WGS 84 degrees.
        source, target: (m,) the junctions where an edge begins and ends.
        length_m: (m,) along its shape.
        speed_km_per_h: (m,) the limit as signed; where none is known, what is usual for the kind.
        kind: (m,) index into KINDS.
        name: (m,) index into `names`; 0 is "".
        shape: (k, 2) the points of all edges, one edge after the other; edge `i` has those from shape_start[i] to
            shape_start[i + 1].
        banned: (b, 2) pairs of edges: after the first, the second must not be taken.
        names: the streets' names.
    """

    junctions: NDArray[np.float64]
    source: NDArray[np.int32]
    target: NDArray[np.int32]
    length_m: NDArray[np.float32]
    speed_km_per_h: NDArray[np.float32]
    kind: NDArray[np.uint8]
    name: NDArray[np.int32]
    shape_start: NDArray[np.int64]
    shape: NDArray[np.float64]
    banned: NDArray[np.int32]
    names: tuple[str, ...]

    def name_of(self, edge: int) -> str:
        return self.names[int(self.name[edge])]

    def shape_of(self, edge: int) -> NDArray[np.float64]:
        """(points, 2) longitude and latitude from source to target."""
        return self.shape[self.shape_start[edge] : self.shape_start[edge + 1]]

    def save(self, path: Path) -> None:
        arrays = {one.name: getattr(self, one.name) for one in fields(self) if one.name != "names"}
        names = np.frombuffer(msgspec.json.encode(self.names), dtype=np.uint8)
        with path.open("wb") as file:
            np.savez_compressed(file, edition=np.array(_EDITION), names=names, **arrays)


def load_roads(path: Path) -> RoadGraph:
    """Raises InvalidRoadGraph."""
    try:
        with np.load(path, allow_pickle=False) as kept:
            return _graph_of(kept)
    except (OSError, ValueError, KeyError) as error:
        raise InvalidRoadGraph(f"{path} is no road graph that can be read ({error}): import it again.") from None


def _graph_of(kept: Any) -> RoadGraph:
    if int(kept["edition"]) != _EDITION:
        raise ValueError(f"edition {int(kept['edition'])}")
    arrays = {one.name: kept[one.name] for one in fields(RoadGraph) if one.name != "names"}
    return RoadGraph(**arrays, names=msgspec.json.decode(kept["names"].tobytes(), type=tuple[str, ...]))


def lengths_m(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n - 1,) great-circle distances between (n, 2) successive points in degrees (haversine)."""
    lon, lat = np.radians(points[:, 0]), np.radians(points[:, 1])
    half = np.sin(np.diff(lat) / 2) ** 2 + np.cos(lat[:-1]) * np.cos(lat[1:]) * np.sin(np.diff(lon) / 2) ** 2
    return np.asarray(2 * EARTH_RADIUS_M * np.arcsin(np.sqrt(half)), dtype=np.float64)
