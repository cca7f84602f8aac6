"""What each tenant of a pool used in a month, so that the cost can be shared."""

import re
from collections.abc import Mapping, Sequence

import msgspec

from parvis.access.members.model import POOL, Usage
from parvis.access.ports import AccessStore
from parvis.broker.ports.metering import Held, Metering, Taken, month_of
from parvis.kernel.errors import BadRequestData
from parvis.kernel.time import DAY, Clock, Instant, system_clock

COLUMNS = ("month", "tenant", "changes", "values", "entities", "store_bytes", "archive_bytes")
_MONTH = re.compile(r"\d{4}-(0[1-9]|1[0-2])")
_CLOSES_LATE_DAYS = 3
"""So long after its end a month is measured once more, for a job that missed its last night."""


class UsageBook:
    """The monthly figures. A month that is over keeps its last ones, also of members that have left."""

    def __init__(self, store: AccessStore, clock: Clock = system_clock) -> None:
        self._store = store
        self._clock = clock

    async def measure(self, metering: Metering, store_bytes: int) -> int:
        """The month so far, and what came until the end of one that has just ended; how many tenants there are."""
        now = self._clock()
        held, present = await metering.list_held(), month_of(now)
        for month in dict.fromkeys((month_of(now - _CLOSES_LATE_DAYS * DAY), present)):
            known = {} if month == present else {one.tenant: one for one in self._store.members.list_usage(month)}
            figures = usage_of(month, held, await metering.list_taken(month), store_bytes, now)
            with self._store.transaction():
                for one in figures:
                    self._store.members.put_usage(_closed(known.get(one.tenant, one), one))
        return len(held)

    def list_of(self, month: str) -> list[Usage]:
        """By tenant, the pool first. Raises BadRequestData."""
        if _MONTH.fullmatch(month) is None:
            raise BadRequestData("A month is written as 2026-11.")
        return sorted(self._store.members.list_usage(month), key=lambda one: (one.tenant != POOL, one.tenant))

    def list_months(self) -> list[str]:
        return self._store.members.list_months()


def usage_of(
    month: str, held: Mapping[str, Held], taken: Mapping[str, Taken], store_bytes: int, now: Instant
) -> list[Usage]:
    """The store's bytes are shared out by the values that each tenant has there: those of the present, and those that
    came in the month. Shares add up to all of it."""
    weights = {name: one.values + taken.get(name, Taken()).values for name, one in held.items()}
    shares = share_out(store_bytes, weights)
    return [
        Usage(
            month=month,
            tenant=name,
            changes=taken.get(name, Taken()).changes,
            values=taken.get(name, Taken()).values,
            entities=one.entities,
            store_bytes=shares[name],
            archive_bytes=one.archive_bytes,
            measured_at=now,
        )
        for name, one in sorted(held.items())
    ]


def share_out(total: int, weights: Mapping[str, int]) -> dict[str, int]:
    """In whole numbers that add up to the total: what is left over goes to the largest remainders."""
    whole = sum(weights.values())
    if not whole:
        return dict.fromkeys(weights, 0)
    shares = {name: total * weight // whole for name, weight in weights.items()}
    by_remainder = sorted(weights, key=lambda name: (-(total * weights[name] % whole), name))
    for name in by_remainder[: total - sum(shares.values())]:
        shares[name] += 1
    return shares


def rows_of(figures: Sequence[Usage], titles: Mapping[str, str]) -> list[list[object]]:
    """A table with its first line: with titles, and each one's part of all changes and bytes, in per cent."""
    changes, taken = (sum(getattr(one, name) for one in figures) for name in ("changes", "bytes"))
    rows: list[list[object]] = [[*COLUMNS[:2], "title", *COLUMNS[2:], "changes_percent", "bytes_percent"]]
    for one in figures:
        told = [getattr(one, name) for name in COLUMNS]
        shares = (round(percent(one.changes, changes), 2), round(percent(one.bytes, taken), 2))
        rows.append([*told[:2], titles.get(one.tenant, ""), *told[2:], *shares])
    return rows


def percent(part: int, whole: int) -> float:
    return 100 * part / whole if whole else 0.0


def _closed(measured: Usage, late: Usage) -> Usage:
    """What was there is as of its last measurement; what came until the month's end counts."""
    return msgspec.structs.replace(measured, changes=late.changes, values=late.values)
