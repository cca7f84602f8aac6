"""What the catalogue no longer needs goes from it, little by little."""

import contextlib
import sqlite3
from pathlib import Path

import pytest

from parvis.broker.query.tree import TemporalQuery
from parvis.broker.temporal.erasure import Erasure
from parvis.broker.temporal.retention import KeepRule, Retention
from parvis.kernel.time import DAY
from parvis.stores.sqlite import archive
from tests.contract.archiving import open_file
from tests.contract.territory import BIN, LEVEL, NOON, TENANT, Ticking, bin_, bin_id, level


async def test_what_is_left_after_an_erasure_is_read_in_a_store_that_was_opened_anew(tmp_path: Path) -> None:
    first = await open_file(tmp_path, Ticking())
    await first.store.write(
        TENANT, [bin_(1, level(1, NOON - 20 * DAY), level(2, NOON - 19 * DAY), keep_newest=True), bin_(2, level(3))]
    )
    await first.run()
    await first.store.erase(TENANT, Erasure(bin_id(1), before=NOON - 19 * DAY))
    await first.close()

    second = await open_file(tmp_path, Ticking())
    told = await second.store.history(TENANT, bin_id(1), TemporalQuery())

    assert told is not None
    assert [one.value for one in told.instances[(LEVEL, "")]] == [2]
    await second.close()


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
