"""What a store keeps of an entity beside its attributes: alike in every store."""

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from parvis.broker.model.change import Change
from parvis.broker.model.entity import Entity, Instance, Iri, in_order
from parvis.broker.model.merge import joined
from parvis.kernel.time import Instant


class Header(NamedTuple):
    """A row of `entity`. `typeset` is the store's number of its types, `modified` of its own members.

    `expires` and `due` are `Entity.expires_at` and `Entity.due`.
    """

    id: int
    typeset: int
    scopes: str | None
    created: Instant
    modified: Instant
    deleted: Instant | None
    expires: Instant | None = None
    due: Instant | None = None

    def gone(self, now: Instant) -> "Header":
        return self._replace(modified=now, deleted=now, expires=None, due=None)


class About(NamedTuple):
    """What a header tells of its entity. `scopes` as a column."""

    types: tuple[Iri, ...]
    scopes: str | None
    expires: Instant | None = None
    due: Instant | None = None


def about(entity: Entity) -> About:
    return About(entity.types, scopes_to_column(entity.scopes), entity.expires_at, entity.due)


def assemble(urn: str, types: tuple[Iri, ...], header: Header, instances: Iterable[Instance]) -> Entity:
    """An entity of its header and its attributes."""
    ordered = in_order(instances)
    modified = max([header.modified, *(one.modified_at for one in ordered)])
    scopes = scopes_from_column(header.scopes)
    return Entity(urn, types, ordered, scopes, header.created, modified, header.expires, header.due)


def find_widened(header: Header, types: tuple[Iri, ...], change: Change) -> About | None:
    """After a change that keeps the types there are, and says nothing of an end; None where all stays."""
    wider = types if change.types in (None, types) else joined(types, change.types)
    scopes = header.scopes if change.scopes is None else scopes_to_column(change.scopes)
    return None if (wider, scopes) == (types, header.scopes) else About(wider, scopes, header.expires, header.due)


def scopes_from_column(column: str | None) -> tuple[str, ...]:
    return tuple(msgspec.json.decode(column)) if column else ()


def scopes_to_column(scopes: tuple[str, ...]) -> str | None:
    """A JSON array; None where there are none."""
    return msgspec.json.encode(scopes).decode() if scopes else None
