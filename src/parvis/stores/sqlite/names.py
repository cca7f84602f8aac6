"""Interned names: each IRI, shape and type set is stored once and known by a small integer."""

from collections.abc import Callable, Iterable
from typing import Any, Generic, TypeVar

import msgspec

from parvis.broker.model.entity import Kind
from parvis.stores.sqlite.database import Connection

Key = TypeVar("Key")
Shape = tuple[Kind, str]
Types = tuple[str, ...]

REMOVED = 0
"""The shape of a removed instance."""
NO_DATASET = 0


class Interned(Generic[Key]):
    """A dictionary in both directions, held in memory. Only the writer adds to it.

    What it adds is saved in the writer's transaction, and forgotten when that fails.
    """

    def __init__(
        self, table: str, columns: int, encode: Callable[[Key], tuple[Any, ...]], decode: Callable[..., Key]
    ) -> None:
        self._select = f"SELECT * FROM {table}"
        self._insert = f"INSERT INTO {table} VALUES (?{', ?' * columns})"
        self._encode = encode
        self._decode = decode
        self._keys: dict[int, Key] = {}
        self.ids: dict[Key, int] = {}
        self._unsaved: list[int] = []
        self._uncommitted: list[int] = []

    def load(self, connection: Connection) -> None:
        for number, *columns in connection.execute(self._select):
            self._remember(number, self._decode(*columns))

    def key(self, number: int) -> Key:
        return self._keys[number]

    def items(self) -> Iterable[tuple[Key, int]]:
        return list(self.ids.items())

    def id(self, key: Key) -> int:
        """The id of `key`, which is added where it is new."""
        number = self.ids.get(key)
        if number is None:
            number = len(self._keys) + 1
            self._remember(number, key)
            self._unsaved.append(number)
        return number

    def save(self, connection: Connection) -> None:
        if self._unsaved:
            rows = [(number, *self._encode(self._keys[number])) for number in self._unsaved]
            connection.executemany(self._insert, rows)
            self._uncommitted += self._unsaved
            self._unsaved = []

    def committed(self) -> None:
        self._uncommitted = []

    def rolled_back(self) -> None:
        for number in self._uncommitted + self._unsaved:
            del self.ids[self._keys.pop(number)]
        self._uncommitted, self._unsaved = [], []

    def _remember(self, number: int, key: Key) -> None:
        self._keys[number] = key
        self.ids[key] = number


class Names:
    """The four dictionaries of a store. `words` are attribute names and datasetIds."""

    def __init__(self, connection: Connection) -> None:
        self.tenants: Interned[str] = Interned("tenant", 1, lambda name: (name,), str)
        self.words: Interned[str] = Interned("word", 1, lambda text: (text,), str)
        self.shapes: Interned[Shape] = Interned("shape", 2, lambda shape: shape, lambda kind, unit: (Kind(kind), unit))
        self.typesets: Interned[Types] = Interned("typeset", 1, _encode_types, _decode_types)
        self._all: tuple[Interned[Any], ...] = (self.tenants, self.words, self.shapes, self.typesets)
        for interned in self._all:
            interned.load(connection)

    def dataset(self, dataset: str) -> int:
        return self.words.id(dataset) if dataset else NO_DATASET

    def dataset_text(self, number: int) -> str:
        return self.words.key(number) if number else ""

    def save(self, connection: Connection) -> None:
        """Write what was added since: a part of the writer's transaction, before the rows that use it."""
        for interned in self._all:
            interned.save(connection)

    def committed(self) -> None:
        for interned in self._all:
            interned.committed()

    def rolled_back(self) -> None:
        for interned in self._all:
            interned.rolled_back()


def _encode_types(types: Types) -> tuple[str]:
    return (msgspec.json.encode(types).decode(),)


def _decode_types(text: str) -> Types:
    return tuple(msgspec.json.decode(text, type=list[str]))
