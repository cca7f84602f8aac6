"""What it takes to see devices and to change them."""

from parvis.kernel.errors import Forbidden
from parvis.kernel.identity import Caller, Right


def check_reads(caller: Caller) -> None:
    """Raises Forbidden."""
    if not caller.may(Right.READ):
        raise Forbidden("Devices and their frames can be read by people who are signed in.")


def check_writes(caller: Caller) -> None:
    """Raises Forbidden."""
    if not caller.may(Right.WRITE):
        raise Forbidden("Changing devices needs the right to write.")
