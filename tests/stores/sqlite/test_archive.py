"""What the catalogue no longer needs goes from it, little by little."""

import contextlib
import sqlite3
from pathlib import Path

import pytest

from parvis.broker.temporal.retention import KeepRule, Retention
from parvis.kernel.time import DAY
from parvis.stores.sqlite import archive
from tests.contract.archiving import open_file
from tests.contract.territory import BIN, NOON, TENANT, Ticking, bin_, level


async def test_series_leave_the_catalogue_with_the_last_file_of_their_months(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "DROP_ENTITIES", 2)
    archived = await open_file(tmp_path, Ticking())
    long_ago, lately = level(1, NOON - 200 * DAY), level(2, NOON - 20 * DAY)
    await archived.store.write(TENANT, [bin_(number, long_ago, lately, keep_newest=True) for number in range(7)])

    left = []
    for days in (None, 100, 10):
        await archived.run(retention=Retention((KeepRule(BIN, None, days),) if days else ()))
        with contextlib.closing(sqlite3.connect(tmp_path / "parvis.db")) as database:
            left.append(database.execute("SELECT count(*), count(DISTINCT block) FROM archived").fetchone())

    assert left == [(14, 2), (7, 1), (0, 0)]
    await archived.close()
