"""What it takes to see devices and to change them."""

from msgspec import structs

from parvis.kernel.errors import Forbidden
from parvis.kernel.identity import Caller, Right


def check_reads(caller: Caller) -> None:
    """Of some devices, or of all. Raises Forbidden."""
    if not caller.may(Right.READ):
        raise Forbidden("Devices and their frames can be read by people who are signed in.")


def check_reads_all(caller: Caller) -> None:
    """For what is of no device that is known, or of all of them: refused frames, gateways, whole lists. Raises
    Forbidden."""
    if Right.READ not in caller.everywhere:
        raise Forbidden("Devices and their frames can be read by people who are signed in.")


def reader_of_devices(caller: Caller) -> Caller:
    """To read Device entities that lie within reach by what they serve: the same attributes stay hidden."""
    return caller if caller.reads is None else structs.replace(caller, reads=None)


def check_writes(caller: Caller) -> None:
    """Raises Forbidden."""
    if not caller.may(Right.WRITE):
        raise Forbidden("Changing devices needs the right to write.")
