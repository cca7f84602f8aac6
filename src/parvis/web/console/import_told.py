"""What the report of an import says, in the page's language."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

from parvis.connectors.files.folders import ImportFolder
from parvis.connectors.files.report import Doubt, FaultReason, Verdict
from parvis.connectors.files.table import GEOMETRY
from parvis.connectors.files.telling import merged_rows
from parvis.fleet.profiles.limits import FARTHEST
from parvis.kernel.time import Instant
from parvis.web.faults import explain_fault
from parvis.web.wording import Wording

LINES_SHOWN = 20
_LINES_LOOKED_AT = 100_000
_FINE = frozenset({"created", "updated", "unchanged", "added", "stored-before", "repeated"})
_UNPLACED = FaultReason.UNREADABLE_PLACE.name.lower()
_IN_SENTENCES = frozenset({Verdict.CONFLICT.value, Verdict.REFUSED.value, _UNPLACED})
"""What is told of these may be a sentence of ours, and no text of the file."""


@dataclass(frozen=True, slots=True)
class ToldDoubt:
    """`first` are some of its rows with what stands there."""

    sentence: str
    first: tuple[str, ...]
    more: int


def tell_doubts(doubts: Iterable[Doubt], t: Wording) -> list[ToldDoubt]:
    return [
        ToldDoubt(
            _sentence(one, t),
            tuple(t("imports.doubt_row", number=row, text=text) for row, text in one.first),
            one.count - len(one.first),
        )
        for one in doubts
    ]


def _sentence(doubt: Doubt, t: Wording) -> str:
    if doubt.is_time:
        first, last = _day(round(doubt.least), t), _day(round(doubt.most), t)
        return t("imports.doubt_dates", n=doubt.count, column=doubt.column, first=first, last=last)
    if doubt.most >= FARTHEST:
        return t("imports.doubt_beyond", n=doubt.count, column=doubt.column)
    least, most = (t.quantity(one, doubt.unit_code, doubt.term) for one in (doubt.least, doubt.most))
    return t("imports.doubt_range", n=doubt.count, column=doubt.column, least=least, most=most)


def _day(instant: Instant, t: Wording) -> str:
    return t.day(t.local(instant).date())


def list_left_out(folder: ImportFolder, t: Wording) -> list[list[str]]:
    """The first rows of which something was left out: row, outcome, entity, column, text."""
    worst = (row for row in islice(merged_rows(folder), _LINES_LOOKED_AT) if row[1] not in _FINE)
    return [[*row[:3], _column(row[1], row[3], t), _text(row[1], row[4], t)] for row in islice(worst, LINES_SHOWN)]


def _column(outcome: str, column: str, t: Wording) -> str:
    """A place may be of two columns."""
    return t("imports.geometry") if outcome == _UNPLACED and column == GEOMETRY else column


def _text(outcome: str, text: str, t: Wording) -> str:
    if outcome not in _IN_SENTENCES:
        return text
    why = explain_fault(text, t)
    return f"{why.sentence} {why.detail}".strip()
