"""Who asks, and in whose name: a part of every signature that reads or writes."""

from enum import Flag, auto

import msgspec

DEFAULT_TENANT = "default"
ANONYMOUS = "anonymous"
"""The subject of a caller who showed no proof of identity."""


class Right(Flag):
    """INGEST delivers the frames of registered devices, and nothing else. COMMAND makes devices do something."""

    READ_PUBLIC = auto()
    READ = auto()
    INGEST = auto()
    WRITE = auto()
    ADMINISTER = auto()
    COMMAND = auto()


NOBODY = Right(0)
OPERATOR = Right.READ_PUBLIC | Right.READ | Right.INGEST | Right.WRITE | Right.COMMAND
ADMINISTRATOR = OPERATOR | Right.ADMINISTER


class Caller(msgspec.Struct, frozen=True):
    """The subject of a request and what it may do within one tenant: with `device`, deliver for that one alone."""

    tenant: str
    subject: str
    rights: Right
    device: str = ""

    def may(self, right: Right) -> bool:
        return right in self.rights

    @property
    def may_deliver(self) -> bool:
        """Whether it may hand in frames: who may write anything may write what a frame tells."""
        return bool(self.rights & (Right.INGEST | Right.WRITE))


def system_caller(part: str, tenant: str = DEFAULT_TENANT) -> Caller:
    """The platform's own parts (ways in, jobs) act under their own name."""
    return Caller(tenant, f"system:{part}", OPERATOR)
