"""Passwords as argon2id hashes (RFC 9106), with the OWASP parameters for small machines: 19 MiB, two passes."""

import asyncio
import unicodedata
from base64 import b64decode
from collections.abc import Sequence
from pathlib import Path
from secrets import token_bytes

from argon2 import PasswordHasher, extract_parameters
from argon2.exceptions import InvalidHashError, VerificationError

from parvis.access.identities.breached import Weakness, find_weakness
from parvis.kernel.errors import BadRequestData

SHORTEST_PASSWORD = 12
LONGEST_PASSWORD = 1024
_AT_ONCE = 2
_REFUSED = {
    Weakness.COMMON: "This password is one of those that are guessed first: choose another, such as a sentence.",
    Weakness.CONTEXT: "This password is little more than a name that everybody knows here: choose another.",
    Weakness.BREACHED: "This password is in a list of stolen ones: choose another.",
}


class Passwords:
    """Hashes off the event loop, few at once: each takes 19 MiB and some tens of milliseconds."""

    def __init__(
        self, memory_kib: int = 19_456, shortest: int = SHORTEST_PASSWORD, breached: Path | None = None
    ) -> None:
        self.shortest = shortest
        self._breached = breached
        self._hasher = PasswordHasher(time_cost=2, memory_cost=memory_kib, parallelism=1)
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._decoy = self._hasher.hash("nobody's password")

    async def check(self, password: str, context: Sequence[str] = ()) -> None:
        """Whether it may be somebody's; `context` are names that everybody knows here.

        Raises:
            BadRequestData: too short or too long (rule `password-length`), or easily guessed (`password-common`,
                `password-context`, `password-breached`).
        """
        if not self.shortest <= len(password) <= LONGEST_PASSWORD:
            raise BadRequestData(
                f"A password has {self.shortest} to {LONGEST_PASSWORD} characters.", rule="password-length"
            )
        async with self._slots:
            weakness = await asyncio.to_thread(find_weakness, password, context, self._breached)
        if weakness is not None:
            raise BadRequestData(_REFUSED[weakness], rule=f"password-{weakness.value}")

    async def hash(self, password: str) -> str:
        async with self._slots:
            return await asyncio.to_thread(self._hasher.hash, _normalised(password))

    async def matches(self, password_hash: str | None, password: str) -> bool:
        """Takes as long without a hash, so that nobody learns which accounts exist."""
        async with self._slots:
            fits = await asyncio.to_thread(self._verify, password_hash or self._decoy, password)
        return fits and password_hash is not None

    async def hash_together(self, texts: Sequence[str]) -> list[bytes]:
        """Under one salt: one hash more tells which of them a text is."""
        salt = token_bytes(self._hasher.salt_len)
        async with self._slots:
            return await asyncio.to_thread(lambda: [self._hasher.hash(one, salt=salt).encode() for one in texts])

    async def hash_alike(self, text: str, kept: bytes) -> bytes:
        """Under the salt and with the parameters of one that is kept."""
        hasher, salt = PasswordHasher.from_parameters(extract_parameters(kept.decode())), _salt_of(kept)
        async with self._slots:
            return (await asyncio.to_thread(hasher.hash, text, salt=salt)).encode()

    def _verify(self, password_hash: str, password: str) -> bool:
        try:
            return self._hasher.verify(password_hash, _normalised(password[: LONGEST_PASSWORD + 1]))
        except (VerificationError, InvalidHashError):
            return False


def _salt_of(kept: bytes) -> bytes:
    salt = kept.split(b"$")[-2]
    return b64decode(salt + b"=" * (-len(salt) % 4))


def _normalised(password: str) -> str:
    """An é is one, however a keyboard has put it together (NIST SP 800-63B, 3.1.1.2)."""
    return unicodedata.normalize("NFKC", password)
