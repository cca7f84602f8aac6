"""Erasures done again: where a backup or a bundle has brought back somebody who was erased since it was made."""

from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from parvis.access.model import AuditRecord
from parvis.access.privacy.model import LedgerEntry
from parvis.access.privacy.person.persons import KEY_FILE
from parvis.backup.manifest import Manifest
from parvis.backup.repository import BackupUnusable, Repository
from parvis.bootstrap import open_platform
from parvis.bootstrap.persons import ErasedAgain, erase_again
from parvis.bootstrap.stores import ACCESS_FILE, find_access
from parvis.kernel.durable import write_whole
from parvis.kernel.settings import Settings
from parvis.kernel.time import Instant, system_clock
from parvis.stores.sqlite.access import SqliteAccessStore

SUBJECT = "system:privacy"
_PRIVATE = 0o600


class Erasures(msgspec.Struct, frozen=True):
    """The ledger's, and the key (hex) by which it is found whom they are of; empty where nobody was erased yet."""

    key: str = ""
    entries: tuple[LedgerEntry, ...] = ()


def read_erasures(settings: Settings) -> Erasures:
    """Of a platform, also beside it. Raises what opening the store may raise."""
    access = find_access(settings)
    if access is None:
        return Erasures()
    with closing(access.store) as store:
        return Erasures(_key_in(settings.data_dir), tuple(store.persons.list_erased()))


def erasures_in_folder(folder: Path) -> Erasures:
    """Of an old data directory, or of what was brought back of a backup."""
    path = folder / ACCESS_FILE
    if not path.exists():
        return Erasures(_key_in(folder))
    with closing(SqliteAccessStore(path)) as store:
        return Erasures(_key_in(folder), tuple(store.persons.list_erased()))


def erasures_of_newest(repository: Repository, folder: Path) -> Erasures:
    """What the newest backup knows; it is laid beside for a moment. Raises BackupUnusable."""
    ids = repository.list_ids()
    manifest = repository.get(ids[-1])
    with TemporaryDirectory(prefix=".parvis-", dir=folder) as place:
        for copy in manifest.files:
            if copy.path in (ACCESS_FILE, KEY_FILE):
                repository.bring_back(copy, Path(place, copy.path))
        return erasures_in_folder(Path(place))


def write_erasures(path: Path, erasures: Erasures) -> None:
    """As a file, for who brings databases back by other means."""
    path.touch(mode=_PRIVATE)
    write_whole(path, msgspec.json.encode(erasures) + b"\n")
    path.chmod(_PRIVATE)


def load_erasures(path: Path) -> Erasures:
    """Raises BackupUnusable."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Erasures)
    except (OSError, msgspec.MsgspecError) as fault:
        raise BackupUnusable(f"{path} holds no ledger of erasures.") from fault


def since(manifest: Manifest, *known: Erasures) -> Erasures:
    """Those that the backup is too old to know of."""
    return joined(*(Erasures(one.key, _after(one.entries, manifest.at)) for one in known))


def joined(*known: Erasures) -> Erasures:
    entries = {(entry.tenant, entry.key): entry for one in known for entry in one.entries}
    return Erasures(next((one.key for one in known if one.key), ""), tuple(entries.values()))


async def do_again(settings: Settings, erasures: Erasures) -> ErasedAgain:
    """Before anybody is let in. Those of tenants that are not there are passed over."""
    if not erasures.entries:
        return ErasedAgain(0, 0)
    _lay_key(settings.data_dir, erasures.key)
    gone = left = 0
    async with open_platform(replace(settings, connectors={}), listen=False) as platform:
        there = set(await platform.broker.list_tenants())
        for entry in erasures.entries:
            if entry.tenant in there:
                again = await erase_again(settings, platform.eraser, entry)
                case_id, facts = entry.key.rpartition(" ")[2], {"things": again.gone, "left": again.left}
                platform.access.store.append_audit(
                    AuditRecord(system_clock(), entry.tenant, SUBJECT, "person-erased-again", case_id, facts)
                )
                gone, left = gone + again.gone, left + again.left
    return ErasedAgain(gone, left)


def _after(entries: Iterable[LedgerEntry], at: Instant) -> tuple[LedgerEntry, ...]:
    return tuple(one for one in entries if one.at > at)


def of_tenant(erasures: Erasures, tenant: str, after: Instant) -> Erasures:
    """Done since then: whoever came to be known anew afterwards stays."""
    return Erasures(erasures.key, _after([one for one in erasures.entries if one.tenant == tenant], after))


def _key_in(folder: Path) -> str:
    try:
        return (folder / KEY_FILE).read_bytes().hex()
    except FileNotFoundError:
        return ""


def _lay_key(data_dir: Path, key: str) -> None:
    """Raises BackupUnusable where the digests are made with another one than the platform has."""
    path = data_dir / KEY_FILE
    held = _key_in(data_dir)
    if held and key and held != key:
        raise BackupUnusable(f"{path} is not the key of these erasures: they are of another installation.")
    if not held and key:
        write_whole(path, bytes.fromhex(key))
        path.chmod(_PRIVATE)


def told_of(again: ErasedAgain, entries: Sequence[LedgerEntry]) -> str:
    told = f"{len(entries)} erasures of persons were done again: {again.gone:,} things that had come back are gone."
    return f"{told} {again.left:,} are there still: do it once more." if again.left else told
