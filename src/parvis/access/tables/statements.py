"""What the tables of access ask of the store that holds them; its SQL is what both databases read alike."""

from collections.abc import Callable
from typing import Any, NamedTuple

Row = tuple[Any, ...]


class Statements(NamedTuple):
    """Those of the store of access itself, so that one transaction spans all of its tables. In the text `?` stands for
    a value, and for nothing else. `write` answers whether any row is touched."""

    rows: Callable[..., list[Row]]
    write: Callable[..., bool]

    def find(self, sql: str, *values: object) -> Row | None:
        return next(iter(self.rows(sql, *values)), None)
