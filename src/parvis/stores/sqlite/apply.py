"""Changes to rows, inside the writer's transaction."""

from collections import OrderedDict
from collections.abc import Sequence

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
from parvis.broker.model.merge import Resolution, is_blind, is_present, resolve
from parvis.broker.model.once import only_new
from parvis.broker.model.scopes import column_now, past_of
from parvis.broker.search.text import changes_words, searched
from parvis.kernel.time import Instant
from parvis.stores.sqlite.batch import Batch, unplace
from parvis.stores.sqlite.database import Connection
from parvis.stores.sqlite.expiring import FirstExpiry
from parvis.stores.sqlite.names import Names
from parvis.stores.sqlite.once import FindUnsettled, StoredFacts
from parvis.stores.sqlite.rows import present_instance

MAX_HEADERS = 250_000
MAX_CURRENT = 4_000

PRESENT = "SELECT name, dataset, shape, value, observed, extra, modified, created FROM attribute WHERE entity = ?"


Touched = dict[int, Entity | None]
"""Entities by number, with their new form where it is known."""


class Applier:
    """Turns changes into rows. Lives in the writer's thread; forgets everything when a transaction fails."""

    def __init__(self, connection: Connection, names: Names, find_unsettled: FindUnsettled) -> None:
        self._connection = connection
        self._names = names
        self._headers: dict[int, dict[str, Header]] = {}
        self._header_count = 0
        self._current: OrderedDict[int, Entity] = OrderedDict()
        self.expiry = FirstExpiry(connection)
        self.touched: Touched = {}
        self._facts = StoredFacts(connection, names, find_unsettled)
        self._bounds: Bounds | None = None
        self.begin()

    def begin(self) -> None:
        """Start a transaction's batch."""
        (next_seq,) = self._connection.execute(
            "SELECT max((SELECT ifnull(max(seq), 0) FROM log), (SELECT high FROM settling), ifnull("
            "(SELECT last - 1 FROM outbox ORDER BY seq DESC LIMIT 1), 0),"
            " (SELECT ifnull(max(upto), 0) FROM erasure), (SELECT upto FROM reserved)) + 1"
        ).fetchone()
        (next_event,) = self._connection.execute(
            "SELECT max((SELECT ifnull(max(seq), 0) FROM outbox), (SELECT ifnull(max(seq), 0) FROM consumer)) + 1"
        ).fetchone()
        (self._next_entity,) = self._connection.execute("SELECT ifnull(max(id), 0) + 1 FROM entity").fetchone()
        self.batch = Batch(self._names, next_seq, next_event)

    def next_transaction(self) -> None:
        """The last one is on disk."""
        self.batch = Batch(self._names, self.batch.next_seq, self.batch.next_event)
        self.touched = {}
        self._facts.begin()

    def forget(self) -> None:
        """The last one failed."""
        self._headers.clear()
        self._header_count = 0
        self._current.clear()
        self.touched = {}
        self._facts.begin()
        self.begin()

    def apply(
        self, tenant: int, changes: Sequence[Change], now: Instant, bounds: Bounds | None = None
    ) -> list[Outcome]:
        self._load_headers(tenant, changes)
        self._bounds = bounds
        headers = self._headers[tenant]
        return apply_each(
            bounds,
            changes,
            lambda change: self._held(headers.get(change.entity_id)),
            lambda change: self._apply_one(tenant, change, now),
        )

    def correct(self, number: int, held: Instance, put: Instance, now: Instant) -> int:
        """Write `put` in place of an instance that was erased; its number. The present follows where it shows that."""
        rows = self._connection.execute(PRESENT, (number,))
        shown = (present_instance(self._names, row) for row in rows)
        follows = is_present(next((one for one in shown if one.key == held.key), None), held)
        batch, seq = self.batch, self.batch.next_seq
        batch.put_instances(number, (put,), put.modified_at, keep_newest=False, is_past=not follows)
        if follows:
            batch.put_event(number, EventKind.UPDATED, now, seq)
            if searched((put,)):
                batch.put_unsearched(number)
            self._current.pop(number, None)
            self.touched[number] = None
        return seq

    def put_past(self, number: int, instances: Sequence[Instance], now: Instant) -> None:
        """The present stays, and no event tells of it."""
        self.batch.put_instances(number, tuple(instances), now, keep_newest=False, is_past=True)

    def reserve(self, count: int) -> int:
        """The first of so many numbers that no instance of this store is given."""
        first = self.batch.next_seq
        self.batch.next_seq = first + count
        self._connection.execute("UPDATE reserved SET upto = ?", (first + count - 1,))
        return first

    def _apply_one(self, tenant: int, change: Change, now: Instant) -> Outcome:
        if self._bounds is not None:
            held = self._held(self._headers[tenant].get(change.entity_id))
            refused = self._bounds.refuse_before(change, held)
            if refused is not None:
                return Outcome(change.entity_id, Status.FAILED, error=refused)
        if not change.once:
            return self._apply_all_of(tenant, change, now)
        headers, facts, urn = self._headers[tenant], self._facts, change.entity_id
        header = headers.get(urn)
        new = only_new(change, lambda one: header is not None and facts.has(header.id, one, change.told_at))
        if change.instances and not new.instances:
            return Outcome(urn, Status.UNCHANGED)
        outcome = self._apply_all_of(tenant, new, now)
        if outcome.status is not Status.FAILED:
            facts.add(headers[urn].id, new)
        return outcome

    def _apply_all_of(self, tenant: int, change: Change, now: Instant) -> Outcome:
        headers, urn = self._headers[tenant], change.entity_id
        before = headers.get(urn)
        outcome = self._carry_out(tenant, change, now)
        if outcome.status is not Status.FAILED:
            past = past_of(change, column_now(before), column_now(headers[urn]))
            if past:
                self.batch.put_instances(headers[urn].id, past, now, keep_newest=False, is_past=True)
        return outcome

    def _carry_out(self, tenant: int, change: Change, now: Instant) -> Outcome:
        header = self._headers[tenant].get(change.entity_id)
        alive = header is not None and header.deleted is None
        writable = alive or (change.types and change.mode is Mode.UPSERT_UPDATE)
        if writable and is_blind(change):
            refused = self._refuse_blind(change, header if alive else None)
            if refused is not None:
                return refused
            return self._overwrite(tenant, change, header, now)
        current = self._read(change.entity_id, header) if header is not None and alive else None
        resolution = within_bounds(self._bounds, change, resolve(current, change, now), current)
        if resolution.outcome.status not in (Status.FAILED, Status.UNCHANGED):
            self._store(tenant, change, header, current, resolution, now)
        elif header is not None and resolution.entity is not None and resolution.entity.due != header.due:
            self._save_header(tenant, change.entity_id, header._replace(due=resolution.entity.due))
            self._keep(header.id, resolution.entity)
            self.touched[header.id] = resolution.entity
        return resolution.outcome

    def _held(self, header: Header | None) -> Place | None:
        if header is None or header.deleted is not None:
            return None
        return self._names.typesets.key(header.typeset), scopes_from_column(header.scopes)

    def _refuse_blind(self, change: Change, alive: Header | None) -> Outcome | None:
        return None if self._bounds is None else refuse_blind(self._bounds, change, self._held(alive))

    def _overwrite(self, tenant: int, change: Change, header: Header | None, now: Instant) -> Outcome:
        batch, before = self.batch, header
        first = batch.next_seq
        born = header is None or header.deleted is not None
        if born:
            header = self._write_header(
                tenant, change.entity_id, header, About(change.types or (), scopes_to_column(change.scopes or ())), now
            )
        elif change.types is not None or change.scopes is not None:
            header = self._widen_header(tenant, change, header, now)  # type: ignore[arg-type]
        assert header is not None
        if not change.keep_newest and header.id in batch.unwritten_late:
            batch.flush(self._connection)
        due = batch.put_instances(header.id, change.instances, now, keep_newest=change.keep_newest)
        if due is not None:
            self._save_header(tenant, change.entity_id, header._replace(due=earlier(header.due, due)))
        batch.put_event(header.id, EventKind.CREATED if born else EventKind.UPDATED, now, first)
        if header is not before:
            batch.put_unsearched(header.id)
        else:
            batch.put_searched(header.id, searched(change.instances))
        self._current.pop(header.id, None)
        self.touched[header.id] = None
        return Outcome(change.entity_id, Status.CREATED if born else Status.UPDATED)

    def _store(
        self, tenant: int, change: Change, header: Header | None, current: Entity | None, resolution: Resolution,
        now: Instant,
    ) -> None:  # fmt: skip
        batch, entity = self.batch, resolution.entity
        first = batch.next_seq
        if entity is None:
            assert header is not None
            header = self._save_header(tenant, change.entity_id, header.gone(now))
        elif header is None or current is None or about(entity) != about(current) or resolution.removed:
            header = self._write_header(tenant, entity.id, header, about(entity), now)
        assert header is not None
        self._remove(header.id, resolution.removed, now)
        if not change.keep_newest and header.id in batch.unwritten_late:
            batch.flush(self._connection)
        batch.put_instances(header.id, resolution.put, now, keep_newest=change.keep_newest)
        batch.put_event(header.id, event_kind(resolution.outcome.status), now, first)
        if changes_words(current, entity):
            batch.put_unsearched(header.id)
        self._keep(header.id, entity)
        self.touched[header.id] = entity

    def _keep(self, number: int, entity: Entity | None) -> None:
        if entity is None:
            self._current.pop(number, None)
            return
        self._current[number] = entity
        self._current.move_to_end(number)
        if len(self._current) > MAX_CURRENT:
            self._current.popitem(last=False)

    def _remove(self, number: int, removed: tuple[AttributeKey, ...], now: Instant) -> None:
        if not removed:
            return
        self.batch.flush(self._connection)
        keys = [(self._names.words.id(name), self._names.dataset(dataset)) for name, dataset in removed]
        self._connection.executemany(
            "DELETE FROM attribute WHERE entity = ? AND name = ? AND dataset = ?", [(number, *key) for key in keys]
        )
        unplace(self._connection, number, keys)
        self.batch.put_removals(number, keys, now)

    def _widen_header(self, tenant: int, change: Change, header: Header, now: Instant) -> Header:
        widened = find_widened(header, self._names.typesets.key(header.typeset), change)
        return header if widened is None else self._write_header(tenant, change.entity_id, header, widened, now)

    def _write_header(self, tenant: int, urn: str, old: Header | None, told: About, now: Instant) -> Header:
        typeset = self._names.typesets.id(tuple(sorted(set(told.types))))
        if old is None:
            number, self._next_entity = self._next_entity, self._next_entity + 1
            created = now
        else:
            number, created = old.id, old.created if old.deleted is None else now
        header = Header(number, typeset, told.scopes, created, now, None, told.expires, told.due)
        return self._save_header(tenant, urn, header)

    def _save_header(self, tenant: int, urn: str, header: Header) -> Header:
        self.batch.put_entity(header.id, tenant, urn, *header[1:])
        self.expiry.note(header.due)
        self._headers[tenant][urn] = header
        return header

    def _read(self, urn: str, header: Header) -> Entity:
        known = self._current.get(header.id)
        if known is not None:
            return known
        if header.id in self.batch.unwritten:
            self.batch.flush(self._connection)
        rows = self._connection.execute(PRESENT, (header.id,)).fetchall()
        return entity_of(self._names, urn, header, rows)

    def _load_headers(self, tenant: int, changes: Sequence[Change]) -> None:
        headers = self._headers.setdefault(tenant, {})
        unknown = {change.entity_id for change in changes if change.entity_id not in headers}
        if not unknown:
            return
        self._header_count += len(unknown)
        if self._header_count > MAX_HEADERS:
            self._headers = {tenant: (headers := {})}
            unknown = {change.entity_id for change in changes}
            self._header_count = len(unknown)
            self.batch.flush(self._connection)
        rows = self._connection.execute(
            "SELECT urn, id, typeset, scopes, created, modified, deleted, expires, due FROM entity"
            " WHERE tenant = ? AND urn IN (SELECT value FROM json_each(?))",
            (tenant, msgspec.json.encode(list(unknown)).decode()),
        )
        for urn, *columns in rows:
            headers[urn] = Header(*columns)


def entity_of(names: Names, urn: str, header: Header, rows: list[tuple[object, ...]]) -> Entity:
    """Assemble an entity of its header and its rows of `attribute`."""
    return assemble(urn, names.typesets.key(header.typeset), header, [present_instance(names, row) for row in rows])
