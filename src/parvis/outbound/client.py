"""The guarded HTTP client: names are resolved once, every address is checked, and the checked one is connected to."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Self
from urllib.parse import urljoin, urlsplit

import httpcore
import httpx

from parvis import __version__
from parvis.kernel.outbound import AddressRefused, Answer, CallFailed
from parvis.kernel.settings import OutboundSettings
from parvis.outbound.guard import AddressGuard

Resolver = Callable[[str, int], Awaitable[Sequence[str]]]
_MOST_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_SCHEMES = frozenset({"http", "https"})


async def resolve(host: str, port: int) -> Sequence[str]:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


class GuardedNetwork(httpcore.AsyncNetworkBackend):
    """Connects to the very address it checked, so that a name cannot mean another one a moment later.

    Certificates are still checked against the name: TLS starts above this.
    """

    def __init__(self, guard: AddressGuard, resolver: Resolver) -> None:
        self._guard = guard
        self._resolver = resolver
        self._plain = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's own signature
        local_address: str | None = None,
        socket_options: "Iterable[httpcore.SOCKET_OPTION] | None" = None,
    ) -> httpcore.AsyncNetworkStream:
        address = await self._checked_address(host, port)
        return await self._plain.connect_tcp(address, port, timeout, local_address, socket_options)

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's own signature
        socket_options: "Iterable[httpcore.SOCKET_OPTION] | None" = None,
    ) -> httpcore.AsyncNetworkStream:
        raise AddressRefused("Unix sockets are not called.")

    async def sleep(self, seconds: float) -> None:
        await self._plain.sleep(seconds)

    async def _checked_address(self, host: str, port: int) -> str:
        try:
            addresses = await self._resolver(host, port)
        except (OSError, UnicodeError) as error:
            raise CallFailed(f"The name {host} cannot be resolved.") from error
        if not addresses:
            raise CallFailed(f"The name {host} cannot be resolved.")
        for address in addresses:
            if not self._guard.permits(address):
                raise AddressRefused(f"{host} leads into a private network: list it in outbound.allow to permit it.")
        return addresses[0]


class GuardedTransport(httpx.AsyncHTTPTransport):
    def __init__(self, network: GuardedNetwork) -> None:
        super().__init__(trust_env=False)
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=httpx.create_ssl_context(trust_env=False),
            max_connections=20,
            max_keepalive_connections=0,
            network_backend=network,
        )


class GuardedClient:
    """Use it as an async context manager. No proxies, cookies or credentials of the environment take part."""

    def __init__(self, settings: OutboundSettings, resolver: Resolver = resolve) -> None:
        self._settings = settings
        self._client = httpx.AsyncClient(
            transport=GuardedTransport(GuardedNetwork(AddressGuard(settings.allow), resolver)),
            trust_env=False,
            follow_redirects=False,
            timeout=settings.timeout_s,
            headers={"user-agent": f"Parvis/{__version__}", "accept-encoding": "identity"},
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.aclose()

    async def get(self, url: str, *, accept: tuple[str, ...] = ()) -> Answer:
        async with self._within_limits(url):
            for _ in range(_MOST_REDIRECTS + 1):
                answer = await self._call("GET", url, {"accept": ", ".join(accept) or "*/*"})
                if answer.status not in _REDIRECTS or "location" not in answer.headers:
                    return _usable(answer, accept)
                url = urljoin(url, answer.headers["location"])
        raise CallFailed(f"More than {_MOST_REDIRECTS} redirects, the last one to {url}.")

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        async with self._within_limits(url):
            return await self._call("POST", url, headers, body)

    @asynccontextmanager
    async def _within_limits(self, url: str) -> AsyncIterator[None]:
        """One time limit over everything: one a step would let a slow server hold on for ever."""
        try:
            async with asyncio.timeout(self._settings.timeout_s):
                yield
        except (TimeoutError, httpx.TimeoutException, httpcore.TimeoutException) as error:
            raise CallFailed(f"{url} took longer than {self._settings.timeout_s:g} s.") from error
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError, httpcore.NetworkError, OSError) as error:
            raise CallFailed(f"{url} could not be called: {str(error) or type(error).__name__}.") from error

    async def _call(self, method: str, url: str, headers: Mapping[str, str], body: bytes = b"") -> Answer:
        _check_url(url)
        async with self._client.stream(method, url, headers=headers, content=body or None) as response:
            self._client.cookies.clear()
            return Answer(
                response.status_code,
                response.headers.get("content-type", "").partition(";")[0].strip().lower(),
                await self._bounded_body(response),
                url,
                dict(response.headers),
            )

    async def _bounded_body(self, response: httpx.Response) -> bytes:
        body = bytearray()
        async for chunk in response.aiter_raw():
            body += chunk
            if len(body) > self._settings.limit_bytes:
                raise CallFailed(f"{response.url} answered more than {self._settings.limit_bytes} bytes.")
        return bytes(body)


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        port_given = parts.port
    except ValueError as error:
        raise AddressRefused(f"{url[:200]!r} is no address.") from error
    if parts.scheme not in _SCHEMES or not parts.hostname or port_given == 0:
        raise AddressRefused(f"{url[:200]!r} is no http or https address.")
    if parts.username is not None or parts.password is not None:
        raise AddressRefused("An address with a password in it is not called.")


def _usable(answer: Answer, accept: tuple[str, ...]) -> Answer:
    if answer.status != 200:
        raise CallFailed(f"{answer.url} answered with status {answer.status}.")
    if answer.headers.get("content-encoding", "identity") != "identity":
        raise CallFailed(f"{answer.url} answered in an encoding that was not asked for.")
    if accept and answer.media_type not in accept:
        raise CallFailed(f"{answer.url} answered with {answer.media_type or 'no media type'}: {accept[0]} is needed.")
    return answer
