"""Which passwords are guessed first. NIST SP 800-63B, 3.1.1.2: compared with a blocklist of commonly used, expected or
compromised ones, words of the context among them, and no rules of composition.
"""

import hashlib
import os
from collections.abc import Iterable, Sequence
from enum import Enum
from pathlib import Path
from typing import IO

COMMON_BELOW_LOG10 = 8.0
"""Of so few guesses a password is found by who has a stolen hash and one graphics card, whatever the hash."""
LEFT_BESIDE_CONTEXT = 8
_SHORTEST_WORD = 4
_LOOKED_AT = 72
_LONGEST_LINE = 64
_OWN_WORDS = ("parvis",)


class Weakness(Enum):
    COMMON = "common"
    CONTEXT = "context"
    BREACHED = "breached"


def find_weakness(password: str, context: Sequence[str], breached: Path | None = None) -> Weakness | None:
    """Takes some milliseconds, and at its first call a fifth of a second."""
    if _is_mostly(password, [*context, *_OWN_WORDS]):
        return Weakness.CONTEXT
    if _guesses_log10(password, context) < COMMON_BELOW_LOG10:
        return Weakness.COMMON
    return Weakness.BREACHED if breached is not None and is_in_file(breached, password) else None


def words_of(names: Iterable[str]) -> list[str]:
    """Of `marie.legal@mairie.example` also marie, legal, mairie and example."""
    whole = [name.casefold() for name in names]
    parts = [part for name in whole for part in "".join(c if c.isalnum() else " " for c in name).split()]
    return [word for word in dict.fromkeys([*whole, *parts]) if len(word) >= _SHORTEST_WORD]


def _is_mostly(password: str, context: Sequence[str]) -> bool:
    left, found = password.casefold(), False
    for word in sorted(words_of(context), key=len, reverse=True):
        found = found or word in left
        left = left.replace(word, "")
    return found and len(left) < LEFT_BESIDE_CONTEXT


def _guesses_log10(password: str, context: Sequence[str]) -> float:
    """Its word lists take 12 MB: read once somebody chooses a password, not before."""
    from zxcvbn import zxcvbn

    guesses: float = zxcvbn(password[:_LOOKED_AT], user_inputs=words_of(context))["guesses_log10"]
    return guesses


def is_in_file(path: Path, password: str) -> bool:
    """In a file of SHA-1 hashes in order, one a line, with or without a count, as Have I Been Pwned gives it away."""
    wanted = hashlib.sha1(password.encode(), usedforsecurity=False).hexdigest().upper().encode()
    with path.open("rb") as lines:
        low, high = 0, os.fstat(lines.fileno()).st_size
        while low < high:
            middle = (low + high) // 2
            line, after = _line_after(lines, middle)
            if line and line[:40].upper() < wanted:
                low = after
            else:
                high = middle
        return _line_after(lines, low)[0][:40].upper() == wanted


def _line_after(lines: IO[bytes], at: int) -> tuple[bytes, int]:
    """The first line that begins at or after `at`, and where the one after it begins."""
    lines.seek(max(0, at - 1))
    if at:
        lines.readline(_LONGEST_LINE)
    line = lines.readline(_LONGEST_LINE)
    return line.strip(), lines.tell()
