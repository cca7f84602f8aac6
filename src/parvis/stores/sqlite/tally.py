"""Tallies of entities in one statement each."""

from collections.abc import Sequence
from typing import Any, assert_never

from parvis.broker.query.areas import AreaIndex
from parvis.broker.query.tally import ByArea, ByWord, Grade, Tallied, TallyQuery, Yardstick
from parvis.broker.query.tallying import SEEN, TallyStatement
from parvis.broker.query.within import Chosen, choose
from parvis.stores.sqlite.database import Connection
from parvis.stores.sqlite.functions import AREAS
from parvis.stores.sqlite.names import Names
from parvis.stores.sqlite.within import in_scopes

_LOCALITY = "addressLocality"
_LONG_LOCALITY = "https://uri.etsi.org/ngsi-ld/default-context/addressLocality"
_SCHEMA_LOCALITY = "https://schema.org/addressLocality"
_TRUE = "CAST('true' AS BLOB)"


def tally(connection: Connection, names: Names, tenant: int, query: TallyQuery) -> list[Tallied]:
    chosen = choose(query.types, query.within, names.typesets.items())
    if chosen.is_nothing:
        return []
    statement = _Statement(names, tenant, chosen, query)
    rows = connection.execute(statement.text(), statement.parameters)
    return [_told(row) for row in rows]


def _told(row: tuple[Any, ...]) -> Tallied:
    place, grade, unit, entities, numbers, total, low, high, newest, measured, *since = row
    grade, total = Grade(grade), total or 0.0
    return Tallied(place, grade, entities, numbers, total, low, high, newest, unit, measured, tuple(since))


class _Statement(TallyStatement):
    def __init__(self, names: Names, tenant: int, chosen: Chosen, query: TallyQuery) -> None:
        super().__init__(query)
        self.parameters: list[Any] = []
        self._names = names
        self._areas: AreaIndex | None = None
        self._where = [
            f"e.tenant = {self._bind(tenant)}",
            "e.deleted IS NULL",
            f"e.typeset IN (SELECT value FROM json_each({self._bind(str(chosen.typesets))}))",
            *in_scopes(chosen, self._bind),
        ]

    def _place(self) -> str:
        if not self._query.by_place and not self._query.place:
            return "''"
        self._join("p", self._query.address)
        paths = ", ".join(f"'$.\"{name}\"'" for name in (_LOCALITY, _SCHEMA_LOCALITY, _LONG_LOCALITY))
        text = "CAST(p.value AS TEXT)"
        found = ", ".join(f"json_extract({text}, {path})" for path in paths.split(", "))
        locality = f"CASE WHEN typeof(p.value) = 'blob' AND json_valid({text}) THEN coalesce({found}) END"
        place = f"coalesce({locality}, json_extract(e.scopes, '$[0]'), '')"
        if self._query.place:
            wanted = self._bind(self._query.place)
            self._where.append(f"({place} = {wanted} OR substr({place}, -length({wanted}) - 1) = '/' || {wanted})")
        return place if self._query.by_place else "''"

    def _zone(self, zones: ByArea | ByWord) -> str:
        match zones:
            case ByArea(location, areas):
                self._join("z", location)
                self._areas = AreaIndex(areas)
                AREAS[id(self._areas)] = self._areas
                found = f"areas_at({self._bind(id(self._areas))}, z.value)"
            case ByWord(attribute):
                self._join("z", attribute)
                text = "CAST(z.value AS TEXT)"
                several = f"CASE WHEN json_valid({text}) AND json_type({text}) = 'array' THEN {text} END"
                found = f"CASE typeof(z.value) WHEN 'text' THEN json_array(z.value) WHEN 'blob' THEN {several} END"
            case _:
                assert_never(zones)
        self._joins.append(f"LEFT JOIN json_each({found}) zone ON zone.type = 'text'")
        return "coalesce(zone.value, '')"

    def _values(self) -> str:
        told = {"value": self._number("{0}"), "seen": SEEN, "measured": "{0}.observed", "shape": "{0}.shape"}
        return ", ".join(f"{self._first(text) or 'NULL'} AS {name}" for name, text in told.items())

    def _number(self, alias: str) -> str:
        return f"CASE WHEN typeof({alias}.value) IN ('integer', 'real') THEN {alias}.value END"

    def _alarmed(self, alias: str) -> str:
        return f"({self._is_true(alias)} OR (typeof({alias}.value) IN ('integer', 'real') AND {alias}.value <> 0))"

    def _is_true(self, alias: str) -> str:
        return f"{alias}.value = {_TRUE}"

    def _reached(self, alias: str, stick: Yardstick, threshold: float) -> str:
        value = f"round({alias}.value, 2)" if stick.is_share else f"{alias}.value"
        sign = "<" if stick.is_low_bad else ">="
        return f"(typeof({alias}.value) IN ('integer', 'real') AND {value} {sign} {self._bind(threshold)})"

    def _is_one_of(self, alias: str, words: Sequence[str]) -> str:
        return f"{alias}.value IN ({', '.join(map(self._bind, words))})"

    def _join(self, alias: str, attribute: str) -> None:
        word = self._bind(self._names.words.ids.get(attribute, -1))
        self._joins.append(
            f"LEFT JOIN attribute {alias} ON {alias}.entity = e.id AND {alias}.name = {word} AND {alias}.dataset = 0"
        )

    def _bind(self, value: Any) -> str:
        self.parameters.append(value)
        return f"?{len(self.parameters)}"
