"""Everything that names one person, gathered from one snapshot of a tenant and from the store of access."""

from base64 import b64decode
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any

import msgspec

from parvis.access.model import Account, AuditEntry
from parvis.access.ports import AccessStore
from parvis.access.privacy.person.found import Fate, Found, Place
from parvis.access.privacy.person.identifiers import NOTHING, By, Marks, Sought
from parvis.broker.model.entity import Entity, Instance, Json
from parvis.broker.ports.archive import ArchiveRow
from parvis.broker.ports.leaving import Document, Documents, TenantSnapshot
from parvis.broker.ports.records import Record, Records
from parvis.kernel.reach import Hidden, local_name
from parvis.kernel.time import format_instant

NAMING = "name"
"""Of a type whose name is classed as personal, each entity is one person; any other is one's own where its id is asked
for."""
REMOVED = 0
_DUTY_BOXES = frozenset({"incidents"})
_HAND_BOXES = frozenset({"contexts", "lwm2m", "privacy"})
_RECORDS = {
    Records.REFUSED_FRAMES: (Place.REFUSED_FRAME, Fate.GOES),
    Records.FRAMES: (Place.FRAME, Fate.GOES),
    Records.UNDELIVERED: (Place.UNDELIVERED, Fate.GOES),
    Records.COMMANDS: (Place.COMMAND, Fate.STAYS_A_WHILE),
    Records.JOBS: (Place.JOB, Fate.STAYS_A_WHILE),
}
ListPast = Callable[[Collection[str], Collection[str]], Iterator[ArchiveRow]]
"""The past: rows with a text or a document in them, and all of the entities (by id) and attributes (by local name)."""
TellEntity = Callable[[Entity], bytes]
"""As JSON-LD."""
Tell = Callable[[str, float], None]


class Sources(msgspec.Struct, frozen=True):
    """Where is looked. `files` are what lies on the platform's disk and names the person."""

    tenant: str
    snapshot: TenantSnapshot
    list_past: ListPast
    access: AccessStore
    personal: Hidden | None
    tell_entity: TellEntity
    list_files: Callable[[Sought], Iterator[Found]]


def gather(sources: Sources, sought: Sought, tell: Tell) -> Iterator[Found]:
    """Twice through: who an entity is of shows in its past too, and who refers to it is found by its id only then."""
    accounts = list(_accounts(sources, sought))
    known = sought.with_accounts([one.name for one in accounts])
    tell("objects", 0.05)
    persons = _persons(sources, known)
    complete = known.with_entities(persons)
    found_any = False
    for one in _everywhere(sources, complete, persons, accounts, tell):
        found_any = found_any or one.fate is not Fate.PERHAPS
        yield one
    if found_any:
        yield from sources.list_files(complete)


def _everywhere(
    sources: Sources, sought: Sought, persons: Collection[str], accounts: Iterable[Account], tell: Tell
) -> Iterator[Found]:
    yield from (_account(sources, sought, one) for one in accounts)
    yield from _keys(sources, sought)
    tell("objects", 0.3)
    yield from _objects(sources, sought, persons)
    tell("history", 0.4)
    yield from _past(sources, sought, persons)
    tell("records", 0.8)
    yield from _documents(sources, sought)
    for kind, (place, fate) in _RECORDS.items():
        yield from _records(sources.snapshot.list_records(kind), sought, place, fate)
    for record in sources.snapshot.list_records(Records.SHELF):
        fate = Fate.STAYS_DUTY if record.box in _DUTY_BOXES else Fate.GOES
        fate = Fate.BY_HAND if record.box in _HAND_BOXES or record.box.startswith("system/") else fate
        yield from _records([record], sought, Place.RECORD, fate)
    tell("audit", 0.9)
    yield from _audit(sources, sought)


def _persons(sources: Sources, sought: Sought) -> frozenset[str]:
    is_person = partial(_is_one_of, _person_types(sources.personal))
    types = {one.id: one.types for one in sources.snapshot.list_gone()}
    found = {one for one in types if sought.is_named(By.ENTITY, one)}
    for entity in sources.snapshot.list_entities():
        types[entity.id] = entity.types
        named = sought.is_named(By.ENTITY, entity.id)
        if named or (is_person(entity.types) and sought.is_certain(_marks_of(sought, entity, sources.personal))):
            found.add(entity.id)
    of_persons = {one for one, names in types.items() if is_person(names)}
    for row in sources.list_past(of_persons - found, ()) if of_persons - found else ():
        if row.entity in of_persons and sought.is_certain(_marks_of_row(sought, row, is_classed=True)):
            found.add(row.entity)
    return frozenset(found)


def _person_types(personal: Hidden | None) -> frozenset[str]:
    return frozenset() if personal is None else personal.types_of(NAMING)


def _is_one_of(wanted: frozenset[str], types: Iterable[str]) -> bool:
    return not wanted.isdisjoint(map(local_name, types))


def _accounts(sources: Sources, sought: Sought) -> Iterator[Account]:
    for one in sources.access.list_accounts():
        named = sought.is_named(By.ACCOUNT, one.name) or sought.marks(one.name)
        if one.tenant == sources.tenant and sought.is_certain(named):
            yield one


def _account(sources: Sources, sought: Sought, account: Account) -> Found:
    access, name = sources.access, account.name
    content = {
        "name": name,
        "role": account.role,
        "tenant": account.tenant,
        "createdAt": format_instant(account.created_at),
        "sessions": [
            {"since": format_instant(one.created_at), "address": one.address, "agent": one.agent, "method": one.method}
            for one in access.list_sessions(name)
        ],
        "passkeys": [one.name for one in access.identities.list_passkeys(name)],
        "secondFactor": access.identities.find_authenticator(name) is not None,
        "identityProviders": [one.issuer for one in access.identities.list_foreign(name)],
        "roles": [msgspec.to_builtins(one) for one in access.roles.list_assignments(f"user:{name}")],
    }
    marks = sought.is_named(By.ACCOUNT, name) | sought.marks(name)
    return Found(Place.ACCOUNT, name, by=_by(sought, marks), content=content)


def _keys(sources: Sources, sought: Sought) -> Iterator[Found]:
    for one in sources.access.list_keys():
        marks = sought.is_named(By.KEY, one.id) | sought.marks(one.label)
        if one.tenant == sources.tenant and marks:
            content = {"id": one.id, "label": one.label, "role": one.role, "createdAt": format_instant(one.created_at)}
            yield Found(Place.KEY, one.id, _fate(sought, marks), _by(sought, marks), content=content)


def _objects(sources: Sources, sought: Sought, persons: Collection[str]) -> Iterator[Found]:
    for gone in sources.snapshot.list_gone():
        if gone.id in persons:
            marks = sought.is_named(By.ENTITY, gone.id)
            content = {"id": gone.id, "deletedAt": format_instant(gone.deleted_at)}
            yield Found(
                Place.OBJECT, gone.id, by=_by(sought, marks), types=gone.types, of_person=True, is_deleted=True,
                content=content,
            )  # fmt: skip
    for entity in sources.snapshot.list_entities():
        if entity.id in persons:
            marks = sought.is_named(By.ENTITY, entity.id) | _marks_of(sought, entity, sources.personal)
            told = msgspec.Raw(sources.tell_entity(entity).rstrip())
            yield Found(
                Place.OBJECT, entity.id, by=_by(sought, marks), types=entity.types, of_person=True, content=told
            )
        else:
            yield from _values(sources, sought, entity)


def _values(sources: Sources, sought: Sought, entity: Entity) -> Iterator[Found]:
    classed = _classed(sources, entity.types)
    for one in entity.instances:
        is_classed = local_name(one.name) in classed
        if marks := _marks_of_instance(sought, one, is_classed=is_classed):
            yield Found(
                Place.VALUE,
                entity.id,
                _fate(sought, marks),
                _by(sought, marks),
                entity.types,
                one.name,
                one.dataset,
                at=one.seen_at,
                is_classed=is_classed,
                content=one.value,
            )


def _past(sources: Sources, sought: Sought, persons: Collection[str]) -> Iterator[Found]:
    """What was classed of any type is so of all here: which types an object had then, its past does not say."""
    classed = frozenset() if sources.personal is None else sources.personal.anywhere
    for row in sources.list_past(persons, classed):
        if row.kind == REMOVED:
            continue
        of_person = row.entity in persons
        marks = NOTHING if of_person else _marks_of_row(sought, row, is_classed=local_name(row.attribute) in classed)
        if of_person or marks:
            yield Found(
                Place.PAST,
                row.entity,
                Fate.GOES if of_person else _fate(sought, marks),
                _by(sought, marks),
                attribute=row.attribute,
                dataset=row.dataset,
                seq=row.seq,
                at=row.time,
                of_person=of_person,
                content=_value_of(row),
            )


def _documents(sources: Sources, sought: Sought) -> Iterator[Found]:
    for document in sources.snapshot.list_documents(Documents.SUBSCRIPTIONS):
        yield from _document(document, sought, Place.SUBSCRIPTION, Fate.GOES)
    for kind in (Documents.REGISTRATIONS, Documents.SOURCE_SUBSCRIPTIONS):
        for document in sources.snapshot.list_documents(kind):
            yield from _document(document, sought, Place.REGISTRATION, Fate.BY_HAND)


def _document(document: Document, sought: Sought, place: Place, fate: Fate) -> Iterator[Found]:
    content = _json_of(document.content)
    if marks := sought.marks(document.id) | sought.marks_in(content):
        yield Found(place, document.id, _fate(sought, marks, fate), _by(sought, marks), content=content)


def _records(records: Iterable[Record], sought: Sought, place: Place, fate: Fate) -> Iterator[Found]:
    for one in records:
        content = _json_of(one.document)
        if marks := sought.marks_in(content) | sought.marks(one.more) | sought.marks_in(_payloads_in(content)):
            by = _by(sought, marks)
            yield Found(place, one.key, _fate(sought, marks, fate), by, attribute=one.box, content=content)


def _audit(sources: Sources, sought: Sought) -> Iterator[Found]:
    for entry in sources.access.read_audit():
        if entry.record.tenant == sources.tenant and (marks := _marks_of_entry(sought, entry)):
            record = entry.record
            content = {"subject": record.subject, "action": record.action, "object": record.object}
            told = {**content, "facts": record.facts} if record.facts else content
            fate, by = _fate(sought, marks, Fate.STAYS_PROOF), _by(sought, marks)
            yield Found(Place.AUDIT, str(entry.number), fate, by, at=record.at, content=told)


def _marks_of_entry(sought: Sought, entry: AuditEntry) -> Marks:
    record = entry.record
    named = sought.is_named(By.ACCOUNT, record.object) | sought.is_named(By.KEY, record.object)
    return named | sought.marks(record.subject) | sought.marks(record.object) | sought.marks_in(record.facts)


def _marks_of(sought: Sought, entity: Entity, personal: Hidden | None) -> Marks:
    classed = frozenset() if personal is None else personal.of(entity.types)
    found = (_marks_of_instance(sought, one, is_classed=local_name(one.name) in classed) for one in entity.instances)
    return NOTHING.union(*found)


def _marks_of_instance(sought: Sought, one: Instance, *, is_classed: bool) -> Marks:
    marks = sought.marks_in(one.value, with_numbers=is_classed)
    return marks | sought.marks_in(one.extra) if one.extra else marks


def _marks_of_row(sought: Sought, row: ArchiveRow, *, is_classed: bool) -> Marks:
    if row.kind == REMOVED:
        return NOTHING
    marks = sought.marks_in(_value_of(row), with_numbers=is_classed)
    return marks | sought.marks_in(msgspec.json.decode(row.extra)) if row.extra else marks


def _value_of(row: ArchiveRow) -> Json:
    return msgspec.json.decode(row.value) if isinstance(row.value, bytes) else row.value


def _payloads_in(content: Any) -> list[str]:
    """What came, as text: in JSON its bytes are written in base64."""
    if not isinstance(content, dict):
        return []
    payload = content.get("payload")
    inner = [text for one in content.values() for text in _payloads_in(one)]
    if not isinstance(payload, str):
        return inner
    with suppress(ValueError):
        return [*inner, b64decode(payload).decode("utf-8", "replace")]
    return inner


def _json_of(document: bytes) -> Any:
    try:
        return msgspec.json.decode(document)
    except msgspec.MsgspecError:
        return document.decode("utf-8", "replace")


def _classed(sources: Sources, types: tuple[str, ...]) -> frozenset[str]:
    return frozenset() if sources.personal is None else sources.personal.of(types)


def _fate(sought: Sought, marks: Marks, fate: Fate = Fate.GOES) -> Fate:
    return fate if sought.is_certain(marks) else Fate.PERHAPS


def _by(sought: Sought, marks: Marks) -> tuple[str, ...]:
    return tuple(dict.fromkeys(sought.wanted[place].by.value for place in sorted(marks)))
