"""The log's rows of an entity are looked up before the snapshot that reads them."""

from pathlib import Path

import pytest

from parvis.broker.ports.archive import no_archive
from parvis.broker.query.tree import TemporalQuery
from parvis.broker.temporal.erasure import Correction, Erasure
from parvis.broker.temporal.reading import read_history
from parvis.stores.sqlite.database import Connection
from parvis.stores.sqlite.past import PastChanged, open_pasts
from parvis.stores.sqlite.store import SqliteStore
from tests.contract.territory import LEVEL, NOON, TENANT, Ticking, bin_, bin_id, level


async def test_a_correction_between_the_two_is_met_by_looking_again(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "parvis.db", Ticking())
    await store.write(TENANT, [bin_(1, level(1, NOON))])
    seq = await store.correct(TENANT, Correction(bin_id(1), 1, level(2)))
    past = await store._find_past(TENANT, bin_id(1))
    assert past is not None

    def read(connection: Connection) -> object:
        return [read_history(one, TemporalQuery()) for one in open_pasts(connection, [past], no_archive)]

    await store._reader.read_aside(read)
    for _ in range(2):
        seq = await store.correct(TENANT, Correction(bin_id(1), seq, level(3)))
    with pytest.raises(PastChanged):
        await store._reader.read_aside(read)
    told = await store.history(TENANT, bin_id(1), TemporalQuery())
    assert told is not None
    assert [one.value for one in told.instances[(LEVEL, "")]] == [3]
    await store.close()


async def test_an_erasure_alone_holds_up_no_reader(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "parvis.db", Ticking())
    await store.write(TENANT, [bin_(1, level(1, NOON))])
    await store.erase(TENANT, Erasure(bin_id(1), LEVEL, seq=1))

    assert (await store.history(TENANT, bin_id(1), TemporalQuery())) is not None
    await store.close()


async def test_the_number_of_a_corrected_instance_that_is_taken_back_is_not_given_again(tmp_path: Path) -> None:
    first = await SqliteStore.open(tmp_path / "parvis.db", Ticking())
    await first.write(TENANT, [bin_(1, level(1, NOON), level(2, NOON + 1), keep_newest=True)])
    seq = await first.correct(TENANT, Correction(bin_id(1), 1, level(5)))
    await first.erase(TENANT, Erasure(bin_id(1), LEVEL, seq=seq))
    await first.close()

    second = await SqliteStore.open(tmp_path / "parvis.db", Ticking())
    await second.write(TENANT, [bin_(1, level(6, NOON + 2))])
    told = await second.history(TENANT, bin_id(1), TemporalQuery())
    assert told is not None
    assert [(one.value, one.seq) for one in told.instances[(LEVEL, "")]] == [(2, 2), (6, seq + 1)]
    await second.close()
