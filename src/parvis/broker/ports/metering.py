"""What tenants take and hold, for those who share its cost: counted in the transaction that stores, not beside it."""

from collections.abc import Sequence
from datetime import UTC
from functools import lru_cache
from typing import NamedTuple, Protocol

from parvis.broker.model.change import Change, Outcome, Status
from parvis.kernel.time import DAY, Instant, to_datetime

_IDLE = (Status.FAILED, Status.UNCHANGED)


class Taken(NamedTuple):
    """`changes` of entities that were carried out, and how many `values` of attributes they brought."""

    changes: int = 0
    values: int = 0

    def and_also(self, other: "Taken") -> "Taken":
        return Taken(self.changes + other.changes, self.values + other.values)


class Held(NamedTuple):
    """What of a tenant is there now: `values` are those of the present, `archive_bytes` of its files."""

    entities: int = 0
    values: int = 0
    archive_bytes: int = 0


class Metering(Protocol):
    async def list_taken(self, month: str) -> dict[str, Taken]:
        """By tenant. `month` as 2026-11, in UTC."""
        ...

    async def list_held(self) -> dict[str, Held]:
        """Of every tenant."""
        ...


def taken_by(changes: Sequence[Change], outcomes: Sequence[Outcome]) -> Taken:
    done = [change for change, outcome in zip(changes, outcomes, strict=True) if outcome.status not in _IDLE]
    return Taken(len(done), sum(len(change.instances) for change in done))


def month_of(instant: Instant) -> str:
    """In UTC, as 2026-11."""
    return _month_of_day(instant // DAY)


@lru_cache(maxsize=64)
def _month_of_day(day: int) -> str:
    return to_datetime(day * DAY).astimezone(UTC).strftime("%Y-%m")
