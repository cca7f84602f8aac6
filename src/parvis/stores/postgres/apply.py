"""Changes to rows, inside a transaction that holds the entities it changes."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

import msgspec

from parvis.broker.bounded import apply_each, refuse_blind, within_bounds
from parvis.broker.bounds import Bounds, Place
from parvis.broker.model.change import Change, EventKind, Mode, Outcome, Status, event_kind
from parvis.broker.model.entity import AttributeKey, Entity, Instance
from parvis.broker.model.expiry import earlier
from parvis.broker.model.header import (
    About,
    Header,
    about,
    assemble,
    find_widened,
    scopes_from_column,
    scopes_to_column,
)
from parvis.broker.model.merge import CREATING, Resolution, is_blind, resolve
from parvis.broker.model.once import list_doubtful, list_witnesses, only_new
from parvis.broker.model.scopes import column_now, past_of
from parvis.broker.search.text import changes_words, searched
from parvis.kernel.time import Instant
from parvis.stores.postgres.batch import Batch, bigints
from parvis.stores.postgres.database import Connection
from parvis.stores.postgres.names import Names
from parvis.stores.postgres.once import StoredFacts, Witness
from parvis.stores.postgres.rows import present_instance

PRESENT_COLUMNS = "name, dataset, shape, number, text, observed, extra, modified, created"
HEADER_COLUMNS = "urn, id, typeset, scopes, created, modified, deleted, expires, due"
_LOCK = f"""
SELECT {HEADER_COLUMNS} FROM entity
WHERE tenant = %s AND urn = ANY (ARRAY(SELECT json_array_elements_text(%s::json)))
ORDER BY id FOR NO KEY UPDATE
"""
_NEXT_IDS = "SELECT nextval('entity_id') FROM generate_series(1, %s)"
_INSERT = """
INSERT INTO entity (tenant, id, urn, typeset, scopes, created, modified)
SELECT %s, id, urn, typeset, scopes, at, at
FROM json_to_recordset(%s::json) AS one (id bigint, urn text, typeset integer, scopes text, at bigint)
ORDER BY urn COLLATE "C"
ON CONFLICT (tenant, urn) DO NOTHING RETURNING id
"""
_UPDATE = """
UPDATE entity e SET typeset = one.typeset, scopes = one.scopes, created = one.created, modified = one.modified,
    deleted = one.deleted, expires = one.expires, due = one.due
FROM json_to_recordset(%s::json) AS one (
    id bigint, typeset integer, scopes text, created bigint, modified bigint, deleted bigint, expires bigint, due bigint
)
WHERE e.tenant = %s AND e.id = one.id
"""
_FORGET = "DELETE FROM entity WHERE tenant = %s AND id = ANY (%s::bigint[])"
_READ = f"SELECT entity, {PRESENT_COLUMNS} FROM attribute WHERE tenant = %s AND entity = ANY (%s::bigint[])"


class Dated(NamedTuple):
    """The changes of one call, and when it is carried out."""

    changes: Sequence[Change]
    at: Instant
    bounds: Bounds | None = None


class Applier:
    """Turns the changes of one transaction and one tenant into rows: lock, prepare, apply, flush."""

    def __init__(self, connection: Connection, names: Names, tenant: int) -> None:
        self._connection = connection
        self._names = names
        self._tenant = tenant
        self._batch = Batch(names)
        self._bounds: Bounds | None = None
        self._stored: dict[str, Header] = {}
        """As they stand in the database, locked."""
        self._unborn: dict[str, Header] = {}
        """Of those, what this transaction has put there to be created."""
        self._headers: dict[str, Header] = {}
        """As they are to stand; what is not here is not there."""
        self._current: dict[str, Entity] = {}
        self.first_due: Instant | None = None
        """When the first part of any entity that was written is over."""
        self._whole: set[str] = set()
        """Entities that are read, for some change depends on what is stored."""
        self._facts = StoredFacts(names, tenant)

    def lock(self, calls: Sequence[Sequence[Change]]) -> None:
        """Every entity that is going to be changed; what happens to it now happens after what others did."""
        urns = {change.entity_id for changes in calls for change in changes}
        if urns:
            self._lock(urns)

    def prepare(self, calls: Sequence[Dated]) -> None:
        """Reserve the entities that may be created, and read what has to be known of the others."""
        while missing := self._missing(calls):
            self._reserve(missing)
        self._headers = {urn: header for urn, header in self._stored.items() if urn not in self._unborn}
        self._read(calls)
        self._facts.read(self._connection, self._witnesses(calls, list_witnesses))
        self._facts.read(self._connection, self._witnesses(calls, self._list_doubtful))

    def apply(self, call: Dated) -> list[Outcome]:
        self._bounds = call.bounds
        return apply_each(
            call.bounds,
            call.changes,
            lambda change: self._held(self._headers.get(change.entity_id)),
            lambda change: self._apply_one(change, call.at),
        )

    def flush(self) -> int | None:
        """The number of the newest event, None where nothing was changed."""
        never_born = [header.id for urn, header in self._unborn.items() if urn not in self._headers]
        if never_born:
            self._connection.execute(_FORGET, (self._tenant, bigints(never_born)))
        changed = [header for urn, header in self._headers.items() if header != self._stored[urn]]
        if changed:
            self.first_due = min((header.due for header in changed if header.due is not None), default=None)
            rows = msgspec.json.encode([header._asdict() for header in changed]).decode()
            self._connection.execute(_UPDATE, (rows, self._tenant))
        return self._batch.flush(self._connection, self._tenant)

    def _lock(self, urns: Iterable[str]) -> None:
        rows = self._connection.execute(_LOCK, (self._tenant, msgspec.json.encode(list(urns)).decode()))
        self._stored.update({urn: Header(*columns) for urn, *columns in rows})

    def _missing(self, calls: Sequence[Dated]) -> dict[str, tuple[Change, Instant]]:
        """The first change that may create each of the entities that are not there."""
        found: dict[str, tuple[Change, Instant]] = {}
        for call in calls:
            for change in call.changes:
                if change.entity_id not in self._stored and change.types and change.mode in CREATING:
                    found.setdefault(change.entity_id, (change, call.at))
        return found

    def _reserve(self, missing: dict[str, tuple[Change, Instant]]) -> None:
        """Put entities there that are likely to be created; who else creates one at the same time waits, or is waited
        for."""
        ids = [row[0] for row in self._connection.execute(_NEXT_IDS, (len(missing),))]
        new = {
            urn: Header(number, self._typeset(change.types or ()), scopes_to_column(change.scopes or ()), at, at, None)
            for number, (urn, (change, at)) in zip(ids, missing.items(), strict=True)
        }
        rows = [
            {"id": header.id, "urn": urn, "typeset": header.typeset, "scopes": header.scopes, "at": header.created}
            for urn, header in new.items()
        ]
        inserted = {row[0] for row in self._connection.execute(_INSERT, (self._tenant, _json(rows)))}
        self._unborn |= {urn: header for urn, header in new.items() if header.id in inserted}
        self._stored |= self._unborn
        late = [urn for urn in new if urn not in self._unborn]
        if late:
            self._lock(late)

    def _read(self, calls: Sequence[Dated]) -> None:
        self._whole = {change.entity_id for call in calls for change in call.changes if not is_blind(change)}
        alive = {
            header.id: urn
            for urn in self._whole
            if (header := self._headers.get(urn)) is not None and header.deleted is None
        }
        if not alive:
            return
        found: dict[int, list[tuple[object, ...]]] = {number: [] for number in alive}
        for number, *row in self._connection.execute(_READ, (self._tenant, bigints(alive))):
            found[number].append(tuple(row))
        for number, urn in alive.items():
            self._current[urn] = entity_of(self._names, urn, self._headers[urn], found[number])

    def _witnesses(self, calls: Sequence[Dated], choose: Callable[[Change], Iterable[Instance]]) -> Iterator[Witness]:
        """With the numbers of their entities. Of one that is born here nothing is stored."""
        for change in (change for call in calls for change in call.changes if change.once):
            header = self._headers.get(change.entity_id)
            if header is not None:
                yield from (Witness(header.id, one, change.told_at) for one in choose(change))

    def _list_doubtful(self, change: Change) -> list[Instance]:
        return list_doubtful(change, partial(self._is_stored, change))

    def _is_stored(self, change: Change, instance: Instance) -> bool:
        header = self._stored.get(change.entity_id)
        return header is not None and self._facts.has(header.id, instance, change.told_at)

    def _apply_one(self, change: Change, now: Instant) -> Outcome:
        if self._bounds is not None:
            refused = self._bounds.refuse_before(change, self._held(self._headers.get(change.entity_id)))
            if refused is not None:
                return Outcome(change.entity_id, Status.FAILED, error=refused)
        if not change.once:
            return self._apply_all_of(change, now)
        urn = change.entity_id
        new = only_new(change, partial(self._is_stored, change))
        if change.instances and not new.instances:
            return Outcome(urn, Status.UNCHANGED)
        outcome = self._apply_all_of(new, now)
        if outcome.status is not Status.FAILED:
            self._facts.add(self._headers[urn].id, new)
        return outcome

    def _apply_all_of(self, change: Change, now: Instant) -> Outcome:
        headers, urn = self._headers, change.entity_id
        before = headers.get(urn)
        outcome = self._carry_out(change, now)
        if outcome.status is not Status.FAILED:
            past = past_of(change, column_now(before), column_now(headers[urn]))
            if past:
                self._batch.put_past(headers[urn].id, past, now)
        return outcome

    def _carry_out(self, change: Change, now: Instant) -> Outcome:
        header = self._headers.get(change.entity_id)
        alive = header is not None and header.deleted is None
        writable = alive or (change.types and change.mode is Mode.UPSERT_UPDATE)
        if writable and change.entity_id not in self._whole:
            refused = self._refuse_blind(change, header if alive else None)
            if refused is not None:
                return refused
            return self._overwrite(change, header, now)
        current = self._current.get(change.entity_id) if alive else None
        resolution = within_bounds(self._bounds, change, resolve(current, change, now), current)
        if resolution.outcome.status not in (Status.FAILED, Status.UNCHANGED):
            self._store(change, header, current, resolution, now)
        elif header is not None and resolution.entity is not None and resolution.entity.due != header.due:
            self._headers[change.entity_id] = header._replace(due=resolution.entity.due)
            self._current[change.entity_id] = resolution.entity
        return resolution.outcome

    def _held(self, header: Header | None) -> Place | None:
        if header is None or header.deleted is not None:
            return None
        return self._names.typesets.key(header.typeset), scopes_from_column(header.scopes)

    def _refuse_blind(self, change: Change, alive: Header | None) -> Outcome | None:
        return None if self._bounds is None else refuse_blind(self._bounds, change, self._held(alive))

    def _overwrite(self, change: Change, header: Header | None, now: Instant) -> Outcome:
        before, born = header, header is None or header.deleted is not None
        if header is None or born:
            header = self._write_header(
                change.entity_id, header, About(change.types or (), scopes_to_column(change.scopes or ())), now
            )
        elif change.types is not None or change.scopes is not None:
            header = self._widen_header(change, header, now)
        due = self._batch.put_instances(header.id, change.instances, now, keep_newest=change.keep_newest, born=born)
        if due is not None:
            self._headers[change.entity_id] = header._replace(due=earlier(header.due, due))
        self._batch.put_event(header.id, header.typeset, EventKind.CREATED if born else EventKind.UPDATED, now)
        if header is not before:
            self._batch.put_unsearched(header.id)
        else:
            self._batch.put_searched(header.id, searched(change.instances))
        return Outcome(change.entity_id, Status.CREATED if born else Status.UPDATED)

    def _store(
        self, change: Change, header: Header | None, current: Entity | None, resolution: Resolution, now: Instant
    ) -> None:
        entity = resolution.entity
        if entity is None:
            assert header is not None
            header = self._headers[change.entity_id] = header.gone(now)
            del self._current[change.entity_id]
        else:
            if current is None or resolution.removed or about(entity) != about(current):
                header = self._write_header(entity.id, header, about(entity), now)
            self._current[change.entity_id] = entity
        assert header is not None
        self._batch.put_removals(header.id, self._numbers(resolution.removed), now)
        born = current is None
        self._batch.put_instances(header.id, resolution.put, now, keep_newest=change.keep_newest, born=born)
        self._batch.put_event(header.id, header.typeset, event_kind(resolution.outcome.status), now)
        if changes_words(current, entity):
            self._batch.put_unsearched(header.id)

    def _numbers(self, keys: tuple[AttributeKey, ...]) -> list[tuple[int, int]]:
        return [(self._names.words.id(name), self._names.dataset(dataset)) for name, dataset in keys]

    def _widen_header(self, change: Change, header: Header, now: Instant) -> Header:
        widened = find_widened(header, self._names.typesets.key(header.typeset), change)
        return header if widened is None else self._write_header(change.entity_id, header, widened, now)

    def _write_header(self, urn: str, old: Header | None, told: About, now: Instant) -> Header:
        number = self._unborn[urn].id if old is None else old.id
        created = now if old is None or old.deleted is not None else old.created
        header = Header(number, self._typeset(told.types), told.scopes, created, now, None, told.expires, told.due)
        self._headers[urn] = header
        return header

    def _typeset(self, types: tuple[str, ...]) -> int:
        return self._names.typesets.id(tuple(sorted(set(types))))


def entity_of(names: Names, urn: str, header: Header, rows: list[tuple[object, ...]]) -> Entity:
    """Assemble an entity of its header and its rows of `attribute`."""
    return assemble(urn, names.typesets.key(header.typeset), header, [present_instance(names, row) for row in rows])


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
