"""The scopes of an entity over time (NGSI-LD 1.9.1, 4.5.6 and 4.18): a series of history beside its attributes.

Each instance holds all scopes that the entity has from its time on, as an array: an empty one where they were removed.
"""

from collections.abc import Sequence
from typing import Final

from parvis.broker.model.change import Change
from parvis.broker.model.entity import SCOPE, AttributeKey, Instance, Kind
from parvis.broker.model.header import Header, scopes_from_column
from parvis.kernel.time import Instant

SCOPE_KEY: Final[AttributeKey] = (SCOPE, "")


def scopes_set(scopes: Sequence[str], observed_at: Instant | None = None) -> Instance:
    return Instance(SCOPE, Kind.PROPERTY, list(scopes), observed_at=observed_at)


def column_now(header: Header | None) -> str | None:
    """The scopes of an entity, as a column; None where it has none, or is not there."""
    return None if header is None or header.deleted is not None else header.scopes


def past_of(change: Change, before: str | None, after: str | None) -> tuple[Instance, ...]:
    """What becomes history beside the instances of a change that led from one column of scopes to the other."""
    if before == after or any(one.name == SCOPE for one in change.past):
        return change.past
    return (*change.past, scopes_set(scopes_from_column(after)))
