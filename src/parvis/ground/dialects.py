"""Vector tiles of others say the same with other words; `dialects.toml` is the dictionary."""

import tomllib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

Json = dict[str, Any]
_DICTIONARY = Path(__file__).with_name("dialects.toml")


@dataclass(frozen=True, slots=True)
class Dialect:
    """`key` is the property of a feature that holds its kind. A map has a dialect when it has all layers of `marks`."""

    key: str
    marks: frozenset[str]
    words: Mapping[str, str]


def find_dialect(layers: Collection[str]) -> Dialect | None:
    """By the names of the layers that a map says it has; None: our own words."""
    return next((one for one in _dialects() if one.marks <= set(layers)), None)


@cache
def _dialects() -> tuple[Dialect, ...]:
    known = tomllib.loads(_DICTIONARY.read_text(encoding="utf-8"))
    return tuple(Dialect(one["key"], frozenset(one["marks"]), one["words"]) for one in known.values())


def kinds_filter(key: str, kinds: Sequence[str]) -> list[Any]:
    """In the MapLibre expression language."""
    return ["in", ["get", key], ["literal", list(kinds)]]


def in_dialect(layer: Json, dialect: Dialect) -> Json | None:
    """A style layer of ours in other words; None where they have none for it."""
    ours = layer["source-layer"]
    names = [f"{ours}.{kind}" for kind in _kinds_of(layer)] or [ours]
    spelled = [dialect.words[name].partition(":") for name in names if name in dialect.words]
    if not spelled:
        return None
    said = {**layer, "source-layer": spelled[0][0]}
    kinds = [kind for _, _, some in spelled for kind in some.split()]
    return said | {"filter": kinds_filter(dialect.key, kinds)} if kinds else said


def _kinds_of(layer: Json) -> list[str]:
    return list(layer["filter"][2][1]) if "filter" in layer else []
