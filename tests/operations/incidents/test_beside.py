"""The register beside a running platform, on either store: one connection of its own."""

from dataclasses import replace
from pathlib import Path

import pytest

from parvis.bootstrap import open_platform
from parvis.bootstrap.incidents import opened_incidents
from parvis.bootstrap.stores import NotOpened
from parvis.kernel.errors import NonexistentTenant
from parvis.kernel.identity import DEFAULT_TENANT, Caller, Right
from parvis.kernel.settings import Settings, StoreSettings
from parvis.kernel.time import system_clock
from parvis.operations.incidents.model import Step
from parvis.stores.sqlite.store import SqliteStore
from tests.web.conftest import settings

ADA = Caller(DEFAULT_TENANT, "user:ada", Right.ADMINISTER)


async def _write_and_read(settings: Settings) -> None:
    with opened_incidents(settings) as register:
        made = await register.open(ADA, "Mail server", system_clock())
        await register.tell(ADA, made.id, Step.EARLY_WARNING, system_clock(), "FR-1")
    with opened_incidents(settings) as register:
        (found,) = await register.list_all(ADA)
    assert (found.id, found.entries[1].text) == (made.id, "FR-1")


async def test_on_sqlite(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "parvis.db")
    try:
        await _write_and_read(Settings(tmp_path))
    finally:
        await store.close()


async def test_on_postgresql(tmp_path: Path, prepared_postgres_url: str) -> None:
    given = replace(settings(tmp_path, auth=True), store=StoreSettings(url=prepared_postgres_url))
    async with open_platform(given, listen=False):
        await _write_and_read(given)


async def test_what_no_tenant_can_keep_is_not_taken_for_kept(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "parvis.db")
    nowhere = Caller("nowhere", "user:ada", Right.ADMINISTER)
    try:
        with opened_incidents(Settings(tmp_path)) as register, pytest.raises(NonexistentTenant):
            await register.open(nowhere, "Mail server", system_clock())
    finally:
        await store.close()


def test_where_there_is_no_store_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(NotOpened, match="start Parvis once"), opened_incidents(Settings(tmp_path)):
        pass
