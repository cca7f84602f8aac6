"""A data directory whose history lies in files that were made beforehand, as a night would have left it."""

from collections.abc import Sequence
from pathlib import Path

from parvis.bootstrap.archive import adopt_archive
from parvis.bootstrap.stores import open_store
from parvis.broker.model.change import Change, Mode
from parvis.broker.model.entity import AttributeKey, Instance, Kind
from parvis.broker.ports.archive import ArchiveFile, Move, Replacement, SeriesOfFile, no_archive
from parvis.kernel.settings_reader import load_settings
from parvis.kernel.time import system_clock

AT_ONCE = 1_000


async def take_over(data_dir: Path, files: Sequence[ArchiveFile], entity_ids: Sequence[str], key: AttributeKey) -> None:
    """Every entity is there, observed once just now, and has the series in every file of `data_dir`/archive."""
    settings = load_settings(data_dir)
    store = await open_store(settings, no_archive)
    for start in range(0, len(entity_ids), AT_ONCE):
        some = entity_ids[start : start + AT_ONCE]
        await store.write("default", [_created(one, key, files[0].partition.types) for one in some])
    for file in files:
        series = [SeriesOfFile(one, *key) for one in entity_ids]
        await store.archive.note_series(file.partition, series)
        move = Move(file.partition.tenant, file.partition.day, 0, 0, (Replacement(file.partition, None, file.file),))
        await store.archive.record(move)
    await store.close()
    adopt_archive(settings)


def _created(entity_id: str, key: AttributeKey, types: tuple[str, ...]) -> Change:
    now = system_clock()
    newest = Instance(key[0], Kind.PROPERTY, 50.0, key[1], now, "P1", None, now, now, 0)
    return Change(entity_id, Mode.CREATE, (newest,), types)
