"""Codes on paper for who has lost the telephone. 80 random bits each, so that a plain digest keeps them."""

import secrets

from parvis.access.model import Digest
from parvis.access.tokens import digest_of

COUNT = 10
_GROUPS, _OF = 4, 4
_ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"
"""Without l, o, 0 and 1, which look alike on paper."""


def new_codes() -> list[str]:
    return [
        "-".join("".join(secrets.choice(_ALPHABET) for _ in range(_OF)) for _ in range(_GROUPS)) for _ in range(COUNT)
    ]


def digest_of_code(typed: str) -> Digest:
    """However it was typed: in capitals, with blanks or without dashes."""
    plain = "".join(one for one in typed.lower() if one in _ALPHABET)
    return digest_of(f"recovery {plain}")
