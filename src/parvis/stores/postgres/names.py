"""Interned names: each IRI, shape and type set is stored once and known by a small integer, to all processes."""

import threading
from collections.abc import Callable, Iterable
from typing import Any, Generic, TypeVar

import msgspec

from parvis.broker.model.entity import Kind
from parvis.stores.postgres.database import Connection, Database
from parvis.stores.postgres.rows import Form, Shape

Key = TypeVar("Key")
Types = tuple[str, ...]

REMOVED = 0
"""The shape of a removed instance."""
NO_DATASET = 0
_NEWEST = """
SELECT coalesce((SELECT max(id) FROM tenant), 0), coalesce((SELECT max(id) FROM word), 0),
    coalesce((SELECT max(id) FROM shape), 0), coalesce((SELECT max(id) FROM typeset), 0)
"""
_NAMES_LOCK = 0x6E616D65
"""Names are added by one transaction at a time, so that their numbers are committed in order."""


class Interned(Generic[Key]):
    """A dictionary in both directions, held in memory. What another process has added is loaded where it is met."""

    def __init__(
        self,
        database: Database,
        table: str,
        columns: tuple[str, ...],
        encode: Callable[[Key], tuple[Any, ...]],
        decode: Callable[..., Key],
    ) -> None:
        self._database = database
        names = ", ".join(columns)
        self._select = f"SELECT id, {names} FROM {table} WHERE id > %s ORDER BY id"
        self._insert = f"INSERT INTO {table} ({names}) VALUES ({', '.join(['%s'] * len(columns))})"
        self._encode = encode
        self._decode = decode
        self._keys: dict[int, Key] = {}
        self._newest = 0
        self._lock = threading.Lock()
        self.ids: dict[Key, int] = {}

    def load(self, connection: Connection) -> None:
        """What was added since."""
        with self._lock:
            self._load(connection)

    def load_upto(self, connection: Connection, newest: int) -> None:
        """What was added since, where that is not known already."""
        if newest > self._newest:
            self.load(connection)

    def key(self, number: int) -> Key:
        """Raises StoreUnreachable."""
        known = self._keys.get(number)
        if known is None:
            with self._database.connect() as connection:
                self.load(connection)
            known = self._keys[number]
        return known

    def items(self) -> Iterable[tuple[Key, int]]:
        return list(self.ids.items())

    def id(self, key: Key) -> int:
        """The id of `key`, which is added where it is new. Raises StoreUnreachable."""
        number = self.ids.get(key)
        if number is None:
            self.add((key,))
            number = self.ids[key]
        return number

    def add(self, keys: Iterable[Key]) -> None:
        """Durably, in a transaction of its own: a number once given stays, whatever becomes of the rows."""
        with self._database.connect() as connection:
            with connection.transaction():
                connection.execute("SELECT pg_advisory_xact_lock(%s)", (_NAMES_LOCK,))
                self.load(connection)
                fresh = [self._encode(key) for key in dict.fromkeys(keys) if key not in self.ids]
                if fresh:
                    connection.cursor().executemany(self._insert, fresh)
            self.load(connection)

    def _load(self, connection: Connection) -> None:
        for number, *columns in connection.execute(self._select, (self._newest,)):
            key = self._decode(*columns)
            self._keys[number] = key
            self.ids[key] = number
            self._newest = number


class Names:
    """The four dictionaries of a store. `words` are attribute names and datasetIds."""

    def __init__(self, database: Database) -> None:
        self.tenants: Interned[str] = Interned(database, "tenant", ("name",), lambda name: (name,), str)
        self.words: Interned[str] = Interned(database, "word", ("text",), lambda text: (text,), str)
        self.shapes: Interned[Shape] = Interned(
            database, "shape", ("kind", "unit", "form"), _encode_shape, _decode_shape
        )
        self.typesets: Interned[Types] = Interned(database, "typeset", ("types",), _encode_types, _decode_types)
        self._all: tuple[Interned[Any], ...] = (self.tenants, self.words, self.shapes, self.typesets)

    def load(self, connection: Connection) -> None:
        """What any process has added since: before a query is translated, for it may speak of new names."""
        newest = connection.execute(_NEWEST).fetchone()
        assert newest is not None
        for interned, number in zip(self._all, newest, strict=True):
            interned.load_upto(connection, number)

    def dataset(self, dataset: str) -> int:
        return self.words.id(dataset) if dataset else NO_DATASET

    def dataset_text(self, number: int) -> str:
        return self.words.key(number) if number else ""


def _encode_shape(shape: Shape) -> tuple[int, str, int]:
    kind, unit, form = shape
    return (kind.value, msgspec.json.encode(unit).decode(), form.value)


def _decode_shape(kind: int, unit: str, form: int) -> Shape:
    return (Kind(kind), msgspec.json.decode(unit, type=str), Form(form))


def _encode_types(types: Types) -> tuple[str]:
    return (msgspec.json.encode(types).decode(),)


def _decode_types(text: str) -> Types:
    return tuple(msgspec.json.decode(text, type=list[str]))
