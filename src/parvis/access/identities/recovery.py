"""Codes on paper for who has lost the telephone: 80 random bits each, of which salted hashes are kept."""

import secrets
from collections.abc import Sequence

from parvis.access.model import Digest
from parvis.access.passwords import Passwords

COUNT = 10
_GROUPS, _OF = 4, 4
_ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"
"""Without l, o, 0 and 1, which look alike on paper."""


def new_codes() -> list[str]:
    return [
        "-".join("".join(secrets.choice(_ALPHABET) for _ in range(_OF)) for _ in range(_GROUPS)) for _ in range(COUNT)
    ]


async def hashes_of(codes: Sequence[str], passwords: Passwords) -> list[Digest]:
    return await passwords.hash_together([_plain(code) for code in codes])


async def find_hash(typed: str, kept: Sequence[Digest], passwords: Passwords) -> Digest | None:
    """Of the kept ones that of the code, however it was typed: in capitals, with blanks or without dashes."""
    if not kept:
        return None
    found = await passwords.hash_alike(_plain(typed), kept[0])
    return found if found in kept else None


def _plain(typed: str) -> str:
    return "".join(one for one in typed.lower() if one in _ALPHABET)
