"""Who asks, and in whose name: a part of every signature that reads or writes."""

from enum import Flag, auto

import msgspec

from parvis.kernel.reach import Hidden, Reach

DEFAULT_TENANT = "default"
ANONYMOUS = "anonymous"
"""The subject of a caller who showed no proof of identity."""


class Right(Flag):
    """INGEST delivers the frames of registered devices, and nothing else. COMMAND makes devices do something. AUDIT
    reads the trail of who did what. STEWARD answers for people's data: privacy classes, exports, erasures.

    Numbers of rights are stored: a new one stands last.
    """

    READ_PUBLIC = auto()
    READ = auto()
    INGEST = auto()
    WRITE = auto()
    ADMINISTER = auto()
    COMMAND = auto()
    AUDIT = auto()
    STEWARD = auto()


NOBODY = Right(0)
OPERATOR = Right.READ_PUBLIC | Right.READ | Right.INGEST | Right.WRITE | Right.COMMAND
ADMINISTRATOR = OPERATOR | Right.ADMINISTER | Right.AUDIT | Right.STEWARD
READERS = Right.READ | Right.READ_PUBLIC


class Caller(msgspec.Struct, frozen=True):
    """The subject of a request and what it may do within one tenant: with `device`, deliver for that one alone.

    Its rights to read, to write (or deliver), and to command go as far as `reads`, `writes` and `commands`; it neither
    reads nor writes the attributes that `hides` names (None: it reads all). With `mandate`, the id of one, it is not of
    this tenant but of the pool: what it may is what the mandate lets it.
    """

    tenant: str
    subject: str
    rights: Right
    device: str = ""
    reads: Reach = None
    writes: Reach = None
    commands: Reach = None
    hides: Hidden | None = None
    mandate: str = ""

    def may(self, right: Right) -> bool:
        return right in self.rights

    @property
    def sight(self) -> tuple[str, Right, Reach, Hidden | None]:
        """Whoever has the same is told the same."""
        return self.tenant, self.rights & READERS, self.reads, self.hides

    @property
    def everywhere(self) -> Right:
        """Its rights without those that go over a part of the entities only: for what is of no entity."""
        narrow = ((Right.READ, self.reads), (Right.WRITE, self.writes), (Right.COMMAND, self.commands))
        rights = self.rights
        for right, reach in narrow:
            if reach is not None:
                rights &= ~right
        return rights

    @property
    def may_deliver(self) -> bool:
        """Whether it may hand in frames: who may write anything may write what a frame tells."""
        return bool(self.rights & (Right.INGEST | Right.WRITE))


def system_caller(part: str, tenant: str = DEFAULT_TENANT) -> Caller:
    """The platform's own parts (ways in, jobs) act under their own name."""
    return Caller(tenant, f"system:{part}", OPERATOR)
