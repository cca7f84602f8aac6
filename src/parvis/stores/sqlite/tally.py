"""Tallies of entities in one statement each."""

from typing import Any, assert_never

from parvis.broker.query.areas import AreaIndex
from parvis.broker.query.selection import typesets_of
from parvis.broker.query.tally import ByArea, ByWord, Grade, Tallied, TallyQuery, Yardstick
from parvis.stores.sqlite.database import Connection
from parvis.stores.sqlite.functions import AREAS
from parvis.stores.sqlite.names import Names

_LOCALITY = "addressLocality"
_LONG_LOCALITY = "https://uri.etsi.org/ngsi-ld/default-context/addressLocality"
_SCHEMA_LOCALITY = "https://schema.org/addressLocality"
_TRUE = "CAST('true' AS BLOB)"


def tally(connection: Connection, names: Names, tenant: int, query: TallyQuery) -> list[Tallied]:
    typesets = typesets_of(query.types, names.typesets.items())
    if not typesets:
        return []
    statement = _Statement(names, tenant, typesets, query)
    rows = connection.execute(statement.text(), statement.parameters)
    return [_told(row) for row in rows]


def _told(row: tuple[Any, ...]) -> Tallied:
    place, grade, unit, entities, numbers, total, low, high, newest = row
    return Tallied(place, Grade(grade), entities, numbers, total or 0.0, low, high, newest, unit)


class _Statement:
    def __init__(self, names: Names, tenant: int, typesets: list[int], query: TallyQuery) -> None:
        self.parameters: list[Any] = []
        self._names = names
        self._query = query
        self._joins: list[str] = []
        self._areas: AreaIndex | None = None
        self._where = [
            f"e.tenant = {self._bind(tenant)}",
            "e.deleted IS NULL",
            f"e.typeset IN (SELECT value FROM json_each({self._bind(str(typesets))}))",
        ]

    def text(self) -> str:
        sticks = self._query.yardsticks
        for number, stick in enumerate(sticks):
            self._join(f"a{number}", stick.attribute)
            if stick.alarm is not None:
                self._join(f"b{number}", stick.alarm)
        place = self._place() if self._query.zones is None else self._zone(self._query.zones)
        value = self._first("CASE WHEN typeof({0}.value) IN ('integer', 'real') THEN {0}.value END")
        rows = (
            f"SELECT {place} AS place, {self._grade()} AS grade, {value} AS value,"
            f" {self._first('coalesce({0}.observed, {0}.modified)')} AS seen, {self._first('{0}.shape')} AS shape"
            f" FROM entity e {' '.join(self._joins)} WHERE {' AND '.join(self._where)}"
        )
        return (
            "SELECT place, grade, coalesce(s.unit, '') AS unit, count(*), count(value), sum(value), min(value),"
            f" max(value), max(seen) FROM ({rows}) r LEFT JOIN shape s ON s.id = r.shape"
            " GROUP BY place, grade, coalesce(s.unit, '') ORDER BY place, grade, unit"
        )

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

    def _grade(self) -> str:
        sticks = self._query.yardsticks
        if not sticks:
            return str(int(Grade.GOOD))
        cases = [f"WHEN a{n}.entity IS NOT NULL THEN {self._judged(n, stick)}" for n, stick in enumerate(sticks)]
        if sticks[0].alarm is not None:
            cases.append(f"WHEN {_alarmed('b0')} THEN {int(Grade.BAD)}")
        return f"CASE {' '.join(cases)} ELSE {int(Grade.SILENT)} END"

    def _judged(self, number: int, stick: Yardstick) -> str:
        cases = []
        if stick.alarm is not None:
            cases.append(f"WHEN {_alarmed(f'b{number}')} THEN {int(Grade.BAD)}")
        if stick.bad is not None:
            cases.append(f"WHEN {self._reached(number, stick, stick.bad)} THEN {int(Grade.BAD)}")
        if stick.silent_before is not None:
            seen = f"coalesce(a{number}.observed, a{number}.modified)"
            cases.append(f"WHEN {seen} < {self._bind(stick.silent_before)} THEN {int(Grade.SILENT)}")
        if stick.warn is not None:
            cases.append(f"WHEN {self._reached(number, stick, stick.warn)} THEN {int(Grade.WARN)}")
        if stick.warn_words:
            words = ", ".join(self._bind(word) for word in stick.warn_words)
            cases.append(f"WHEN a{number}.value IN ({words}) THEN {int(Grade.WARN)}")
        return f"CASE {' '.join(cases)} ELSE {int(Grade.GOOD)} END" if cases else str(int(Grade.GOOD))

    def _reached(self, number: int, stick: Yardstick, threshold: float) -> str:
        value = f"round(a{number}.value, 2)" if stick.is_share else f"a{number}.value"
        sign = "<" if stick.is_low_bad else ">="
        return f"(typeof(a{number}.value) IN ('integer', 'real') AND {value} {sign} {self._bind(threshold)})"

    def _first(self, text: str) -> str:
        """`text` of the attribute by which an entity is judged."""
        sticks = self._query.yardsticks
        cases = [f"WHEN a{number}.entity IS NOT NULL THEN {text.format(f'a{number}')}" for number in range(len(sticks))]
        return f"CASE {' '.join(cases)} END" if cases else "NULL"

    def _join(self, alias: str, attribute: str) -> None:
        word = self._bind(self._names.words.ids.get(attribute, -1))
        self._joins.append(
            f"LEFT JOIN attribute {alias} ON {alias}.entity = e.id AND {alias}.name = {word} AND {alias}.dataset = 0"
        )

    def _bind(self, value: Any) -> str:
        self.parameters.append(value)
        return f"?{len(self.parameters)}"


def _alarmed(alias: str) -> str:
    return f"({alias}.value = {_TRUE} OR (typeof({alias}.value) IN ('integer', 'real') AND {alias}.value <> 0))"
