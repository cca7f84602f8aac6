"""Port: the one way in which the platform calls addresses that users gave."""

from collections.abc import Mapping
from typing import Protocol

import msgspec

from parvis.kernel.errors import PARVIS_ERRORS, ParvisError


class AddressRefused(ParvisError):
    """The address leads where the platform may not go on behalf of a user."""

    type_uri = PARVIS_ERRORS + "address-refused"
    title = "This address may not be called"
    status = 400


class CallFailed(ParvisError):
    """The other side could not be reached, was too slow, said too much or something else than asked for."""

    type_uri = PARVIS_ERRORS + "call-failed"
    title = "The other side gave no usable answer"
    status = 502


class AnswerTooLarge(CallFailed):
    """It said more than is read."""


OK = frozenset({200})
_FOR_NOW = frozenset({408, 425, 429})


class Answer(msgspec.Struct, frozen=True):
    """`media_type` is in lower case and without parameters; `url` is where redirects led."""

    status: int
    media_type: str
    body: bytes
    url: str
    headers: Mapping[str, str]

    @property
    def is_for_now(self) -> bool:
        """Whether the same may be taken another time (RFC 9110, 15.5.9 and 15.6; RFC 8470, 5.2; RFC 6585, 4)."""
        return self.status >= 500 or self.status in _FOR_NOW


class OutboundCalls(Protocol):
    async def call(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes = b"",
        *,
        timeout_s: float | None = None,
        limit_bytes: int | None = None,
    ) -> Answer:
        """Whatever is answered; redirects are not followed. What changes something is sent once.

        Raises:
            AddressRefused, CallFailed, AnswerTooLarge
        """
        ...


class OutboundHttp(Protocol):
    async def get(
        self,
        url: str,
        *,
        accept: tuple[str, ...] = (),
        headers: Mapping[str, str] | None = None,
        statuses: frozenset[int] = OK,
        limit_bytes: int | None = None,
    ) -> Answer:
        """The answer of one of `statuses`, of one of the media types in `accept` (empty: any). `headers` go no further
        than to the host of `url`, and `limit_bytes` stands instead of the limit that the settings give.

        Raises:
            AddressRefused, CallFailed
        """
        ...

    async def post(
        self,
        url: str,
        body: bytes,
        headers: Mapping[str, str],
        *,
        timeout_s: float | None = None,
    ) -> Answer:
        """Whatever is answered; redirects are not followed. Connections are kept for further calls.

        Raises:
            AddressRefused, CallFailed
        """
        ...

    async def check(self, url: str) -> None:
        """Raises AddressRefused or CallFailed where `url` could not be called just now."""
        ...
