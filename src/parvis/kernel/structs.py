"""What msgspec knows of a Struct, learnt before threads decode it.

msgspec 0.22 learns the fields of a Struct when it is decoded for the first time, and shares what it knows before it is
complete: a second thread that decodes one just then crashes the process (measured: one start in seventy, where an
import and the tidying of imports read their folders at once).
"""

from collections.abc import Iterator
from contextlib import suppress

import msgspec


def prepare_structs() -> None:
    """All that are defined by now; those that are only made, and have fields no decoder takes, are left out."""
    for struct in _heirs(msgspec.Struct):
        with suppress(TypeError, NameError):
            msgspec.json.Decoder(struct)


def _heirs(struct: type[msgspec.Struct]) -> Iterator[type[msgspec.Struct]]:
    for heir in struct.__subclasses__():
        yield heir
        yield from _heirs(heir)
