"""The index of words, beside the entities it finds. A B-tree of words: row-level security lets only leakproof operators
search an index, and those of text search are not."""

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
from parvis.stores.postgres.database import EVERY_TENANT, Connection, Pool
from parvis.stores.postgres.names import Names
from parvis.stores.postgres.reader import Reader
from parvis.stores.postgres.rows import from_columns
from parvis.stores.postgres.within import everything_in, numbers_text

_LOCK = 0x736561726368
"""Who takes words in does so alone: an entity's older words would come after its newer ones."""
_SPAN = "tenant = %s AND rank = %s AND word >= %s AND word < %s"
_LED = f"SELECT entity, word FROM searched_word WHERE {_SPAN} ORDER BY word, entity LIMIT %s"
_LED_ONCE = f"SELECT entity FROM ({_LED}) AS row GROUP BY entity ORDER BY min(word), entity"
"""An entity has a row for each of its words, many of them in one span."""
_COUNT = f"SELECT count(*) FROM (({_LED}) UNION ALL ({_LED})) AS led"
_BEGINS = "EXISTS (SELECT FROM searched_word WHERE tenant = %s AND rank = %s AND word >= one AND word < one || %s)"
_BEGUN = f"""
SELECT one FROM (SELECT value COLLATE "C" AS one FROM json_array_elements_text(%s::json) AS told (value)) AS asked
WHERE {" OR ".join([_BEGINS] * len(RANKS))}
"""
_TAKE = "DELETE FROM unsearched WHERE id IN (SELECT id FROM unsearched ORDER BY id LIMIT %s) RETURNING tenant, entity"
_OF_THESE = "json_to_recordset(%s::json) AS one (tenant integer, entity bigint)"
_ABOUT = f"""
SELECT one.tenant, one.entity, e.urn, e.typeset, s.text FROM {_OF_THESE}
LEFT JOIN entity e ON e.tenant = one.tenant AND e.id = one.entity AND e.deleted IS NULL
LEFT JOIN searched s ON s.tenant = one.tenant AND s.entity = one.entity
"""
_SHOWN = f"""
SELECT one.tenant, one.entity, a.name, a.shape, a.number, a.text FROM {_OF_THESE}
JOIN attribute a ON a.tenant = one.tenant AND a.entity = one.entity AND a.name = ANY (%s::int[])
"""
_TARGETS = f"""
SELECT one.tenant, one.entity, a.shape, a.number, a.text FROM {_OF_THESE}
JOIN attribute a ON a.tenant = one.tenant AND a.entity = one.entity
JOIN shape s ON s.id = a.shape AND s.kind = %s
"""
_REFERRING = """
SELECT e.urn FROM searched_word w JOIN entity e ON e.tenant = %s AND e.id = w.entity AND e.deleted IS NULL
WHERE w.tenant = %s AND w.rank = %s AND w.word = %s"""
_WORDS = "json_to_recordset(%s::json) AS one (tenant integer, entity bigint, rank smallint, word text)"
_DROP_WORDS = f"""
DELETE FROM searched_word w USING {_WORDS}
WHERE w.tenant = one.tenant AND w.rank = one.rank AND w.word = one.word COLLATE "C" AND w.entity = one.entity
"""
_ADD_WORDS = f"INSERT INTO searched_word SELECT tenant, rank, word, entity FROM {_WORDS} ON CONFLICT DO NOTHING"
_KEEP = """
INSERT INTO searched SELECT tenant, entity, text
FROM json_to_recordset(%s::json) AS one (tenant integer, entity bigint, text text)
ON CONFLICT (tenant, entity) DO UPDATE SET text = excluded.text
"""
_DROP = f"DELETE FROM searched s USING {_OF_THESE} WHERE s.tenant = one.tenant AND s.entity = one.entity"


class PostgresSearch:
    """SearchIndex."""

    def __init__(self, names: Names, desk: Pool, reader: Reader) -> None:
        self._names = names
        self._desk = desk
        self._reader = reader

    async def find(self, tenant: str, query: WordQuery) -> WordsFound:
        def ask(connection: Connection, number: int) -> WordsFound:
            if query.types is not None or query.within is not None:
                self._names.typesets.load(connection)
            chosen = choose(query.types, query.within, self._names.typesets.items())
            if chosen.is_nothing:
                return WordsFound((), True)
            return find_best(_Rows(connection, number, chosen), query.words, query.limit)

        return await self._reader.run(tenant, ask) or WordsFound((), True)

    async def list_begun(self, tenant: str, words: Sequence[str]) -> list[str]:
        def ask(connection: Connection, number: int) -> list[str]:
            asked = [_json(words), *(value for rank in RANKS for value in (number, rank, AFTER_ALL))]
            return [word for (word,) in connection.execute(_BEGUN.encode(), asked)]

        return await self._reader.run(tenant, ask) or []

    async def list_referring(self, tenant: str, entity_id: str, limit: int, within: Reach = None) -> list[str]:
        def ask(connection: Connection, number: int) -> list[str]:
            if within is not None:
                self._names.typesets.load(connection)
            chosen = choose(None, within, self._names.typesets.items())
            asked: list[Any] = [number, number, BONDS, entity_id]
            sql = f"{_REFERRING} AND {everything_in(chosen, _binder(asked))} LIMIT %s"
            return [urn for (urn,) in connection.execute(sql.encode(), (*asked, limit))]

        return [] if "\0" in entity_id else await self._reader.run(tenant, ask) or []

    async def is_behind(self) -> bool:
        sql = "SELECT EXISTS (SELECT FROM unsearched)"
        row = await self._desk.run(EVERY_TENANT, lambda connection: connection.execute(sql).fetchone())
        return row is not None and bool(row[0])

    async def work(self, limit: int) -> int:
        return await self._desk.run(EVERY_TENANT, lambda connection: _work(connection, self._names, limit))


class _Rows:
    def __init__(self, connection: Connection, tenant: int, chosen: Chosen) -> None:
        self._connection = connection
        self._tenant = tenant
        self._chosen = chosen

    def count(self, span: Span, most: int) -> int:
        asked = [value for rank in RANKS for value in (self._tenant, rank, *span, most)]
        row = self._connection.execute(_COUNT, asked).fetchone()
        return min(row[0], most) if row else 0

    def list_led(self, rank: int, span: Span, others: Sequence[str], most_rows: int, most: int) -> list[Candidate]:
        return self._list(_LED_ONCE, (self._tenant, rank, *span, most_rows), others, most)

    def list_common(self, spans: Sequence[Span], most: int) -> list[int]:
        either = f"(SELECT entity FROM (({_LED}) UNION ALL ({_LED})) AS row)"
        sql = f"{' INTERSECT '.join([either] * len(spans))} ORDER BY entity"
        asked = [value for span in spans for rank in RANKS for value in (self._tenant, rank, *span, most)]
        return [entity for (entity,) in self._connection.execute(sql.encode(), asked)]

    def list_among(self, entities: Sequence[int], others: Sequence[str], most: int) -> list[Candidate]:
        return self._list("SELECT unnest(%s::bigint[]) AS entity", (numbers_text(entities),), others, most)

    def _list(self, led: str, values: tuple[Any, ...], others: Sequence[str], most: int) -> list[Candidate]:
        sql = (
            f"SELECT e.urn, s.text FROM ({led}) AS led"
            " JOIN searched s ON s.tenant = %s AND s.entity = led.entity"
            " JOIN entity e ON e.tenant = %s AND e.id = led.entity AND e.deleted IS NULL WHERE true"
        )
        asked: list[Any] = [*values, self._tenant, self._tenant]
        for word in others:
            sql += " AND position(%s IN s.text) > 0"
            asked.append(f" {word}")
        sql += f" AND {everything_in(self._chosen, _binder(asked))}"
        rows = self._connection.execute(f"{sql} LIMIT %s".encode(), (*asked, most))
        return [Candidate(*row) for row in rows]


def _binder(parameters: list[Any]) -> Callable[[Any], str]:
    def bind(value: Any) -> str:
        parameters.append(value)
        return "%s"

    return bind


def _work(connection: Connection, names: Names, limit: int) -> int:
    connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
    taken = connection.execute(_TAKE, (limit,)).fetchall()
    if taken:
        names.load(connection)
        _take_in(connection, names, _json([{"tenant": tenant, "entity": entity} for tenant, entity in set(taken)]))
    return len(taken)


def _take_in(connection: Connection, names: Names, these: str) -> None:
    held = [
        Held(tenant, entity, urn, () if typeset is None else names.typesets.key(typeset), text or "")
        for tenant, entity, urn, typeset, text in connection.execute(_ABOUT, (these,))
    ]
    gone, come, kept, dropped = renewal_of(held, _shown(connection, names, these), _targets(connection, names, these))
    for sql, columns, rows in (
        (_DROP_WORDS, ("tenant", "rank", "word", "entity"), gone),
        (_ADD_WORDS, ("tenant", "rank", "word", "entity"), come),
        (_DROP, ("tenant", "entity"), dropped),
        (_KEEP, ("tenant", "entity", "text"), kept),
    ):
        if rows:
            connection.execute(sql.encode(), (_json([dict(zip(columns, row, strict=True)) for row in rows]),))


def _shown(connection: Connection, names: Names, these: str) -> dict[Key, list[Attribute]]:
    searched = numbers_text([number for word, number in names.words.items() if part_of(word) is not None])
    found: dict[Key, list[Attribute]] = {}
    for tenant, entity, name, shape, number, text in connection.execute(_SHOWN, (these, searched)):
        value = from_columns(names.shapes.key(shape)[2], number, text)
        found.setdefault((tenant, entity), []).append((names.words.key(name), value))
    return found


def _targets(connection: Connection, names: Names, these: str) -> dict[Key, list[str]]:
    found: dict[Key, list[str]] = {}
    for tenant, entity, shape, number, text in connection.execute(_TARGETS, (these, Kind.RELATIONSHIP.value)):
        value = from_columns(names.shapes.key(shape)[2], number, text)
        found.setdefault((tenant, entity), []).extend(texts_in(value))
    return found


def _json(rows: object) -> str:
    return msgspec.json.encode(rows).decode()
