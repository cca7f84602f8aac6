"""One suite for every store. A store that cannot do something yet says so with a strict mark and a reason."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from parvis.broker.ports.store import Store
from parvis.stores.sqlite.store import SqliteStore
from tests.contract.territory import Ticking

Opener = Callable[[Path, Ticking], Awaitable[SqliteStore]]

STORES: dict[str, Opener] = {
    "sqlite": lambda folder, clock: SqliteStore.open(folder / "parvis.db", clock),
    "sqlite-memory": lambda _folder, clock: SqliteStore.open(":memory:", clock),
}


@pytest.fixture
def clock() -> Ticking:
    return Ticking()


@pytest.fixture(params=list(STORES))
async def store(request: pytest.FixtureRequest, tmp_path: Path, clock: Ticking) -> AsyncIterator[Store]:
    opened = await STORES[request.param](tmp_path, clock)
    yield opened
    await opened.close()
