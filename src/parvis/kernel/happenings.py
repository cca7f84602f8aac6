"""Port: what happens in a demonstration's territory, and what its visitors may set off there."""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from parvis.kernel.time import Instant


class Happening(msgspec.Struct, frozen=True):
    """`look` is the entity that shows it best, or empty, `term` its attribute. `kind` is a word such as "leak".
    `touched` are the entities that it concerns, none where it concerns everybody."""

    id: str
    kind: str
    begins_at: Instant
    ends_at: Instant
    title: str
    tells: str
    look: str = ""
    term: str = ""
    is_set_off: bool = False
    touched: tuple[str, ...] = ()


class Offer(msgspec.Struct, frozen=True):
    """What may be set off: `label` begins with a verb."""

    id: str
    kind: str
    label: str
    tells: str


class Laying(msgspec.Struct, frozen=True):
    """What of a demonstration is being laid out: its "land", its "devices" or its "past", of which `share` is done;
    "fault" where some of it could not be."""

    part: str
    share: float = 0.0


class Happenings(Protocol):
    """Texts are in the language asked for, a code such as "fr"."""

    @property
    def now(self) -> Instant:
        """By the devices' clock, which may run ahead."""
        ...

    @property
    def past_share(self) -> float:
        """How much of the months before the start is told already, 0..1."""
        ...

    @property
    def laying(self) -> Laying | None:
        """None once all is there."""
        ...

    def list_happenings(self, language: str) -> Sequence[Happening]:
        """In the order of their begin."""
        ...

    def list_offers(self, language: str) -> Sequence[Offer]: ...

    async def set_off(self, offer: str) -> str:
        """The id of what happens then; it is kept. Raises ResourceNotFound, Overloaded."""
        ...
