"""One suite for every store. A store that cannot do something says so with a strict mark and a reason:

@pytest.mark.notyet("postgres", reason="...") or @pytest.mark.never("postgres", reason="...")
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from parvis.broker.ports.store import Store
from parvis.stores.postgres.store import PostgresStore
from parvis.stores.sqlite.store import SqliteStore
from tests.contract.territory import Ticking

Opener = Callable[[pytest.FixtureRequest, Path, Ticking], Awaitable[Store]]

STORES: dict[str, Opener] = {
    "sqlite": lambda _request, folder, clock: SqliteStore.open(folder / "parvis.db", clock),
    "sqlite-memory": lambda _request, _folder, clock: SqliteStore.open(":memory:", clock),
    "postgres": lambda request, _folder, clock: PostgresStore.open(
        request.getfixturevalue("prepared_postgres_url"), clock
    ),
}
GAPS = ("notyet", "never")


@pytest.fixture
def clock() -> Ticking:
    return Ticking()


@pytest.fixture(params=list(STORES))
async def store(request: pytest.FixtureRequest, tmp_path: Path, clock: Ticking) -> AsyncIterator[Store]:
    opened = await STORES[request.param](request, tmp_path, clock)
    yield opened
    await opened.close()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for gap in GAPS:
            for mark in item.iter_markers(gap):
                expect_failure(item, mark)


def expect_failure(item: pytest.Item, mark: pytest.Mark) -> None:
    """A strict expected failure where the item runs on the store that the mark names."""
    reason = mark.kwargs.get("reason")
    if not mark.args or not set(mark.args) <= set(STORES):
        raise pytest.UsageError(f"{item.nodeid}: {mark.name} names no store of {', '.join(STORES)}: {mark.args}")
    if not isinstance(reason, str) or not reason.strip():
        raise pytest.UsageError(f"{item.nodeid}: {mark.name} needs a reason")
    parameters = getattr(item, "callspec", None)
    if parameters is not None and parameters.params.get("store") in mark.args:
        item.add_marker(pytest.mark.xfail(reason=f"{mark.name}: {reason}", strict=True))
