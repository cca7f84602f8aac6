"""How entities are judged in the statement of a tally: the same SQL for every store, but for where values stand."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from parvis.broker.model.entity import Iri
from parvis.broker.query.tally import ByArea, ByWord, Grade, TallyQuery, Yardstick

GROUPED = (
    "SELECT place, grade, coalesce(s.unit, '') AS unit, count(*), count(value), sum(value), min(value),"
    " max(value), max(seen), max(measured){since} FROM ({rows}) r LEFT JOIN shape s ON s.id = r.shape"
    " GROUP BY place, grade, coalesce(s.unit, '') ORDER BY place, grade, unit"
)
SEEN = "coalesce({0}.observed, {0}.modified)"


class TallyStatement(ABC):
    """Rows `a0`, `a1`, ... of `attribute` are of the yardsticks, `b0`, `b1`, ... of their alarms; `t` tells whether the
    entity `e` is silent."""

    def __init__(self, query: TallyQuery) -> None:
        self._query = query
        self._joins: list[str] = []
        self._where: list[str] = []

    def text(self) -> str:
        for number, stick in enumerate(self._query.yardsticks):
            self._join(f"a{number}", stick.attribute)
            if stick.alarm is not None:
                self._join(f"b{number}", stick.alarm)
        if self._query.told_silent is not None and self._query.yardsticks:
            self._join("t", self._query.told_silent)
        place = self._place() if self._query.zones is None else self._zone(self._query.zones)
        columns = f"{place} AS place, {self._grade()} AS grade, {self._values()}"
        rows = f"SELECT {columns} FROM entity e {' '.join(self._joins)} WHERE {' AND '.join(self._where)}"  # noqa: S608
        since = (f", count(*) FILTER (WHERE measured >= {self._bind(at)})" for at in self._query.since)
        return GROUPED.format(rows=rows, since="".join(since))

    @abstractmethod
    def _place(self) -> str: ...

    @abstractmethod
    def _zone(self, zones: ByArea | ByWord) -> str: ...

    @abstractmethod
    def _values(self) -> str:
        """Of the attribute by which an entity is judged: `value` (its number), `seen`, `measured` and `shape`."""

    @abstractmethod
    def _number(self, alias: str) -> str: ...

    @abstractmethod
    def _alarmed(self, alias: str) -> str: ...

    @abstractmethod
    def _is_true(self, alias: str) -> str: ...

    @abstractmethod
    def _reached(self, alias: str, stick: Yardstick, threshold: float) -> str: ...

    @abstractmethod
    def _is_one_of(self, alias: str, words: Sequence[str]) -> str: ...

    @abstractmethod
    def _join(self, alias: str, attribute: Iri) -> None:
        """The default instance of `attribute`, where the entity has one."""

    @abstractmethod
    def _bind(self, value: Any) -> str: ...

    def _first(self, text: str) -> str:
        """`text` of the attribute by which an entity is judged; empty where nothing judges."""
        numbers = range(len(self._query.yardsticks))
        cases = [f"WHEN a{number}.entity IS NOT NULL THEN {text.format(f'a{number}')}" for number in numbers]
        return f"CASE {' '.join(cases)} END" if cases else ""

    def _grade(self) -> str:
        sticks = self._query.yardsticks
        if not sticks:
            return str(int(Grade.GOOD))
        cases = [f"WHEN a{n}.entity IS NOT NULL THEN {self._judged(n, stick)}" for n, stick in enumerate(sticks)]
        if sticks[0].alarm is not None:
            cases.append(f"WHEN {self._alarmed('b0')} THEN {int(Grade.BAD)}")
        if self._query.told_silent is not None:
            cases.append(f"WHEN {self._is_true('t')} THEN {int(Grade.SILENT)}")
        return f"CASE {' '.join(cases)} ELSE {int(self._query.unmeasured)} END"

    def _judged(self, number: int, stick: Yardstick) -> str:
        alias, cases = f"a{number}", []
        if stick.alarm is not None:
            cases.append(f"WHEN {self._alarmed(f'b{number}')} THEN {int(Grade.BAD)}")
        if stick.bad is not None:
            cases.append(f"WHEN {self._reached(alias, stick, stick.bad)} THEN {int(Grade.BAD)}")
        cases += [f"WHEN {is_silent} THEN {int(Grade.SILENT)}" for is_silent in self._silent(alias, stick)]
        if stick.warn is not None:
            cases.append(f"WHEN {self._reached(alias, stick, stick.warn)} THEN {int(Grade.WARN)}")
        if stick.warn_words:
            cases.append(f"WHEN {self._is_one_of(alias, stick.warn_words)} THEN {int(Grade.WARN)}")
        for limit, sign in ((stick.least, "<"), (stick.most, ">")):
            if limit is not None:
                cases.append(f"WHEN {self._number(alias)} {sign} {self._bind(limit)} THEN {int(Grade.WARN)}")
        return f"CASE {' '.join(cases)} ELSE {int(Grade.GOOD)} END" if cases else str(int(Grade.GOOD))

    def _silent(self, alias: str, stick: Yardstick) -> list[str]:
        """What each by itself makes an entity silent."""
        is_told = self._query.told_silent is not None
        found = [self._is_true("t")] if is_told else []
        if stick.silent_before is not None:
            is_old = f"{SEEN.format(alias)} < {self._bind(stick.silent_before)}"
            found.append(f"t.entity IS NULL AND {is_old}" if is_told else is_old)
        return found
