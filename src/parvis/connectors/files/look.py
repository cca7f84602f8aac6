"""A column as its first cells show it."""

import re
import unicodedata
from enum import Enum

import msgspec

from parvis.connectors.files.table import Cell

UNIT = re.compile(r"\(([^()]{1,12})\)\s*$")
"""In brackets at the end of a column's name."""
UNIT_AT_END = re.compile(r"_(cm|mm|m|kg|kwh|kw|l)$", re.IGNORECASE)
"""As in "hauteur_m"."""
PER_CENT = re.compile(
    r"[\s_]*(?:%|(?<![a-z])(?:en\s+)?(?:pour[\s_-]?cent|per[\s_-]?cent|pct)(?:age)?(?![a-z]))\s*", re.IGNORECASE
)
"""As in "Remplissage %" or "humidite_pct"."""


class Kind(Enum):
    NUMBER = "number"
    BOOLEAN = "boolean"
    TIME = "date"
    URI = "uri"
    GEOMETRY = "geometry"
    TEXT = "text"
    EMPTY = "empty"


class Column(msgspec.Struct, frozen=True):
    """`format` and `has_hours` are of a time. `distinct` counts values among `filled` ones of the sample."""

    name: str
    kind: Kind
    format: str = ""
    filled: int = 0
    distinct: int = 0
    example: str = ""
    has_hours: bool = False

    @property
    def is_key(self) -> bool:
        return self.filled > 0 and self.distinct == self.filled


def folded(text: str) -> str:
    """Letters and digits only, without accents: "N° d'arrêt" is "ndarret"."""
    plain = unicodedata.normalize("NFKD", UNIT.sub("", text)).encode("ascii", "ignore").decode()
    return "".join(letter for letter in plain.lower() if letter.isalnum())


def shown(cell: Cell) -> str:
    if cell is None:
        return ""
    if isinstance(cell, dict):
        return msgspec.json.encode(cell).decode()[:120]
    if isinstance(cell, bytes):
        return "(geometry)"
    return str(cell)[:120]
