"""Retention and `kill -9`: no value is lost or counted twice, and the ledger tells all of it once."""

import asyncio
import random
import sys
from contextlib import closing, suppress
from pathlib import Path
from unittest.mock import patch
from zoneinfo import ZoneInfo

from parvis.access.audit_proof import proof_lines, prove
from parvis.access.privacy import retention as module
from parvis.access.privacy.model import Cover, LedgerEntry, Purpose, Summary, Then
from parvis.access.privacy.retention import Retention
from parvis.broker.query.tree import TemporalQuery
from parvis.kernel.time import DAY, HOUR
from parvis.stores.sqlite.access import SqliteAccessStore
from parvis.stores.sqlite.store import SqliteStore
from tests.contract.territory import LEVEL, NOON, TENANT, bin_, bin_id, level

ROOT = Path(__file__).parents[2]
BINS, HOURS = range(8), range(0, 240, 5)
FIRST = NOON - 60 * DAY
COVER = Cover(type="WasteContainer", attributes=("fillingLevel",), keep="P30D", then=Then.AGGREGATE, method=Summary.SUM)
SUMS = Purpose(id="fill", name={"en": "Fill"}, basis="e", covers=(COVER,), version=1)
KILLS = 5

RUN = """
import asyncio, sys
from pathlib import Path
from tests.scenarios.test_retention_survives import run

if __name__ == "__main__":
    asyncio.run(run(Path(sys.argv[1])))
"""


async def run(folder: Path) -> list[LedgerEntry]:
    """In batches of two bins; says each change of a bin before it is made."""
    store = await SqliteStore.open(folder / "parvis.db", lambda: NOON)
    condense = store.condense

    async def told(*given: object) -> None:
        print("condensing", flush=True)
        await condense(*given)  # type: ignore[arg-type]

    store.condense = told  # type: ignore[method-assign,assignment]
    with closing(SqliteAccessStore(folder / "access.db")) as access:
        retention = Retention(store, access, TENANT, ZoneInfo("Europe/Paris"), lambda: NOON)
        with patch.object(module, "MOST_ENTITIES", 2):
            entries = await retention.execute([SUMS], lambda _part, _words: None)
    await store.close()
    return entries


async def prepare(folder: Path) -> None:
    store = await SqliteStore.open(folder / "parvis.db", lambda: NOON)
    for number in BINS:
        old = [level(hour, FIRST + hour * HOUR) for hour in HOURS]
        await store.write(TENANT, [bin_(number, *old, level(1, NOON), keep_newest=True)])
    await store.close()


async def check(folder: Path) -> None:
    store = await SqliteStore.open(folder / "parvis.db", lambda: NOON)
    for number in BINS:
        history = await store.history(TENANT, bin_id(number), TemporalQuery())
        assert history is not None
        left = history.instances[LEVEL, ""]
        assert sum(one.value for one in left) == sum(HOURS) + 1
        assert len(left) < len(HOURS)
    await store.close()
    with closing(SqliteAccessStore(folder / "access.db")) as access:
        ledger = access.privacy.list_ledger(TENANT)
        assert sum(one.count for one in ledger) == len(BINS) * len(HOURS)
        assert sum(one.objects for one in ledger) == len(BINS)
        assert access.privacy.list_steps(TENANT) == []
        assert prove(proof_lines(access.read_audit())).entries == len(ledger)


async def test_who_is_killed_anywhere_is_ended_by_the_next_run(tmp_path: Path) -> None:
    chance = random.Random(20261123)
    script = tmp_path / "run.py"
    script.write_text(RUN)
    for attempt in range(KILLS):
        folder = tmp_path / str(attempt)
        folder.mkdir()
        await prepare(folder)
        process = await asyncio.create_subprocess_exec(
            sys.executable, str(script), str(folder), stdout=asyncio.subprocess.PIPE, env={"PYTHONPATH": str(ROOT)}
        )
        assert process.stdout is not None
        for _ in range(chance.randrange(1, len(BINS))):
            assert await process.stdout.readline()
        await asyncio.sleep(chance.uniform(0, 0.02))
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()

        await run(folder)

        await check(folder)
        assert await run(folder) == [], "twice run is once done"
