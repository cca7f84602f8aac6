"""The index of words, beside the entities it finds."""

from collections.abc import Iterable, Sequence

import msgspec

from parvis.broker.model.entity import Json, Kind
from parvis.broker.ports.search import WordQuery, WordsFound
from parvis.broker.query.selection import typesets_of
from parvis.broker.search.ranking import RANKS, Candidate, Span, find_best
from parvis.broker.search.text import BONDS, searched_text, words_by_rank
from parvis.broker.search.words import part_of, texts_in
from parvis.stores.sqlite.database import Connection, RunSql
from parvis.stores.sqlite.names import Names
from parvis.stores.sqlite.rows import from_column

_LED = "SELECT entity FROM searched_word WHERE tenant = ? AND rank = ? AND word >= ? AND word < ? LIMIT ?"
_COUNT = f"SELECT count(*) FROM ({_LED})"
_TAKE = "DELETE FROM unsearched WHERE id IN (SELECT id FROM unsearched ORDER BY id LIMIT ?) RETURNING entity"
_HEADER = "SELECT tenant, urn, typeset FROM entity WHERE id = ? AND deleted IS NULL"
_SHOWN = "SELECT name, value FROM attribute WHERE entity = ? AND name IN (SELECT value FROM json_each(?))"
_TARGETS = "SELECT value FROM attribute JOIN shape ON shape.id = shape AND kind = ? WHERE entity = ?"
_REFERRING = (
    "SELECT urn FROM searched_word JOIN entity ON id = entity AND deleted IS NULL"
    " WHERE searched_word.tenant = ? AND rank = ? AND word = ? LIMIT ?"
)
_KEEP = "INSERT INTO searched VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET text = excluded.text"
_DROP_WORDS = "DELETE FROM searched_word WHERE tenant = ? AND rank = ? AND word = ? AND entity = ?"


class SqliteSearch:
    """SearchIndex. `write` runs in the writer's transaction, `read` in a snapshot."""

    def __init__(self, names: Names, write: RunSql, read: RunSql) -> None:
        self._names = names
        self._write = write
        self._read = read

    async def find(self, tenant: str, query: WordQuery) -> WordsFound:
        number = self._names.tenants.ids.get(tenant)
        typesets = typesets_of(query.types, self._names.typesets.items())
        if number is None or typesets == []:
            return WordsFound((), True)

        def ask(connection: Connection) -> WordsFound:
            return find_best(_Rows(connection, number, typesets), query.words, query.limit)

        found: WordsFound = await self._read(ask)
        return found

    async def list_referring(self, tenant: str, entity_id: str, limit: int) -> list[str]:
        asked = (self._names.tenants.ids.get(tenant), BONDS, entity_id, limit)
        rows: list[tuple[str]] = await self._read(lambda connection: connection.execute(_REFERRING, asked).fetchall())
        return [urn for (urn,) in rows]

    async def is_behind(self) -> bool:
        sql = "SELECT EXISTS (SELECT 1 FROM unsearched)"
        return bool(await self._read(lambda connection: connection.execute(sql).fetchone()[0]))

    async def work(self, limit: int) -> int:
        done: int = await self._write(lambda connection: _work(connection, self._names, limit))
        return done


class _Rows:
    def __init__(self, connection: Connection, tenant: int, typesets: Sequence[int] | None) -> None:
        self._connection = connection
        self._tenant = tenant
        self._typesets = typesets

    def count(self, span: Span, most: int) -> int:
        total = 0
        for rank in RANKS:
            total += self._connection.execute(_COUNT, (self._tenant, rank, *span, most)).fetchone()[0]
        return min(total, most)

    def list_led(self, rank: int, span: Span, others: Sequence[str], most_rows: int, most: int) -> list[Candidate]:
        return self._list(_LED, (self._tenant, rank, *span, most_rows), others, most)

    def list_common(self, spans: Sequence[Span], most: int) -> list[int]:
        """Sets of ours: twice as fast as SQLite's INTERSECT."""
        return sorted(set.intersection(*(self._entities(span, most) for span in spans)))

    def _entities(self, span: Span, most: int) -> set[int]:
        rows = (self._connection.execute(_LED, (self._tenant, rank, *span, most)).fetchall() for rank in RANKS)
        return {entity for found in rows for (entity,) in found}

    def list_among(self, entities: Sequence[int], others: Sequence[str], most: int) -> list[Candidate]:
        return self._list("SELECT value AS entity FROM json_each(?)", (_json(entities),), others, most)

    def _list(self, led: str, values: tuple[object, ...], others: Sequence[str], most: int) -> list[Candidate]:
        sql = (
            f"SELECT urn, text FROM ({led}) AS led CROSS JOIN searched ON searched.entity = led.entity"
            " CROSS JOIN entity ON id = led.entity AND deleted IS NULL WHERE 1"
        )
        parameters = [*values]
        for word in others:
            sql += " AND instr(text, ?)"
            parameters.append(f" {word}")
        if self._typesets is not None:
            sql += " AND typeset IN (SELECT value FROM json_each(?))"
            parameters.append(_json(self._typesets))
        return [Candidate(*row) for row in self._connection.execute(f"{sql} LIMIT ?", (*parameters, most))]


def _work(connection: Connection, names: Names, limit: int) -> int:
    taken = [row[0] for row in connection.execute(_TAKE, (limit,)).fetchall()]
    searched = _json([number for word, number in names.words.items() if part_of(word) is not None])
    for entity in dict.fromkeys(taken):
        _take_in(connection, names, entity, searched)
    return len(taken)


def _take_in(connection: Connection, names: Names, entity: int, searched: str) -> None:
    held = connection.execute("SELECT tenant, text FROM searched WHERE entity = ?", (entity,)).fetchone()
    header = connection.execute(_HEADER, (entity,)).fetchone()
    old = "" if held is None else held[1]
    new = "" if header is None else _text(connection, names, entity, header[1:], searched)
    if new == old:
        return
    tenant = header[0] if held is None else held[0]
    _write_words(connection, tenant, entity, words_by_rank(old), words_by_rank(new))
    if new:
        connection.execute(_KEEP, (entity, tenant, new))
    else:
        connection.execute("DELETE FROM searched WHERE entity = ?", (entity,))


def _text(connection: Connection, names: Names, entity: int, about: tuple[str, int], searched: str) -> str:
    urn, typeset = about
    shown: Iterable[tuple[str, Json]] = (
        (names.words.key(name), from_column(value)) for name, value in connection.execute(_SHOWN, (entity, searched))
    )
    rows = connection.execute(_TARGETS, (Kind.RELATIONSHIP.value, entity))
    targets = [target for (value,) in rows for target in texts_in(from_column(value))]
    return searched_text(urn, names.typesets.key(typeset), shown, targets)


def _write_words(
    connection: Connection, tenant: int, entity: int, old: set[tuple[int, str]], new: set[tuple[int, str]]
) -> None:
    gone = [(tenant, rank, word, entity) for rank, word in old - new]
    come = [(tenant, rank, word, entity) for rank, word in new - old]
    connection.executemany(_DROP_WORDS, gone)
    connection.executemany("INSERT OR IGNORE INTO searched_word VALUES (?, ?, ?, ?)", come)


def _json(numbers: Sequence[int]) -> str:
    return msgspec.json.encode(numbers).decode()
