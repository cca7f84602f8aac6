"""What a store keeps of an entity beside its attributes: alike in every store."""

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from parvis.broker.model.change import Change
from parvis.broker.model.entity import Entity, Instance, Iri, in_order
from parvis.broker.model.merge import joined
from parvis.kernel.time import Instant


class Header(NamedTuple):
    """A row of `entity`. `typeset` is the store's number of its types, `modified` of its own members."""

    id: int
    typeset: int
    scopes: str | None
    created: Instant
    modified: Instant
    deleted: Instant | None


def assemble(urn: str, types: tuple[Iri, ...], header: Header, instances: Iterable[Instance]) -> Entity:
    """An entity of its header and its attributes."""
    ordered = in_order(instances)
    modified = max([header.modified, *(one.modified_at for one in ordered)])
    return Entity(urn, types, ordered, scopes_from_column(header.scopes), header.created, modified)


def find_widened(header: Header, types: tuple[Iri, ...], change: Change) -> tuple[tuple[Iri, ...], str | None] | None:
    """Types and scopes (as a column) after a change that keeps the types there are; None where both stay."""
    wider = types if change.types in (None, types) else joined(types, change.types)
    scopes = header.scopes if change.scopes is None else scopes_to_column(change.scopes)
    return None if (wider, scopes) == (types, header.scopes) else (wider, scopes)


def scopes_from_column(column: str | None) -> tuple[str, ...]:
    return tuple(msgspec.json.decode(column)) if column else ()


def scopes_to_column(scopes: tuple[str, ...]) -> str | None:
    """A JSON array; None where there are none."""
    return msgspec.json.encode(scopes).decode() if scopes else None
