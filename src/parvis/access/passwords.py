"""Passwords as argon2id hashes (RFC 9106), with the OWASP parameters for small machines: 19 MiB, two passes."""

import asyncio

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from parvis.kernel.errors import BadRequestData

SHORTEST_PASSWORD = 12
LONGEST_PASSWORD = 1024
_AT_ONCE = 2


class Passwords:
    """Hashes off the event loop, few at once: each takes 19 MiB and some tens of milliseconds."""

    def __init__(self, memory_kib: int = 19_456) -> None:
        self._hasher = PasswordHasher(time_cost=2, memory_cost=memory_kib, parallelism=1)
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._decoy = self._hasher.hash("nobody's password")

    async def hash(self, password: str) -> str:
        """Raises BadRequestData for a password that is too short or too long."""
        if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
            raise BadRequestData(
                f"A password has {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters.", rule="password-length"
            )
        async with self._slots:
            return await asyncio.to_thread(self._hasher.hash, password)

    async def matches(self, password_hash: str | None, password: str) -> bool:
        """Takes as long without a hash, so that nobody learns which accounts exist."""
        async with self._slots:
            fits = await asyncio.to_thread(self._verify, password_hash or self._decoy, password)
        return fits and password_hash is not None

    def _verify(self, password_hash: str, password: str) -> bool:
        try:
            return self._hasher.verify(password_hash, password[: LONGEST_PASSWORD + 1])
        except (VerificationError, InvalidHashError):
            return False
