"""The index of words, beside the entities it finds."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from parvis.broker.model.entity import Kind
from parvis.broker.ports.search import WordQuery, WordsFound
from parvis.broker.query.within import Chosen, choose
from parvis.broker.search.ranking import AFTER_ALL, RANKS, Candidate, Span, find_best
from parvis.broker.search.renewal import Held, Key, renewal_of
from parvis.broker.search.text import BONDS, Attribute
from parvis.broker.search.words import part_of, texts_in
from parvis.kernel.reach import Reach
from parvis.stores.sqlite.database import Connection, RunSql
from parvis.stores.sqlite.names import Names
from parvis.stores.sqlite.rows import from_column
from parvis.stores.sqlite.within import everything_in

_LED = "SELECT entity FROM searched_word WHERE tenant = ? AND rank = ? AND word >= ? AND word < ? LIMIT ?"
_LED_ONCE = f"SELECT DISTINCT entity FROM ({_LED})"
"""An entity has a row for each of its words, many of them in one span."""
_COUNT = f"SELECT count(*) FROM ({_LED})"
_BEGINS = "EXISTS (SELECT 1 FROM searched_word WHERE tenant = ? AND rank = ? AND word >= value AND word < value || ?)"
_BEGUN = f"SELECT value FROM json_each(?) WHERE {' OR '.join([_BEGINS] * len(RANKS))}"
_TAKE = "DELETE FROM unsearched WHERE id IN (SELECT id FROM unsearched ORDER BY id LIMIT ?) RETURNING entity"
_ABOUT = (
    "SELECT ifnull(entity.tenant, searched.tenant), one.value, urn, typeset, ifnull(text, '') FROM json_each(?) AS one"
    " LEFT JOIN entity ON entity.id = one.value AND deleted IS NULL LEFT JOIN searched ON searched.entity = one.value"
    " WHERE entity.tenant IS NOT NULL OR searched.tenant IS NOT NULL"
)
_SHOWN = (
    "SELECT entity, name, attribute.value FROM json_each(?) AS one CROSS JOIN attribute ON entity = one.value"
    " WHERE name IN (SELECT value FROM json_each(?))"
)
_TARGETS = (
    "SELECT entity, attribute.value FROM json_each(?) AS one CROSS JOIN attribute ON entity = one.value"
    " CROSS JOIN shape ON shape.id = shape AND kind = ?"
)
_REFERRING = (
    "SELECT urn FROM searched_word JOIN entity ON id = entity AND deleted IS NULL"
    " WHERE searched_word.tenant = ? AND rank = ? AND word = ?"
)
_WORDS = "SELECT value ->> 0 AS t, value ->> 1 AS r, value ->> 2 AS w, value ->> 3 AS e FROM json_each(?)"
_DROP_WORDS = f"DELETE FROM searched_word WHERE (tenant, rank, word, entity) IN ({_WORDS})"
_ADD_WORDS = f"INSERT OR IGNORE INTO searched_word {_WORDS} ORDER BY t, r, w, e"
_KEEP = (
    "INSERT INTO searched (tenant, entity, text) SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?)"
    " WHERE 1 ON CONFLICT DO UPDATE SET text = excluded.text"
)
_DROP = "DELETE FROM searched WHERE entity IN (SELECT value ->> 1 FROM json_each(?))"


class SqliteSearch:
    """SearchIndex. `write` runs in the writer's transaction, `read` in a snapshot."""

    def __init__(self, names: Names, write: RunSql, read: RunSql) -> None:
        self._names = names
        self._write = write
        self._read = read

    async def find(self, tenant: str, query: WordQuery) -> WordsFound:
        number = self._names.tenants.ids.get(tenant)
        chosen = choose(query.types, query.within, self._names.typesets.items())
        if number is None or chosen.is_nothing:
            return WordsFound((), True)

        def ask(connection: Connection) -> WordsFound:
            return find_best(_Rows(connection, number, chosen), query.words, query.limit)

        found: WordsFound = await self._read(ask)
        return found

    async def list_begun(self, tenant: str, words: Sequence[str]) -> list[str]:
        number = self._names.tenants.ids.get(tenant)
        asked = [_json(words), *(value for rank in RANKS for value in (number, rank, AFTER_ALL))]
        rows: list[tuple[str]] = await self._read(lambda connection: connection.execute(_BEGUN, asked).fetchall())
        return [word for (word,) in rows]

    async def list_referring(self, tenant: str, entity_id: str, limit: int, within: Reach = None) -> list[str]:
        asked: list[object] = [self._names.tenants.ids.get(tenant), BONDS, entity_id]
        chosen = choose(None, within, self._names.typesets.items())
        sql = f"{_REFERRING} AND {everything_in(chosen, _binder(asked), row='')} LIMIT ?"
        asked.append(limit)
        rows: list[tuple[str]] = await self._read(lambda connection: connection.execute(sql, asked).fetchall())
        return [urn for (urn,) in rows]

    async def is_behind(self) -> bool:
        sql = "SELECT EXISTS (SELECT 1 FROM unsearched)"
        return bool(await self._read(lambda connection: connection.execute(sql).fetchone()[0]))

    async def work(self, limit: int) -> int:
        done: int = await self._write(lambda connection: _work(connection, self._names, limit))
        return done


class _Rows:
    def __init__(self, connection: Connection, tenant: int, chosen: Chosen) -> None:
        self._connection = connection
        self._tenant = tenant
        self._chosen = chosen

    def count(self, span: Span, most: int) -> int:
        total = 0
        for rank in RANKS:
            total += self._connection.execute(_COUNT, (self._tenant, rank, *span, most)).fetchone()[0]
        return min(total, most)

    def list_led(self, rank: int, span: Span, others: Sequence[str], most_rows: int, most: int) -> list[Candidate]:
        return self._list(_LED_ONCE, (self._tenant, rank, *span, most_rows), others, most)

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
        parameters: list[object] = [*values]
        for word in others:
            sql += " AND instr(text, ?)"
            parameters.append(f" {word}")
        sql += f" AND {everything_in(self._chosen, _binder(parameters), row='')}"
        return [Candidate(*row) for row in self._connection.execute(f"{sql} LIMIT ?", (*parameters, most))]


def _binder(parameters: list[object]) -> Callable[[Any], str]:
    def bind(value: Any) -> str:
        parameters.append(value)
        return "?"

    return bind


def _work(connection: Connection, names: Names, limit: int) -> int:
    """A statement for all of them each: one of an entity would hand the GIL to and fro with the event loop."""
    taken = [entity for (entity,) in connection.execute(_TAKE, (limit,)).fetchall()]
    if taken:
        _take_in(connection, names, _json(list(set(taken))))
    return len(taken)


def _take_in(connection: Connection, names: Names, these: str) -> None:
    held = [
        Held(tenant, entity, urn, () if typeset is None else names.typesets.key(typeset), text)
        for tenant, entity, urn, typeset, text in connection.execute(_ABOUT, (these,))
    ]
    tenants = {one.entity: one.tenant for one in held}
    shown: defaultdict[Key, list[Attribute]] = defaultdict(list)
    searched = _json([number for word, number in names.words.items() if part_of(word) is not None])
    for entity, name, value in connection.execute(_SHOWN, (these, searched)):
        shown[tenants[entity], entity].append((names.words.key(name), from_column(value)))
    targets: defaultdict[Key, list[str]] = defaultdict(list)
    for entity, value in connection.execute(_TARGETS, (these, Kind.RELATIONSHIP.value)):
        targets[tenants[entity], entity] += texts_in(from_column(value))
    gone, come, kept, dropped = renewal_of(held, shown, targets)
    for sql, rows in ((_DROP_WORDS, gone), (_ADD_WORDS, come), (_DROP, dropped), (_KEEP, kept)):
        if rows:
            connection.execute(sql, (_json(rows),))


def _json(rows: object) -> str:
    return msgspec.json.encode(rows).decode()
