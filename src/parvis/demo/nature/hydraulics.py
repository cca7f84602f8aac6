"""Steady states of a water network for a range of demands and of leaks, each solved by EPANET through WNTR.

A leak is a draw-off that only pressure gives (Wagner et al. 1988), as EPANET 2.2 solves it: below REQUIRED_M it runs
weaker, so that no burst draws more than its pipes carry.
"""

import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from parvis.demo.networks.water import WaterNetwork

DEMANDS = (0.08, 0.4, 0.8, 1.2, 1.7, 2.3, 3.1)
"""Multiples of the mean demand."""
SHARES = (0.3, 0.6, 1.0)
"""Of a leak at its strongest."""
REQUIRED_M, WIDE_M = 15.0, 5000.0


@dataclass(frozen=True)
class Solved:
    """`pressure_m` by share of the leak (one of none), demand and junction of `names`."""

    names: tuple[str, ...]
    pressure_m: NDArray[np.float32]

    def places(self, heads: Mapping[str, str]) -> dict[str, int]:
        """By junction; those that the model leaves out have the pressure where they branch off."""
        own = {name: place for place, name in enumerate(self.names)}
        return own | {name: own[head] for name, head in heads.items() if head in own}

    def keep(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        made = path.with_suffix(".part.npz")
        np.savez(made, names=np.array(self.names), pressure_m=self.pressure_m)
        made.rename(path)

    @staticmethod
    def find(path: Path) -> "Solved | None":
        """None where it is not there, or not whole."""
        try:
            with np.load(path) as kept:
                return Solved(tuple(kept["names"].tolist()), kept["pressure_m"])
        except (OSError, ValueError, KeyError, zipfile.BadZipFile):
            return None


def solve(network: "WaterNetwork", leak_at: str = "", leak_l_per_s: float = 0.0) -> Solved:
    """One run: each hour of it is a state of its own, for towers as wide as lakes do not change between them."""
    import wntr  # type: ignore[import-untyped]

    from parvis.demo.networks.hydraulics import hydraulic_model

    shares = SHARES if leak_at else (0.0,)
    model = hydraulic_model(network, DEMANDS * len(shares), hours=len(DEMANDS) * len(shares) - 1)
    for _, tank in model.tanks():
        tank.diameter = WIDE_M
    if leak_at:
        model.add_pattern("leak", [share for share in shares for _ in DEMANDS])
        model.get_node(leak_at).add_demand(leak_l_per_s / 1000, "leak")
    model.options.hydraulic.demand_model = "PDD"
    model.options.hydraulic.required_pressure = REQUIRED_M
    with tempfile.TemporaryDirectory() as folder:
        results = wntr.sim.EpanetSimulator(model).run_sim(file_prefix=str(Path(folder) / "state"))
    pressure = results.node["pressure"]
    names = tuple(str(name) for name in pressure.columns)
    values = pressure.to_numpy(np.float32)[: len(shares) * len(DEMANDS)]
    return Solved(names, values.reshape(len(shares), len(DEMANDS), len(names)))
