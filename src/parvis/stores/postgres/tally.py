"""Tallies of entities in one statement each."""

from collections.abc import Sequence
from typing import Any, assert_never

import msgspec

from parvis.broker.query.areas import Area, Ring
from parvis.broker.query.tally import ByArea, ByWord, Grade, Tallied, TallyQuery, Yardstick
from parvis.broker.query.tallying import SEEN, TallyStatement
from parvis.broker.query.within import Chosen, choose
from parvis.stores.postgres.database import Connection
from parvis.stores.postgres.names import Names
from parvis.stores.postgres.rows import Form, storable
from parvis.stores.postgres.within import everything_in

_LOCALITIES = (
    "addressLocality",
    "https://schema.org/addressLocality",
    "https://uri.etsi.org/ngsi-ld/default-context/addressLocality",
)
_IS_INSIDE = (
    "zone.ring @> center(z.bounds) AND NOT EXISTS (SELECT FROM unnest(zone.holes) hole WHERE hole @> center(z.bounds))"
)
_decode = msgspec.json.decode
_IS_TEXT = f"IN (SELECT id FROM shape WHERE form = {int(Form.TEXT)})"
_IS_JSON = f"IN (SELECT id FROM shape WHERE form = {int(Form.JSON)})"


def tally(connection: Connection, names: Names, tenant: int, query: TallyQuery) -> list[Tallied]:
    names.typesets.load(connection)
    names.words.load(connection)
    chosen = choose(query.types, query.within, names.typesets.items())
    if chosen.is_nothing:
        return []
    statement = _Statement(names, tenant, chosen, query)
    rows = connection.execute(statement.text().encode(), statement.parameters, prepare=False)
    return [_told(row) for row in rows]


def _told(row: tuple[Any, ...]) -> Tallied:
    place, grade, unit, entities, numbers, total, low, high, newest, measured, *since = row
    grade, total, unit_code = Grade(grade), total or 0.0, _decode(unit) if unit else ""
    return Tallied(place, grade, entities, numbers, total, low, high, newest, unit_code, measured, tuple(since))


class _Statement(TallyStatement):
    def __init__(self, names: Names, tenant: int, chosen: Chosen, query: TallyQuery) -> None:
        super().__init__(query)
        self.parameters: dict[str, Any] = {}
        self._names = names
        self._tenant = self._bind(tenant)
        self._where = [
            f"e.tenant = {self._tenant}",
            "e.deleted IS NULL",
            everything_in(chosen, self._bind),
        ]

    def _place(self) -> str:
        if not self._query.by_place and not self._query.place:
            return "''::text"
        self._join("p", self._query.address)
        found = ", ".join(f"p.text::json ->> {self._bind(name)}" for name in _LOCALITIES)
        is_object = f"p.shape {_IS_JSON} AND p.text LIKE '{{%%' AND strpos(p.text, '\\u0000') = 0"
        locality = f"CASE WHEN {is_object} THEN coalesce({found}) END"
        place = f"coalesce({locality}, e.scopes::json ->> 0, '')"
        if self._query.place:
            wanted = self._bind(storable(self._query.place))
            self._where.append(f"({place} = {wanted} OR right({place}, length({wanted}::text) + 1) = '/' || {wanted})")
        return place if self._query.by_place else "''::text"

    def _zone(self, zones: ByArea | ByWord) -> str:
        match zones:
            case ByArea(location, areas):
                self._join("z", location)
                self._joins.append(f"LEFT JOIN {self._areas(areas)} zone ON {_IS_INSIDE}")
            case ByWord(attribute):
                self._join("z", attribute)
                is_list = f"z.shape {_IS_JSON} AND z.text LIKE '[%%' AND strpos(z.text, '\\u0000') = 0"
                several = f"CASE WHEN {is_list} THEN z.text::json END"
                found = f"CASE WHEN z.shape {_IS_TEXT} THEN json_build_array(z.text) ELSE {several} END"
                self._joins.append(
                    f"LEFT JOIN LATERAL (SELECT value #>> '{{}}' AS id FROM json_array_elements({found})"
                    " WHERE json_typeof(value) = 'string') zone ON true"
                )
            case _:
                assert_never(zones)
        return "coalesce(zone.id, '')"

    def _areas(self, areas: Sequence[Area]) -> str:
        """A row an outline; holes as what is to be left out of it."""
        outlines = [(area.id, rings) for area in areas for rings in area.polygons]
        holes = [(number, ring) for number, (_, rings) in enumerate(outlines, 1) for ring in rings[1:]]
        ids, rings = self._bind([one for one, _ in outlines]), self._bind([_text(one[0]) for _, one in outlines])
        of, cut = self._bind([number for number, _ in holes]), self._bind([_text(ring) for _, ring in holes])
        without = f"SELECT array_agg(h.ring::polygon) FROM unnest({of}::int[], {cut}::text[]) h(part, ring)"
        return (
            f"(SELECT a.id, a.ring::polygon AS ring, ({without} WHERE h.part = a.part) AS holes"
            f" FROM unnest({ids}::text[], {rings}::text[]) WITH ORDINALITY a(id, ring, part) OFFSET 0)"
        )

    def _values(self) -> str:
        value = self._first(self._number("{0}")) or "NULL::double precision"
        seen, measured = self._first(SEEN) or "NULL::bigint", self._first("{0}.observed") or "NULL::bigint"
        shape = self._first("{0}.shape") or "NULL::integer"
        return f"{value} AS value, {seen} AS seen, {measured} AS measured, {shape} AS shape"

    def _number(self, alias: str) -> str:
        return f"{alias}.number"

    def _alarmed(self, alias: str) -> str:
        return f"({self._is_true(alias)} OR coalesce({alias}.number, 0) <> 0)"

    def _is_true(self, alias: str) -> str:
        return f"({alias}.text = 'true' AND {alias}.shape {_IS_JSON})"

    def _reached(self, alias: str, stick: Yardstick, threshold: float) -> str:
        value = f"round({alias}.number::numeric, 2)" if stick.is_share else f"{alias}.number"
        bound = f"{self._bind(threshold)}::{'numeric' if stick.is_share else 'double precision'}"
        return f"({alias}.number IS NOT NULL AND {value} {'<' if stick.is_low_bad else '>='} {bound})"

    def _is_one_of(self, alias: str, words: Sequence[str]) -> str:
        known = ", ".join(self._bind(storable(word)) for word in words)
        return f"{alias}.number IS NULL AND {alias}.text IN ({known})"

    def _join(self, alias: str, attribute: str) -> None:
        word = self._bind(self._names.words.ids.get(attribute, -1))
        self._joins.append(
            f"LEFT JOIN attribute {alias} ON {alias}.tenant = {self._tenant} AND {alias}.entity = e.id"
            f" AND {alias}.name = {word} AND {alias}.dataset = 0"
        )

    def _bind(self, value: Any) -> str:
        name = f"p{len(self.parameters)}"
        self.parameters[name] = value
        return f"%({name})s"


def _text(ring: Ring) -> str:
    return f"({','.join(f'({x!r},{y!r})' for x, y in ring)})"
