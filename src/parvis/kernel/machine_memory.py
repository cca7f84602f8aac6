"""Memory that is free in the process, but not yet the machine's again."""

import ctypes
from functools import cache
from typing import Any


def give_back() -> None:
    """The C library keeps what lies between pieces that are in use, unless it is asked. Takes some milliseconds."""
    if (trim := _find_trim()) is not None:
        trim(0)


@cache
def _find_trim() -> Any:
    """Only the GNU library has it."""
    try:
        return ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):
        return None
