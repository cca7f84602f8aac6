"""The priority of an alarm, from its consequence and how long there is to respond; the order of the list."""

import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files

import msgspec

from parvis.operations.alarms.model import Alarm, Consequence, Priority, Rationalization, Urgency

Matrix = Mapping[tuple[Consequence, Urgency], Priority]
_RANKS = {priority: rank for rank, priority in enumerate(Priority)}
_CONSEQUENCES = {one: rank for rank, one in enumerate(Consequence)}
_URGENCIES = {one: rank for rank, one in enumerate(Urgency)}


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    urgencies: list[Urgency]
    priorities: dict[Consequence, list[Priority]]


def read_matrix(text: str) -> Matrix:
    """Raises msgspec.ValidationError, also where a place is empty or something worse were less of a priority."""
    table = msgspec.convert(tomllib.loads(text), _Table)
    rows = table.priorities.items()
    matrix = {(row, one): told for row, cells in rows for one, told in zip(table.urgencies, cells, strict=False)}
    if set(matrix) != {(row, one) for row in Consequence for one in Urgency}:
        raise msgspec.ValidationError("Each consequence has a priority for each urgency.")
    if not _is_monotone(matrix):
        raise msgspec.ValidationError("What is worse, or more urgent, has no lower priority.")
    return matrix


def _is_monotone(matrix: Matrix) -> bool:
    return all(
        _RANKS[matrix[one]] <= _RANKS[matrix[other]] for one in matrix for other in matrix if _is_no_worse(one, other)
    )


def _is_no_worse(one: tuple[Consequence, Urgency], other: tuple[Consequence, Urgency]) -> bool:
    return _CONSEQUENCES[one[0]] <= _CONSEQUENCES[other[0]] and _URGENCIES[one[1]] <= _URGENCIES[other[1]]


@cache
def packaged_matrix() -> Matrix:
    return read_matrix(files("parvis.operations.alarms").joinpath("priority.toml").read_text(encoding="utf-8"))


def priority_of(about: Rationalization, matrix: Matrix | None = None) -> Priority:
    return (packaged_matrix() if matrix is None else matrix)[about.consequence, about.urgency]


def weight_of(about: Rationalization) -> tuple[int, int, int]:
    """By which the heavier is the greater: priority, then consequence, then urgency."""
    return _RANKS[priority_of(about)], _CONSEQUENCES[about.consequence], _URGENCIES[about.urgency]


def in_order(alarms: Iterable[Alarm]) -> list[Alarm]:
    """The heaviest first; among equals what wants to be acknowledged, then what came first."""
    return sorted(alarms, key=_place)


def _place(alarm: Alarm) -> tuple[int, int, int, bool, int, str]:
    rank, consequence, urgency = weight_of(alarm.about)
    return -rank, -consequence, -urgency, alarm.is_acknowledged, alarm.occurred_at, alarm.id
