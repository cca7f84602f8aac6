"""What differs from the run before: two runs of one version should not."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec

from parvis.conformance.report import JSON_FILE, Report


class Key(NamedTuple):
    file: str
    name: str


class Change(NamedTuple):
    key: Key
    before: str
    now: str


class _Case(msgspec.Struct):
    name: str
    file: str
    status: str


class _Group(msgspec.Struct):
    cases: list[_Case]


class _Report(msgspec.Struct):
    groups: list[_Group]


Statuses = Mapping[Key, str]


def read_statuses(folder: Path) -> Statuses:
    """Of the report in `folder`; nothing where there is none that can be read."""
    try:
        report = msgspec.json.decode((folder / JSON_FILE).read_bytes(), type=_Report)
    except (OSError, msgspec.DecodeError):
        return {}
    return {Key(case.file, case.name): case.status for group in report.groups for case in group.cases}


def changes_since(before: Statuses, report: Report) -> Iterator[Change]:
    """Of tests that both runs had."""
    for group in report.groups:
        for one in group.verdicts:
            key = Key(one.case.file, one.case.name)
            if (was := before.get(key, one.case.status)) != one.case.status:
                yield Change(key, was, one.case.status)
