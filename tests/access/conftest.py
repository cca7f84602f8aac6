from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from parvis.access.access import Access, build_access
from parvis.access.passwords import Passwords
from parvis.kernel.settings import AccessSettings
from parvis.kernel.time import HOUR, Instant, parse_instant
from parvis.stores.sqlite.access import SqliteAccessStore


@dataclass
class FakeClock:
    now: Instant = field(default_factory=lambda: parse_instant("2026-03-01T08:00:00Z"))

    def __call__(self) -> Instant:
        return self.now

    def pass_hours(self, hours: float) -> None:
        self.now += round(hours * HOUR)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteAccessStore]:
    store = SqliteAccessStore(tmp_path / "access.db")
    yield store
    store.close()


@pytest.fixture(scope="session")
def weak_passwords() -> Passwords:
    return Passwords(memory_kib=8)


@pytest.fixture
def access(store: SqliteAccessStore, clock: FakeClock, weak_passwords: Passwords) -> Access:
    return build_access(store, AccessSettings(public_types=("Building",)), clock, weak_passwords)
