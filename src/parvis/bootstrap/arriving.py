"""All that a tenant had elsewhere, brought from its bundle: everything, or nothing."""

import asyncio
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from shutil import disk_usage
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple, TypeVar

import msgspec
from msgspec.structs import replace

from parvis.access.model import AuditRecord
from parvis.backup.bundle import manifest as names
from parvis.backup.bundle.forms import MOST_NUMBER, FormReader, read_lines
from parvis.backup.bundle.manifest import BundleFile, BundleUnusable, Manifest
from parvis.backup.bundle.reading import Bundle, opened_bundle
from parvis.backup.bundle.rights import Rights, RightsReader, bring_rights
from parvis.bootstrap.archive import day_number, engine_limits
from parvis.bootstrap.leaving import DOCUMENTS, Tell, facts_of, joined, note, profile_folder
from parvis.bootstrap.stores import holding, is_on_postgres, open_access, store_path
from parvis.broker.jsonld.context import Context
from parvis.broker.jsonld.contexts import Contexts
from parvis.broker.jsonld.kept import CONTEXTS_BOX, KeptContext, Kind, hosted_id, records_of
from parvis.broker.model.entity import INSTANCE_NUMBER, Entity
from parvis.broker.ports.archive import ArchiveRow
from parvis.broker.ports.leaving import Document, Documents, Span, TenantIntake
from parvis.broker.sources.rows import registration_of
from parvis.broker.sources.rows import subscription_of as source_subscription_of
from parvis.broker.subscriptions.model import consumer_of
from parvis.broker.subscriptions.rows import subscription_of
from parvis.fleet.fleet import PROFILES_FOLDER
from parvis.fleet.profiles.profile import PROFILE_FILE, InvalidProfile, check_own_examples, load_profile
from parvis.fleet.profiles.text import for_tenant
from parvis.kernel.errors import BadRequestData
from parvis.kernel.settings import InvalidSettings, Settings
from parvis.kernel.time import parse_instant, system_clock
from parvis.stores.archive.leaving import Arriving

IMPORTED = "tenant-imported"
TENANT_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
ENTITIES_AT_ONCE = 500
BYTES_OF_A_ROW = 160
"""About, with its indexes: what a store takes for an instance."""
_CONTEXT_ID = "/jsonldContexts/{}"
Told = TypeVar("Told")


class Imported(NamedTuple):
    """`words` tell what was not brought, and what is to be done by hand."""

    manifest: Manifest
    counts: dict[str, int]
    words: tuple[str, ...]


def _silent(_words: str, _part: float) -> None:
    pass


def import_bundle(
    settings: Settings,
    path: Path,
    tenant: str,
    subject: str,
    *,
    is_added: bool = False,
    is_dry: bool = False,
    are_subscriptions_paused: bool = False,
    tell: Tell = _silent,
) -> Imported:
    """`is_dry`: read all of it, and change nothing. `is_added`: what has an id that is there already is left out.

    Raises BundleUnusable, TenantNotEmpty, DataInUse, and what the store may raise; then nothing of it is there.
    """
    if TENANT_NAME.fullmatch(tenant) is None:
        raise BadRequestData(f"{tenant[:80]!r} is no name of a tenant: 1 to 64 of letters, digits, _ and -.")
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    context = asyncio.run(_core_context())
    with opened_bundle(path) as bundle, TemporaryDirectory(prefix=".parvis-", dir=settings.data_dir) as folder:
        bundle.verify(lambda file: tell(f"verifying {file.path}", 0.0))
        work = _Import(settings, bundle, tenant, context, Path(folder), tell, are_subscriptions_paused)
        with closing(work):
            numbers, rights = work.look(), work.read_rights()
            if is_dry:
                work.read_through()
                return work.told()
            work.check_room()
            with holding(settings), _intake(settings, tenant, numbers, work.days, is_added) as intake:
                work.bring(intake, is_added=is_added)
                work.bring_profiles()
                work.bring_rights(rights, subject, is_added=is_added)
    access = open_access(settings)
    with closing(access.store) as store:
        facts = facts_of(bundle.manifest) | {"from": bundle.manifest.tenant, "exported": bundle.manifest.made_at}
        note(store, AuditRecord(system_clock(), tenant, subject, IMPORTED, tenant, facts))
    tell("done", 1.0)
    return work.told()


def _intake(
    settings: Settings, tenant: str, numbers: Span, days: Sequence[int], is_added: bool
) -> AbstractContextManager[TenantIntake]:
    if is_on_postgres(settings):
        from parvis.stores.postgres import arriving as postgres

        return postgres.opened_intake(settings.store.url, tenant, numbers, days, is_added=is_added)
    from parvis.stores.sqlite.arriving import opened_intake

    return opened_intake(store_path(settings), tenant, numbers, days, is_added=is_added)


class _Import:
    def __init__(
        self, settings: Settings, bundle: Bundle, tenant: str, context: Context, folder: Path, tell: Tell, paused: bool
    ) -> None:
        self._settings = settings
        self._bundle = bundle
        self._tenant = tenant
        self._context = context
        self._forms = FormReader(context)
        self._folder = folder
        self._tell = tell
        self._paused = paused
        self._past = Arriving(engine_limits(settings), folder)
        self._files = [(_day_of(one), one) for one in sorted(bundle.manifest.list_below("history"), key=_path)]
        self._counts: dict[str, int] = {}
        self._skipped: set[str] = set()
        self._words: list[str] = []

    @property
    def days(self) -> list[int]:
        return [day for day, _ in self._files]

    def close(self) -> None:
        self._past.close()

    def look(self) -> Span:
        """The numbers of all instances. Raises BundleUnusable where the manifest says otherwise."""
        manifest, numbers = self._bundle.manifest, Span()
        for place, (_, file) in enumerate(self._files):
            self._tell(f"looking at {file.path}", 0.05 * place / len(self._files))
            with self._local(file) as path:
                found = self._past.look(path)
            if found.rows != file.rows or not 0 < found.numbers.first <= found.numbers.last < MOST_NUMBER:
                raise BundleUnusable(f"{file.path} has other rows than the manifest says.")
            numbers = joined(numbers, found.numbers)
        if numbers != Span(manifest.first_number, manifest.last_number):
            raise BundleUnusable("The numbers of the past are not those that the manifest says.")
        return numbers

    def check_room(self) -> None:
        """Raises BundleUnusable."""
        rows = sum(file.rows for _, file in self._files)
        needed = rows * BYTES_OF_A_ROW + 3 * self._bundle.manifest.bytes
        free = disk_usage(self._settings.data_dir).free
        if free < needed:
            raise BundleUnusable(f"There is no room: about {needed >> 20:,} MiB are needed, {free >> 20:,} are free.")

    def read_through(self) -> None:
        """Everything, as if it were brought. Raises BundleUnusable."""
        for _ in self._lines(names.ENTITIES, self._forms.entity):
            self._count("entities", 1)
        for _ in self._lines(names.GONE, self._forms.gone):
            self._count("deleted-entities", 1)
        for kind, path in DOCUMENTS.items():
            self._count(path.partition(".")[0], len(list(self._lines(path, partial(self._document, kind)))))
        self._count("contexts", len(list(self._lines(names.CONTEXTS, _context_records))))
        for rows in self._rows():
            self._count("history", len(rows))

    def bring(self, intake: TenantIntake, *, is_added: bool) -> None:
        self._bring_present(intake, is_added)
        self._bring_documents(intake)
        for rows in self._rows():
            self._bring_rows(intake, rows)
        if intake.shift:
            self._words.append(
                f"This store has given numbers up to {intake.shift:,} already: instanceIds are that much higher here."
            )
        if self._skipped:
            self._words.append(f"{len(self._skipped):,} objects were here before, and stay as they are.")

    def bring_profiles(self) -> None:
        """Those that are not here yet, and can be read: a platform does not start on one that cannot."""
        root, made = profile_folder(self._settings.data_dir, self._tenant), self._folder / PROFILES_FOLDER
        for file in self._bundle.manifest.list_below(PROFILES_FOLDER):
            target = made / file.path.partition("/")[2]
            target.parent.mkdir(parents=True, exist_ok=True)
            self._bundle.bring(file, target)
        for profile in sorted(made.iterdir()) if made.is_dir() else ():
            if (root / profile.name).exists():
                self._words.append(f"The device profile {profile.name} is here already, and stays as it is.")
            elif fault := self._find_fault(profile):
                self._words.append(f"The device profile {profile.name} cannot be used, and is left out: {fault}")
            else:
                root.mkdir(parents=True, exist_ok=True)
                profile.rename(root / profile.name)
                self._count("profiles", 1)

    def bring_rights(self, rights: Rights, subject: str, *, is_added: bool) -> None:
        """Beside the store of entities, before that ends: done again, it finds what is there."""
        with closing(open_access(self._settings).store) as store:
            self._words += bring_rights(store, self._tenant, rights, subject, is_added=is_added)
        if is_added:
            self._counts |= dict.fromkeys(rights.counts, 0)

    def read_rights(self) -> Rights:
        reader = RightsReader(self._tenant)
        rights = Rights(
            list(self._lines(names.ROLES, reader.role)),
            list(self._lines(names.CLASSES, reader.classified)),
            list(self._lines(names.PURPOSES, reader.purpose)),
            next(self._lines(names.POLICY, reader.policy), None),
            list(self._lines(names.LEDGER, reader.entry)),
            next(self._lines(names.MEMBER, reader.member), None),
        )
        self._counts |= rights.counts
        return rights

    def _find_fault(self, profile: Path) -> str:
        """Nobody here vouches for it: it becomes one that the tenant brought."""
        try:
            text = (profile / PROFILE_FILE).read_text("utf-8")
            (profile / PROFILE_FILE).write_text(for_tenant(text, self._tenant), "utf-8")
            faults = check_own_examples(load_profile(profile, self._context.expand))
        except InvalidProfile as fault:
            return fault.detail.replace(f"{self._folder}/", "")
        except (OSError, ValueError):
            return f"{PROFILE_FILE} cannot be read."
        return "; ".join(faults)

    def told(self) -> Imported:
        manifest = self._bundle.manifest
        words = list(self._words)
        if people := manifest.counts.get("people", 0):
            words.append(f"{people} accounts are to be made anew: people.ndjson says whose (parvis account create).")
        if keys := manifest.counts.get("keys", 0):
            words.append(f"{keys} API keys are to be made anew: keys.ndjson says which (parvis api-key create).")
        if mandates := manifest.counts.get("mandates", 0):
            words.append(f"{mandates} mandates were given to the people of another pool: none is in force here.")
        if assigned := manifest.counts.get("assignments", 0):
            words.append(f"{assigned} further roles of people and keys are to be given anew: assignments.ndjson.")
        words.append("Settings are taken over by hand from configuration.toml; the old trail stays in the bundle.")
        return Imported(manifest, dict(self._counts), tuple(words))

    def _bring_present(self, intake: TenantIntake, is_added: bool) -> None:
        for entities in _batches(self._lines(names.ENTITIES, self._forms.entity), ENTITIES_AT_ONCE):
            fresh = self._unknown(intake, entities, is_added)
            intake.put_entities([_shifted_entity(one, intake.shift) for one in fresh])
            self._count("entities", len(fresh))
            self._tell(f"entities: {self._counts['entities']:,}", 0.1)
        for gone in _batches(self._lines(names.GONE, self._forms.gone), ENTITIES_AT_ONCE):
            fresh_gone = self._unknown(intake, gone, is_added)
            intake.put_gone(fresh_gone)
            self._count("deleted-entities", len(fresh_gone))
        forgotten = [one for one in self._lines(names.FORGOTTEN, _id) if one not in self._skipped]
        intake.put_forgotten(forgotten)

    def _unknown(self, intake: TenantIntake, told: Sequence[Told], is_added: bool) -> list[Told]:
        """Without those that were here. Raises BundleUnusable where one is told twice."""
        ids = [one.id for one in told]  # type: ignore[attr-defined]
        known = intake.find_known(ids)
        if len(set(ids)) != len(ids) or (known and not is_added):
            raise BundleUnusable("The bundle tells of an object twice.")
        self._skipped |= known
        return [one for one, urn in zip(told, ids, strict=True) if urn not in known]

    def _bring_documents(self, intake: TenantIntake) -> None:
        for kind, path in DOCUMENTS.items():
            documents = list(self._lines(path, partial(self._document, kind)))
            intake.put_documents(kind, documents)
            self._count(path.partition(".")[0], len(documents))
        for records in self._lines(names.CONTEXTS, _context_records):
            intake.put_shelf(CONTEXTS_BOX, records)
            self._count("contexts", 1)

    def _document(self, kind: Documents, line: dict[str, Any]) -> Document:
        told = dict(line["document"])
        if kind is Documents.SOURCE_SUBSCRIPTIONS:
            told["wish"] = {**told["wish"], "tenant": self._tenant}
            wish = source_subscription_of(msgspec.json.encode(told))
            return Document(_same(wish.id, line), msgspec.json.encode(wish))
        written = msgspec.json.encode({**told, "tenant": self._tenant})
        if kind is Documents.REGISTRATIONS:
            registration = registration_of(written)
            return Document(_same(registration.id, line), msgspec.json.encode(registration))
        subscription = subscription_of(written)
        if self._paused:
            subscription = replace(subscription, is_active=False)
        consumer = consumer_of(self._tenant, subscription.id)
        return Document(_same(subscription.id, line), msgspec.json.encode(subscription), consumer)

    def _rows(self) -> Iterator[list[ArchiveRow]]:
        for place, (day, file) in enumerate(self._files):
            self._tell(file.path, 0.15 + 0.8 * place / len(self._files))
            with self._local(file) as path:
                for rows in self._past.read(path):
                    yield [self._forms.row(row, day) for row in rows]

    def _bring_rows(self, intake: TenantIntake, rows: list[ArchiveRow]) -> None:
        fresh = [_shifted_row(row, intake.shift) for row in rows if row.entity not in self._skipped]
        wanted = {row.entity for row in fresh}
        if unknown := wanted - intake.find_known(sorted(wanted)):
            raise BundleUnusable(f"There is a past of {min(unknown)[:120]}, of which the bundle tells nothing else.")
        if fresh:
            intake.put_past(fresh)
        self._count("history", len(fresh))

    def _lines(self, path: str, read: Callable[[dict[str, Any]], Told]) -> Iterator[Told]:
        return read_lines(path, self._bundle.lines(path), read)

    @contextmanager
    def _local(self, file: BundleFile) -> Iterator[Path]:
        path = self._folder / "day.parquet"
        try:
            self._bundle.bring(file, path)
            yield path
        finally:
            path.unlink(missing_ok=True)

    def _count(self, subject: str, count: int) -> None:
        self._counts[subject] = self._counts.get(subject, 0) + count


def _same(found: str, line: dict[str, Any]) -> str:
    if found != line["id"]:
        raise ValueError("a document has another id than its line")
    return found


def _id(line: dict[str, Any]) -> str:
    return str(line["id"])


def _path(file: BundleFile) -> str:
    return file.path


def _day_of(file: BundleFile) -> int:
    try:
        return day_number(file.path.removeprefix("history/").removesuffix(".parquet"))
    except ValueError as fault:
        raise BundleUnusable(f"{file.path} is of no day.") from fault


def _context_records(line: dict[str, Any]) -> list[tuple[bytes, bytes]]:
    local_id = hosted_id(_CONTEXT_ID.format(line["id"]))
    kind = Kind(line["kind"])
    if local_id is None or kind is Kind.CACHED:
        raise ValueError("a context has an id of 32 hexadecimal digits, and was not fetched")
    about = KeptContext(local_id, kind, "", parse_instant(line["createdAt"]))
    return records_of(about, msgspec.json.encode(line["context"]))


def _shifted_entity(entity: Entity, shift: int) -> Entity:
    if not shift or not any(one.extra and INSTANCE_NUMBER in one.extra for one in entity.instances):
        return entity
    instances = tuple(replace(one, extra=_shifted(one.extra, shift)) for one in entity.instances)
    return replace(entity, instances=instances)


def _shifted_row(row: ArchiveRow, shift: int) -> ArchiveRow:
    """The store adds it to the row's own number; what was corrected keeps the number by which it is known."""
    if not shift or row.extra is None or f'"{INSTANCE_NUMBER}"' not in row.extra:
        return row
    extra = _shifted(msgspec.json.decode(row.extra, type=dict[str, Any]), shift)
    return row._replace(extra=msgspec.json.encode(extra).decode())


def _shifted(extra: dict[str, Any] | None, shift: int) -> dict[str, Any] | None:
    number = (extra or {}).get(INSTANCE_NUMBER)
    return {**(extra or {}), INSTANCE_NUMBER: number + shift} if isinstance(number, int) else extra


def _batches(told: Iterable[Told], size: int) -> Iterator[list[Told]]:
    left = iter(told)
    while batch := list(islice(left, size)):
        yield batch


async def _core_context() -> Context:
    return Contexts(_fetch_nothing).parvis


async def _fetch_nothing(url: str) -> bytes:
    raise InvalidSettings(f"A bundle is read with the core context, not with {url}.")
