from typing import Any

import pytest

from parvis.ground.dialects import find_dialect
from parvis.ground.style import map_style

PROTOMAPS = {"earth", "water", "roads", "buildings", "places", "landuse", "boundaries", "pois"}
OPENMAPTILES = {"water", "transportation", "landcover", "place", "building", "waterway"}


def layers_of(names: set[str]) -> list[dict[str, Any]]:
    style: dict[str, Any] = map_style("http://here/{z}/{x}/{y}", dialect=find_dialect(names))
    return [layer for layer in style["layers"] if "source-layer" in layer]


def test_tiles_of_our_own_need_no_dictionary() -> None:
    assert find_dialect({"road", "water", "place"}) is None


@pytest.mark.parametrize("names", [PROTOMAPS, OPENMAPTILES])
def test_a_known_map_is_drawn_from_its_own_layers(names: set[str]) -> None:
    drawn = layers_of(names)
    assert {layer["source-layer"] for layer in drawn} <= names | {"landuse", "boundaries", "pois", "boundary", "poi"}
    assert {"fill", "line", "symbol"} == {layer["type"] for layer in drawn}
    assert len({layer["id"] for layer in drawn}) == len(drawn)


def test_kinds_are_spelled_as_theirs() -> None:
    (forest,) = [layer for layer in layers_of(PROTOMAPS) if layer["id"] == "forest"]
    assert (forest["source-layer"], forest["filter"]) == (
        "landuse",
        ["in", ["get", "kind"], ["literal", ["forest", "wood"]]],
    )
    (trunk,) = [layer for layer in layers_of(OPENMAPTILES) if layer["id"] == "trunk-road"]
    assert (trunk["source-layer"], trunk["filter"][1]) == ("transportation", ["get", "class"])


def test_what_they_have_no_word_for_is_not_drawn() -> None:
    assert not [layer for layer in layers_of(PROTOMAPS) if layer["id"] in ("hedges", "depth1")]
