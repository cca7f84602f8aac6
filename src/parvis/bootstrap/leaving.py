"""All that a tenant has, written into one bundle beside the running platform."""

import tomllib
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from parvis.access.audit_proof import proof_lines
from parvis.access.model import AuditRecord
from parvis.access.ports import AccessStore
from parvis.backup.bundle import manifest as names
from parvis.backup.bundle.forms import entity_line, gone_line, id_line
from parvis.backup.bundle.manifest import Manifest
from parvis.backup.bundle.rights import told_rights
from parvis.backup.bundle.told import LEFT_OUT, configuration, key_line, person_line, readme
from parvis.backup.bundle.writing import BundleWriter, manifest_of, writing_bundle
from parvis.bootstrap.archive import day_text, engine_limits
from parvis.bootstrap.stores import find_access, is_on_postgres, is_store_there, store_path
from parvis.broker.jsonld.kept import CONTEXTS_BOX, KeptContext, Kind, read_records
from parvis.broker.ports.archive import ArchiveFileGone
from parvis.broker.ports.leaving import Document, Documents, OpenSnapshot, Span, TenantSnapshot
from parvis.fleet.fleet import PROFILES_FOLDER
from parvis.fleet.profiles.own import MEMBERS_FOLDER
from parvis.fleet.profiles.profile import PROFILE_FILE
from parvis.fleet.profiles.text import for_tenant
from parvis.kernel.errors import NonexistentTenant
from parvis.kernel.identity import DEFAULT_TENANT
from parvis.kernel.settings import Settings
from parvis.kernel.time import Clock, format_instant, system_clock
from parvis.stores.archive.leaving import Leaving
from parvis.stores.archive.storage import open_storage

Tell = Callable[[str, float], None]
"""What is being done, and how much of it is."""
EXPORTED = "tenant-exported"
ATTEMPTS = 3
"""The archive's move may take a file away that the snapshot names."""
_ROWS_BETWEEN_WORDS = 20_000
_MOST_PROFILE_BYTES = 4 << 20
DOCUMENTS = {
    Documents.SUBSCRIPTIONS: names.SUBSCRIPTIONS,
    Documents.REGISTRATIONS: names.REGISTRATIONS,
    Documents.SOURCE_SUBSCRIPTIONS: names.SOURCE_SUBSCRIPTIONS,
}


def _silent(_words: str, _part: float) -> None:
    pass


def export_tenant(
    settings: Settings, tenant: str, target: Path, subject: str, tell: Tell = _silent, clock: Clock = system_clock
) -> Manifest:
    """A file where the name ends with `.zip`, else a folder; it is there once it is whole.

    Raises NonexistentTenant, BundleUnusable, and what reading the store and the archive may raise.
    """
    if not is_store_there(settings):
        raise NonexistentTenant(f"There is no store in {settings.data_dir} yet.")
    for _ in range(ATTEMPTS - 1):
        try:
            return _Export(settings, tenant, clock, tell).run(target, subject)
        except ArchiveFileGone:
            continue
    return _Export(settings, tenant, clock, tell).run(target, subject)


def open_snapshot(settings: Settings, tenant: str) -> OpenSnapshot:
    if is_on_postgres(settings):
        from parvis.stores.postgres import leaving as postgres

        return postgres.opened_snapshot(settings.store.url, tenant)
    from parvis.stores.sqlite.leaving import opened_snapshot

    return opened_snapshot(store_path(settings), tenant)


class _Export:
    def __init__(self, settings: Settings, tenant: str, clock: Clock, tell: Tell) -> None:
        self._settings = settings
        self._tenant = tenant
        self._clock = clock
        self._tell = tell
        self._counts: dict[str, int] = {}
        self._numbers = Span()

    def run(self, target: Path, subject: str) -> Manifest:
        made_at = format_instant(self._clock())
        with writing_bundle(target) as writer:
            with open_snapshot(self._settings, self._tenant) as snapshot:
                self._write_present(writer, snapshot)
                self._write_documents(writer, snapshot)
                with TemporaryDirectory(prefix=".parvis-", dir=target.parent) as folder:
                    self._write_past(writer, snapshot, Path(folder))
            self._write_profiles(writer)
            writer.add(names.CONFIGURATION, [configuration(self._settings, self._tenant, DEFAULT_TENANT)], 0)
            self._write_access(writer)
            writer.add(names.README, [readme(self._settings, self._tenant, made_at)], 0)
            numbers = (self._numbers.first, self._numbers.last)
            manifest = manifest_of(self._tenant, made_at, writer.files, self._counts, numbers, LEFT_OUT)
            writer.add_sums()
            writer.end(manifest)
        self._note(subject, manifest)
        self._tell("done", 1.0)
        return manifest

    def _write_present(self, writer: BundleWriter, snapshot: TenantSnapshot) -> None:
        lines = {
            names.ENTITIES: map(entity_line, snapshot.list_entities()),
            names.GONE: map(gone_line, snapshot.list_gone()),
            names.FORGOTTEN: map(id_line, snapshot.list_forgotten()),
        }
        for path, told in lines.items():
            self._add(writer, path, told)

    def _write_documents(self, writer: BundleWriter, snapshot: TenantSnapshot) -> None:
        for kind, path in DOCUMENTS.items():
            self._add(writer, path, map(document_line, snapshot.list_documents(kind)))
        self._add(writer, names.CONTEXTS, _context_lines(snapshot.list_shelf(CONTEXTS_BOX)))

    def _write_past(self, writer: BundleWriter, snapshot: TenantSnapshot, folder: Path) -> None:
        storage = open_storage(self._settings.archive.url, self._settings.data_dir)
        files = snapshot.list_files()
        with closing(Leaving(storage, engine_limits(self._settings), folder)) as leaving:
            for gathered in leaving.gather(snapshot.list_hot()):
                self._tell(f"history: {gathered:,} instances of the last days", 0.2)
            days = leaving.list_days(files)
            for place, day in enumerate(days):
                self._tell(f"history: {day_text(day)}", 0.3 + 0.6 * place / len(days))
                of_day = [one for one in files if one.partition.day == day]
                erasures = [erasure for one in of_day for erasure in snapshot.list_erasures(one)]
                made = folder / "day.parquet"
                found = leaving.write_day(day, of_day, erasures, made)
                if found is not None:
                    writer.add_file(f"history/{day_text(day)}.parquet", made, found.rows)
                    self._numbers = joined(self._numbers, found.numbers)
                    self._counts["history"] = self._counts.get("history", 0) + found.rows

    def _write_profiles(self, writer: BundleWriter) -> None:
        """Those of the installation that the tenant uses, and its own in their place; of no tenant any more."""
        for name, folder in sorted(_profiles_of(self._settings.data_dir, self._tenant).items()):
            for place in sorted(folder.rglob("*")):
                path = f"{PROFILES_FOLDER}/{name}/{place.relative_to(folder).as_posix()}"
                is_file = place.is_file() and not place.is_symlink() and place.stat().st_size <= _MOST_PROFILE_BYTES
                if not is_file or not names.is_allowed(path):
                    continue
                if place == folder / PROFILE_FILE:
                    writer.add(path, [for_tenant(place.read_text("utf-8"), "").encode()], 0)
                else:
                    writer.add_file(path, place)

    def _write_access(self, writer: BundleWriter) -> None:
        access = find_access(self._settings)
        if access is None:
            return
        with closing(access.store) as store:
            people = sorted((one for one in store.list_accounts() if one.tenant == self._tenant), key=lambda o: o.name)
            keys = sorted((one for one in store.list_keys() if one.tenant == self._tenant), key=lambda o: o.id)
            self._add(writer, names.PEOPLE, map(person_line, people))
            self._add(writer, names.KEYS, map(key_line, keys))
            self._add(writer, names.AUDIT, proof_lines(store.read_audit(), {self._tenant}))
            for path, lines in told_rights(store, self._tenant).items():
                self._add(writer, path, lines)

    def _add(self, writer: BundleWriter, path: str, lines: Iterable[bytes]) -> None:
        subject = path.partition(".")[0]
        self._tell(subject, 0.05)
        added = writer.add(path, self._told(subject, lines))
        self._counts[subject] = added.rows

    def _told(self, subject: str, lines: Iterable[bytes]) -> Iterator[bytes]:
        for count, line in enumerate(lines, 1):
            if count % _ROWS_BETWEEN_WORDS == 0:
                self._tell(f"{subject}: {count:,}", 0.1)
            yield line

    def _note(self, subject: str, manifest: Manifest) -> None:
        access = find_access(self._settings)
        if access is None:
            return
        with closing(access.store) as store:
            note(store, AuditRecord(self._clock(), self._tenant, subject, EXPORTED, self._tenant, facts_of(manifest)))


def profile_folder(data_dir: Path, tenant: str) -> Path:
    """Where a tenant's own are."""
    if tenant == DEFAULT_TENANT:
        return data_dir / PROFILES_FOLDER
    return data_dir / MEMBERS_FOLDER / tenant / PROFILES_FOLDER


def _profiles_of(data_dir: Path, tenant: str) -> dict[str, Path]:
    roots = [root for root in (data_dir / PROFILES_FOLDER, profile_folder(data_dir, tenant)) if root.is_dir()]
    return {place.name: place for root in roots for place in root.iterdir() if _is_for(place / PROFILE_FILE, tenant)}


def _is_for(profile: Path, tenant: str) -> bool:
    try:
        header = tomllib.loads(profile.read_text("utf-8")).get("profile", {})
    except (OSError, ValueError):
        return False
    return isinstance(header, dict) and header.get("tenant", "") in ("", tenant)


def note(store: AccessStore, record: AuditRecord) -> None:
    with store.transaction():
        store.append_audit(record)


def facts_of(manifest: Manifest) -> dict[str, object]:
    counts = manifest.counts
    return {"content": manifest.content, "entities": counts.get("entities", 0), "history": counts.get("history", 0)}


def document_line(document: Document) -> bytes:
    """Without the tenant's name, which may be another one where it is brought."""
    told = msgspec.json.decode(document.content, type=dict[str, object])
    told.pop("tenant", None)
    wish = told.get("wish")
    if isinstance(wish, dict):
        wish.pop("tenant", None)
    return msgspec.json.encode({"id": document.id, "document": told}) + b"\n"


def _context_lines(records: Iterable[tuple[bytes, bytes]]) -> Iterator[bytes]:
    for about, body in read_records(records):
        if about.kind is not Kind.CACHED:
            yield context_line(about, body)


def context_line(about: KeptContext, body: bytes) -> bytes:
    told = {"id": about.local_id, "kind": about.kind.value, "createdAt": format_instant(about.created_at)}
    return msgspec.json.encode({**told, "context": msgspec.Raw(body)}) + b"\n"


def joined(one: Span, other: Span) -> Span:
    if not one.count or not other.count:
        return one if one.count else other
    return Span(min(one.first, other.first), max(one.last, other.last))
