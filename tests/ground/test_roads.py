from pathlib import Path

import numpy as np

from parvis.ground.osm.streets import Street, build_roads
from parvis.ground.roads import load_roads


def test_a_name_with_a_line_break_moves_no_other(tmp_path: Path) -> None:
    points = np.array([(-3.3, 47.7), (-3.2, 47.7)])
    names = ("Rue A\nB", "Quai C", "")
    streets = [
        Street(number, (2 * number, 2 * number + 1), points, "residential", name, 50.0, (1,))
        for number, name in enumerate(names)
    ]
    build_roads(streets, []).save(tmp_path / "roads.npz")
    roads = load_roads(tmp_path / "roads.npz")
    assert tuple(roads.name_of(edge) for edge in range(3)) == names
