"""Asking the addresses of a feed, those that have not changed only for that."""

from collections.abc import Mapping
from typing import NamedTuple

from parvis.kernel.outbound import AddressRefused, CallFailed, OutboundHttp

_MOST_REMEMBERED = 2000
_STATUSES = frozenset({200, 204, 206, 304, 404, 429, 503})
_LONGEST_WAIT_S = 86_400.0


class NoFeed(Exception):
    """No usable answer. It is not to be asked again within `wait_s`."""

    def __init__(self, detail: str, wait_s: float = 0.0) -> None:
        super().__init__(detail)
        self.detail = detail
        self.wait_s = wait_s


class Page(NamedTuple):
    url: str
    body: bytes
    validators: Mapping[str, str]


class FeedClient:
    def __init__(self, outbound: OutboundHttp, headers: Mapping[str, str], largest_bytes: int) -> None:
        self._outbound = outbound
        self._headers = headers
        self._largest_bytes = largest_bytes
        self._validators: dict[str, Mapping[str, str]] = {}

    async def fetch(self, url: str, *, may_be_missing: bool = False) -> Page | None:
        """None where nothing has changed since what was remembered, or there is nothing (yet).

        Raises:
            NoFeed
        """
        headers = {**self._headers, **self._validators.get(url, {})}
        try:
            answer = await self._outbound.get(url, headers=headers, statuses=_STATUSES, limit_bytes=self._largest_bytes)
        except (AddressRefused, CallFailed) as fault:
            raise NoFeed(fault.detail.replace(url, url.partition("?")[0])) from None  # keys may be in the query
        if answer.status in (204, 304) or (answer.status == 404 and may_be_missing):
            return None
        if answer.status not in (200, 206):
            raise NoFeed(f"It answered with status {answer.status}.", _wait_s(answer.headers.get("retry-after", "")))
        told = {"if-none-match": "etag", "if-modified-since": "last-modified"}
        validators = {ours: answer.headers[theirs] for ours, theirs in told.items() if theirs in answer.headers}
        return Page(url, answer.body, validators)

    def remember(self, page: Page) -> None:
        """Once it is stored: what failed on the way is fetched again."""
        self._validators.pop(page.url, None)
        if page.validators:
            self._validators[page.url] = page.validators
        if len(self._validators) > _MOST_REMEMBERED:
            del self._validators[next(iter(self._validators))]


def _wait_s(retry_after: str) -> float:
    """Of seconds (RFC 9110, 10.2.3); a date is left to the back-off."""
    text = retry_after.strip()
    return min(float(text), _LONGEST_WAIT_S) if text.isascii() and text.isdigit() else 0.0
