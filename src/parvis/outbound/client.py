"""The guarded HTTP client: checked addresses, limits of time and size, connections kept for those called again."""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import lru_cache
from types import TracebackType
from typing import NamedTuple, Self
from urllib.parse import quote, urljoin, urlsplit

from parvis import __version__
from parvis.kernel.causes import Cause
from parvis.kernel.outbound import OK, AddressRefused, Answer, AnswerTooLarge, CallFailed
from parvis.kernel.settings import OutboundSettings
from parvis.outbound.guard import AddressGuard
from parvis.outbound.network import GuardedNetwork, Resolver, resolve
from parvis.outbound.wire import BrokenOff, HttpConnection, SaidTooMuch, TookTooLong, Unanswered

_BODILESS = frozenset({"GET", "DELETE"})
_ASKED_AGAIN = frozenset({"GET"})
"""Where a kept connection turns out to be closed, the other side may have read the request: what changes something is
sent on a connection of its own."""
_MOST_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_PORTS = {"http": 80, "https": 443}
_KEPT_FOR_S = 20.0
_KEPT_PER_ORIGIN = 32
_MOST_KEPT = 512
_OLDEST_S = 300.0
"""A kept connection is given up at this age, so that a name that moves is followed."""
_SAFE_IN_PATHS = "/%:@!$&'()*+,;=~-._"
_SAFE_IN_QUERIES = _SAFE_IN_PATHS + "?"
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_FRAMING = frozenset(
    {"host", "connection", "content-length", "transfer-encoding", "upgrade", "te", "trailer", "expect"}
)
"""What says where a request ends and for whom it is: ours alone."""


class Origin(NamedTuple):
    host: str
    port: int
    tls: bool


class Target(NamedTuple):
    """`head` is the request's head from the path on, without the headers of a call."""

    origin: Origin
    head: bytes


class _Kept(NamedTuple):
    connection: HttpConnection
    opened_at_s: float
    idle_since_s: float


class GuardedClient:
    """Use it as an async context manager. No proxies, cookies or credentials of the environment take part."""

    def __init__(self, settings: OutboundSettings, resolver: Resolver = resolve) -> None:
        self._settings = settings
        self.network = GuardedNetwork(AddressGuard(settings.allow), resolver)
        self._kept: dict[Origin, list[_Kept]] = {}
        self._count_kept = 0
        self._sweep: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._sweep is not None:
            self._sweep.cancel()
        for kept in self._kept.values():
            for one in kept:
                one.connection.close()
        self._kept.clear()
        await asyncio.sleep(0)

    async def get(
        self,
        url: str,
        *,
        accept: tuple[str, ...] = (),
        headers: Mapping[str, str] | None = None,
        statuses: frozenset[int] = OK,
        limit_bytes: int | None = None,
    ) -> Answer:
        limit, first = limit_bytes or self._settings.limit_bytes, target_of(url).origin
        common = {"accept": ", ".join(accept) or "*/*"}
        async with self._within_limits(url, self._settings.timeout_s):
            for _ in range(_MOST_REDIRECTS + 1):
                is_meant = target_of(url).origin == first
                answer = await self._get_once(url, {**common, **(headers or {})} if is_meant else common, limit)
                if answer.status not in _REDIRECTS or "location" not in answer.headers:
                    return _usable(answer, accept, statuses)
                url = _redirected(url, answer.headers["location"])
        raise CallFailed(f"More than {_MOST_REDIRECTS} redirects, the last one to {url}.")

    async def post(
        self,
        url: str,
        body: bytes,
        headers: Mapping[str, str],
        *,
        timeout_s: float | None = None,
    ) -> Answer:
        limit_s = min(timeout_s or self._settings.timeout_s, self._settings.timeout_s)
        target = target_of(url)
        lines = _header_lines(tuple(headers.items()))
        request = b"POST %b%bcontent-length: %d\r\n\r\n%b" % (target.head, lines, len(body), body)
        kept = self._take_kept(target.origin)
        return await self._exchange(url, target.origin, kept, request, limit_s, self._settings.limit_bytes)

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
        limit_s = min(timeout_s or self._settings.timeout_s, self._settings.timeout_s)
        target = target_of(url)
        lines = _header_lines(tuple(headers.items()))
        length = b"content-length: %d\r\n" % len(body) if body or method not in _BODILESS else b""
        request = b"%b %b%b%b\r\n%b" % (method.encode(), target.head, lines, length, body)
        limit = limit_bytes or self._settings.limit_bytes
        kept = self._take_kept(target.origin) if method in _ASKED_AGAIN else None
        return await self._exchange(url, target.origin, kept, request, limit_s, limit)

    async def check(self, url: str) -> None:
        """Raises AddressRefused or CallFailed where `url` could not be called just now."""
        async with self._within_limits(url, self._settings.timeout_s):
            origin = target_of(url).origin
            await self.network.checked_addresses(origin.host, origin.port)

    async def _get_once(self, url: str, headers: Mapping[str, str], limit_bytes: int) -> Answer:
        target = target_of(url)
        head = _header_lines(tuple(headers.items()))
        connection = await self._connect(target.origin, limit_bytes)
        try:
            await connection.send(b"GET %b%bconnection: close\r\n\r\n" % (target.head, head))
        finally:
            connection.close()
        return _answer(url, connection)

    async def _exchange(
        self, url: str, origin: Origin, kept: _Kept | None, request: bytes, limit_s: float, limit_bytes: int
    ) -> Answer:
        """On the kept connection; on one of its own where there is none, or the other side has closed it meanwhile."""
        if kept is not None:
            kept.connection.limit_bytes = limit_bytes
            try:
                return _answer(url, await self._send(origin, kept.connection, kept.opened_at_s, request, limit_s))
            except Unanswered:
                pass
            except BrokenOff as error:
                raise _told(url, error, limit_s) from error
        async with self._within_limits(url, limit_s):
            connection = await self._connect(origin, limit_bytes)
            opened_at_s = asyncio.get_running_loop().time()
            return _answer(url, await self._send(origin, connection, opened_at_s, request, limit_s))

    async def _send(
        self, origin: Origin, connection: HttpConnection, opened_at_s: float, request: bytes, limit_s: float
    ) -> HttpConnection:
        try:
            await connection.send(request, limit_s)
        finally:
            if connection.is_idle:
                self._keep(origin, connection, opened_at_s)
            else:
                connection.close()
        return connection

    async def _connect(self, origin: Origin, limit_bytes: int | None = None) -> HttpConnection:
        limit = limit_bytes or self._settings.limit_bytes
        return await self.network.connect(lambda: HttpConnection(limit), origin.host, origin.port, tls=origin.tls)

    def _take_kept(self, origin: Origin) -> _Kept | None:
        kept = self._kept.get(origin)
        while kept:
            one = kept.pop()
            self._count_kept -= 1
            if one.connection.is_idle:
                return one
        return None

    def _keep(self, origin: Origin, connection: HttpConnection, opened_at_s: float) -> None:
        loop = asyncio.get_running_loop()
        kept, now_s = self._kept.setdefault(origin, []), loop.time()
        is_full = len(kept) >= _KEPT_PER_ORIGIN or self._count_kept >= _MOST_KEPT
        if is_full or now_s - opened_at_s > _OLDEST_S:
            connection.close()
            return
        kept.append(_Kept(connection, opened_at_s, now_s))
        self._count_kept += 1
        if self._sweep is None:
            self._sweep = loop.call_later(_KEPT_FOR_S, self._close_idle)

    def _close_idle(self) -> None:
        loop = asyncio.get_running_loop()
        now_s = loop.time()
        for origin, kept in list(self._kept.items()):
            fresh = [one for one in kept if one.connection.is_idle and now_s - one.idle_since_s < _KEPT_FOR_S]
            for one in set(kept).difference(fresh):
                one.connection.close()
            self._count_kept -= len(kept) - len(fresh)
            self._kept[origin] = fresh
            if not fresh:
                del self._kept[origin]
        self._sweep = loop.call_later(_KEPT_FOR_S, self._close_idle) if self._kept else None

    @asynccontextmanager
    async def _within_limits(self, url: str, limit_s: float) -> AsyncIterator[None]:
        """One time limit over everything: one a step would let a slow server hold on for ever."""
        try:
            async with asyncio.timeout(limit_s):
                yield
        except TimeoutError as error:
            raise CallFailed(Cause.TOO_SLOW.say(place=url, limit=f"{limit_s:g}")) from error
        except BrokenOff as error:
            raise _told(url, error, limit_s) from error


def _redirected(url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError as error:
        raise CallFailed(f"{url} leads on to what is no address.") from error


def _told(url: str, error: BrokenOff, limit_s: float) -> CallFailed:
    if isinstance(error, SaidTooMuch):
        return AnswerTooLarge(Cause.NOT_CALLED.say(place=url, fault=error.detail))
    if isinstance(error, TookTooLong):
        return CallFailed(Cause.TOO_SLOW.say(place=url, limit=f"{limit_s:g}"))
    return CallFailed(Cause.NOT_CALLED.say(place=url, fault=error.detail))


@lru_cache(maxsize=1024)
def target_of(url: str) -> Target:
    """Raises AddressRefused for what is no plain http or https address."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise AddressRefused(f"{url[:200]!r} is no address.") from error
    if parts.scheme not in _PORTS or not parts.hostname or port == 0:
        raise AddressRefused(Cause.NO_ADDRESS.say(address=repr(url[:200])))
    if parts.username is not None or parts.password is not None:
        raise AddressRefused("An address with a password in it is not called.")
    host = parts.hostname
    shown = f"[{host}]" if ":" in host else host
    path = quote(parts.path or "/", safe=_SAFE_IN_PATHS)
    query = f"?{quote(parts.query, safe=_SAFE_IN_QUERIES)}" if parts.query else ""
    place = shown if port is None else f"{shown}:{port}"
    try:
        named = place.encode("ascii") if place.isascii() else place.encode("idna")
    except UnicodeError as error:
        raise AddressRefused(f"{host[:200]!r} can be no name of a host.") from error
    head = b"%b HTTP/1.1\r\nHost: %b\r\nUser-Agent: Parvis/%b\r\naccept-encoding: identity\r\n"
    return Target(
        Origin(host, port or _PORTS[parts.scheme], parts.scheme == "https"),
        head % (f"{path}{query}".encode(), named, __version__.encode()),
    )


@lru_cache(maxsize=1024)
def _header_lines(headers: tuple[tuple[str, str], ...]) -> bytes:
    for name, _ in headers:
        if _NAME.fullmatch(name) is None or name.lower() in _FRAMING:
            raise CallFailed(f"{name[:100]!r} can be no header of a call.")
    lines = "".join([f"{name}: {value}\r\n" for name, value in headers])
    if lines.count("\n") != len(headers) or lines.count("\r") != len(headers) or "\0" in lines:
        raise CallFailed("A header holds a line break.")
    try:
        return lines.encode("latin-1")
    except UnicodeEncodeError as error:
        raise CallFailed("A header holds a character that HTTP has no room for.") from error


def _answer(url: str, connection: HttpConnection) -> Answer:
    headers = connection.headers
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    return Answer(connection.status, media_type, bytes(connection.body), url, headers)


def _usable(answer: Answer, accept: tuple[str, ...], statuses: frozenset[int]) -> Answer:
    if answer.status not in statuses:
        raise CallFailed(f"{answer.url} answered with status {answer.status}.")
    if answer.headers.get("content-encoding", "identity") != "identity":
        raise CallFailed(f"{answer.url} answered in an encoding that was not asked for.")
    if accept and answer.media_type not in accept:
        raise CallFailed(f"{answer.url} answered with {answer.media_type or 'no media type'}: {accept[0]} is needed.")
    return answer
