"""Monthly figures: each tenant's part, adding up to the whole."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parvis.access.access import Access
from parvis.access.members.model import Usage
from parvis.access.members.usage import UsageBook, rows_of, share_out, usage_of
from parvis.broker.ports.metering import Held, Taken
from parvis.kernel.errors import BadRequestData
from parvis.kernel.time import DAY, parse_instant
from tests.access.conftest import FakeClock


class Meter:
    """A store of two tenants."""

    def __init__(self) -> None:
        self.taken = {"2026-11": {"north": Taken(10, 30)}}
        self.held = {"default": Held(), "north": Held(2, 10, 500), "south": Held(1, 10)}

    async def list_taken(self, month: str) -> dict[str, Taken]:
        return self.taken.get(month, {})

    async def list_held(self) -> dict[str, Held]:
        return self.held


@given(st.integers(0, 10**15), st.dictionaries(st.text(max_size=3), st.integers(0, 10**9), max_size=8))
def test_shares_add_up_and_are_fair(total: int, weights: dict[str, int]) -> None:
    shares = share_out(total, weights)
    whole = sum(weights.values())

    assert sum(shares.values()) == (total if whole else 0)
    assert all(abs(shares[name] * whole - total * weight) < max(whole, 1) for name, weight in weights.items())


async def test_the_month_so_far_is_measured_again_and_again(access: Access, clock: FakeClock) -> None:
    clock.now = parse_instant("2026-11-20T22:50:00Z")
    book, meter = UsageBook(access.store, clock), Meter()
    await book.measure(meter, 1_000)
    meter.taken["2026-11"]["south"] = Taken(5, 20)
    await book.measure(meter, 1_000)

    pool, north, south = book.list_of("2026-11")
    assert (north.changes, north.store_bytes, north.archive_bytes) == (10, 571, 500)
    assert (south.changes, south.store_bytes, pool.bytes) == (5, 429, 0)


async def test_a_month_that_is_over_gets_its_last_changes_and_keeps_what_was_there(
    access: Access, clock: FakeClock
) -> None:
    clock.now = parse_instant("2026-11-30T22:50:00Z")
    book, meter = UsageBook(access.store, clock), Meter()
    await book.measure(meter, 1_000)
    clock.now += DAY
    meter.taken["2026-11"]["north"] = Taken(11, 33)
    meter.held["north"] = Held(9, 99, 900)
    await book.measure(meter, 2_000)

    north = book.list_of("2026-11")[1]
    assert (north.changes, north.values, north.entities, north.archive_bytes) == (11, 33, 2, 500)
    assert book.list_months() == ["2026-12", "2026-11"]
    clock.now += 5 * DAY
    meter.taken["2026-11"]["north"] = Taken(99, 99)
    await book.measure(meter, 2_000)
    assert book.list_of("2026-11")[1].changes == 11, "closed"


def test_a_month_is_a_month(access: Access) -> None:
    for wrong in ("", "2026", "2026-13", "2026-11-01"):
        with pytest.raises(BadRequestData):
            UsageBook(access.store).list_of(wrong)


def test_the_table_says_each_ones_part() -> None:
    figures: list[Usage] = usage_of("2026-11", Meter().held, Meter().taken["2026-11"], 1_000, 5)
    header, *rows = rows_of(figures, {"north": "Nord"})

    assert header[:4] == ["month", "tenant", "title", "changes"]
    assert rows[1][:4] == ["2026-11", "north", "Nord", 10]
    assert sum(float(str(row[-1])) for row in rows) == pytest.approx(100, abs=0.05)
