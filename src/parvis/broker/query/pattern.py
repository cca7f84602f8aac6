"""Regular expressions that users write (q's ~=, idPattern): RE2, which takes linear time whatever the pattern."""

from collections.abc import Callable
from functools import lru_cache
from typing import Final

import re2

from parvis.kernel.errors import BadRequestData

MAX_PATTERN_LENGTH: Final = 512

_OPTIONS = re2.Options()
_OPTIONS.log_errors = False
_OPTIONS.max_mem = 1 << 20


@lru_cache(maxsize=1024)
def pattern_finder(pattern: str) -> Callable[[str], bool]:
    """Whether the pattern is found anywhere in a text. Anchors ^ and $ stand for the ends of the whole text.

    Raises:
        BadRequestData: no RE2 expression (it has no look-around and no back-references), or too long.
    """
    if len(pattern) > MAX_PATTERN_LENGTH:
        raise BadRequestData(f"A pattern has at most {MAX_PATTERN_LENGTH} characters, not {len(pattern)}.")
    try:
        search = re2.compile(pattern, options=_OPTIONS).search
    except (re2.error, UnicodeEncodeError) as failure:
        reason = failure.args[0]
        shown = reason.decode(errors="replace") if isinstance(reason, bytes) else str(failure)
        raise BadRequestData(f"The pattern {pattern!r:.120} cannot be used: {shown}.") from failure
    return lambda text: search(text) is not None
