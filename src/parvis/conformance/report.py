"""The results as figures, as JSON and as one page that needs nothing beside it."""

from collections.abc import Iterable, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Final

import jinja2
import msgspec

from parvis import __version__
from parvis.conformance.defects import Defect, find_defect
from parvis.conformance.instance import Health
from parvis.conformance.results import Case
from parvis.conformance.run import GroupResult

JSON_FILE: Final = "conformance.json"
PAGE_FILE: Final = "conformance.html"
_BY_THE_STANDARD = frozenset({"501", "504", "508"})
"""Answers of the standard: what is not supported, what another side did not give in time, a loop of brokers."""


class Score(msgspec.Struct, frozen=True):
    """`set_apart` are documented defects of the suite; `corrected` leaves them out, those that pass as well."""

    passed: int
    total: int
    set_apart: int
    passed_of_rest: int

    @property
    def rest(self) -> int:
        return self.total - self.set_apart

    @property
    def raw(self) -> float:
        return self.passed / self.total if self.total else 0.0

    @property
    def corrected(self) -> float:
        return self.passed_of_rest / self.rest if self.rest else 0.0


class Verdict(msgspec.Struct, frozen=True):
    """A test and, where it is known to be wrong, why."""

    case: Case
    defect: Defect | None = None


class GroupReport(msgspec.Struct, frozen=True):
    group: str
    score: Score
    verdicts: list[Verdict]
    health: Health | None
    elapsed_s: float
    fault: str

    @property
    def failures(self) -> list[Verdict]:
        return [one for one in self.verdicts if one.case.status == "FAIL" and one.defect is None]

    @property
    def defects(self) -> list[Verdict]:
        return [one for one in self.verdicts if one.defect is not None]


class Report(msgspec.Struct, frozen=True):
    version: str
    store: str
    score: Score
    groups: list[GroupReport]

    @property
    def internal_errors(self) -> int:
        """Answers of 500 and above that no clause of the standard asks for."""
        return sum(
            count
            for group in self.groups
            if group.health is not None
            for status, count in group.health.errors.items()
            if status not in _BY_THE_STANDARD
        )

    @property
    def faults(self) -> list[str]:
        """What keeps the figures from meaning what they say."""
        fallen = [
            f"{group.group}: an instance died"
            for group in self.groups
            if group.health is not None and group.health.alive < group.health.instances
        ]
        return [f"{group.group}: {group.fault}" for group in self.groups if group.fault] + fallen


def make_report(results: Iterable[GroupResult], defects: Sequence[Defect], store: str) -> Report:
    groups = [_group_report(result, defects) for result in results]
    return Report(__version__, _shown(store), _score([one for group in groups for one in group.verdicts]), groups)


def _group_report(result: GroupResult, defects: Sequence[Defect]) -> GroupReport:
    verdicts = [Verdict(case, find_defect(case, defects)) for case in result.cases]
    return GroupReport(result.group, _score(verdicts), verdicts, result.health, result.elapsed_s, result.fault)


def _score(verdicts: Sequence[Verdict]) -> Score:
    rest = [one for one in verdicts if one.defect is None]
    return Score(_passed(verdicts), len(verdicts), len(verdicts) - len(rest), _passed(rest))


def _passed(verdicts: Iterable[Verdict]) -> int:
    return sum(one.case.status == "PASS" for one in verdicts)


def _shown(store: str) -> str:
    """Of an address only what it speaks: the rest says where somebody's server is."""
    return store.partition("://")[0]


def write_report(report: Report, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    told = msgspec.json.format(msgspec.json.encode(_document(report)), indent=1)
    (folder / JSON_FILE).write_bytes(told + b"\n")
    text = files("parvis.conformance").joinpath("page.html").read_text(encoding="utf-8")
    page = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined).from_string(text)
    (folder / PAGE_FILE).write_text(page.render(report=report), encoding="utf-8")


def _document(report: Report) -> Mapping[str, object]:
    return {
        "version": report.version,
        "store": report.store,
        "score": _figures(report.score),
        "internalErrors": report.internal_errors,
        "groups": [
            {
                "group": group.group,
                "score": _figures(group.score),
                "health": group.health,
                "elapsedSeconds": round(group.elapsed_s, 1),
                "fault": group.fault,
                "cases": [_case(one) for one in group.verdicts],
            }
            for group in report.groups
        ],
    }


def _case(verdict: Verdict) -> Mapping[str, object]:
    case = verdict.case
    told: dict[str, object] = {"id": case.id, "name": case.name, "file": case.file, "status": case.status}
    if case.status != "PASS":
        told["message"] = case.message
    if case.clauses:
        told["clauses"] = case.clauses
    if verdict.defect is not None:
        told["defect"] = {"clause": verdict.defect.clause, "reason": verdict.defect.reason}
    return told


def _figures(score: Score) -> Mapping[str, float]:
    return {
        "passed": score.passed,
        "total": score.total,
        "raw": round(score.raw, 4),
        "setApart": score.set_apart,
        "passedOfRest": score.passed_of_rest,
        "corrected": round(score.corrected, 4),
    }
