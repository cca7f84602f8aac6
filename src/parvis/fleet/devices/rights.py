"""What it takes to see devices and to change them."""

from parvis.kernel.errors import Forbidden
from parvis.kernel.identity import Caller, Right


def check_reads(caller: Caller) -> None:
    """Raises Forbidden, also where somebody reads a part of the entities only: frames, lists and logs of devices are of
    all of them."""
    if Right.READ not in caller.everywhere:
        raise Forbidden("Devices and their frames can be read by people who are signed in.")


def check_writes(caller: Caller) -> None:
    """Raises Forbidden."""
    if not caller.may(Right.WRITE):
        raise Forbidden("Changing devices needs the right to write.")
