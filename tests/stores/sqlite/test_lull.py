"""What a burst of writes took of the machine's memory does not stay taken."""

import _sqlite3
import asyncio
import ctypes
from pathlib import Path

import pytest

from parvis.stores.sqlite import lull
from parvis.stores.sqlite.lull import LOOKED_AT_EVERY_S, ROWS_OF_A_LULL, Lull
from parvis.stores.sqlite.store import SqliteStore
from tests.contract.territory import TENANT, Ticking, bin_, level

MIB = 1 << 20


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_a_lull_is_when_little_came_since_the_last_look() -> None:
    clock = Clock()
    quiet = Lull(newest=100, clock_s=clock)

    assert not quiet.has_come(100), "nobody looks yet"
    clock.now_s += LOOKED_AT_EVERY_S
    assert not quiet.has_come(100 + ROWS_OF_A_LULL), "a burst"
    assert not quiet.has_come(100 + ROWS_OF_A_LULL)
    clock.now_s += LOOKED_AT_EVERY_S
    assert quiet.has_come(100 + ROWS_OF_A_LULL + 1)
    assert not quiet.has_come(100 + ROWS_OF_A_LULL + 1), "it was looked just now"


async def test_after_a_burst_the_pages_are_given_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = await SqliteStore.open(tmp_path / "parvis.db", Ticking())
    for start in range(0, 8_000, 1_000):
        await store.write(TENANT, [bin_(number, level(number)) for number in range(start, start + 1_000)])
    full = taken_by_sqlite()
    await store.close()

    monkeypatch.setattr(lull, "LOOKED_AT_EVERY_S", 0.0)
    store = await SqliteStore.open(tmp_path / "parvis.db", Ticking())
    for start in range(0, 8_000, 1_000):
        await store.write(TENANT, [bin_(number, level(number + 1)) for number in range(start, start + 1_000)])
    for _ in range(40):
        await store.write(TENANT, [bin_(1, level(1))])
        await asyncio.sleep(0.01)
    rest = taken_by_sqlite()
    await store.close()

    assert full > 4 * MIB, "the burst took some"
    assert rest < full / 3


def taken_by_sqlite() -> int:
    """Bytes, of all connections of this process."""
    used = ctypes.CDLL(_sqlite3.__file__).sqlite3_memory_used
    used.restype = ctypes.c_int64
    return int(used())
