"""What every request passes first: its id, its caller, the body's bound, security headers, counts, failures."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import count
from secrets import token_hex
from time import perf_counter
from types import MappingProxyType

import msgspec
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from parvis.access.gate import Gate
from parvis.kernel.errors import Forbidden, Overloaded, ParvisError, PayloadTooLarge, Unauthenticated
from parvis.kernel.identity import ANONYMOUS, DEFAULT_TENANT, NOBODY, Caller, Right
from parvis.kernel.logs import request_id
from parvis.kernel.settings import LimitSettings
from parvis.web.auth import Headers, caller_of, caller_of_way_in
from parvis.web.headers import RawHeaders, completed, headers_of
from parvis.web.limits import Limits, TooManyRequests
from parvis.web.metrics import RequestMetrics
from parvis.web.tenants import placed

logger = logging.getLogger(__name__)

AWAY = "/away"
TOO_MANY = "/too-many"
ELSEWHERE = "/elsewhere"
WAYS_IN = "/api/connectors/"
STORE_STATE = "/live/store"
_SAME_FOR_ALL = ("/static/", STORE_STATE)
"""What does not depend on who asks: a page that says that the accounts are away needs its style, and to hear when they
are back."""
_SECRET_BELOW = ("/boards/", "/api/federation/")
_LONGEST_ID = 100
_NOBODY = Caller(DEFAULT_TENANT, ANONYMOUS, NOBODY)
_NO_LIMITS = LimitSettings(address_per_s=0, identity_per_s=0, costly_per_min=0)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_CLOSE = (b"connection", b"close")


class Front:
    """Pure ASGI: the API's hot routes pay a few microseconds here."""

    def __init__(
        self,
        app: ASGIApp,
        gate: Gate,
        metrics: RequestMetrics,
        body_limit_bytes: int,
        stopping: asyncio.Event | None = None,
        larger_bodies: Mapping[str, int] = MappingProxyType({}),
        map_origins: Callable[[], Sequence[str]] = tuple,
        limits: Limits | None = None,
        with_subdomains: bool = False,
    ) -> None:
        """Once `stopping` is set every answer asks the client to connect anew. `larger_bodies` are the limits of paths
        whose bodies go to disk. `with_subdomains`: those of this name are reached by TLS as well."""
        self._limits = limits or Limits(_NO_LIMITS)
        self._with_subdomains = with_subdomains
        self._larger_bodies = larger_bodies
        self._map_origins = map_origins
        self._app = app
        self._gate = gate
        self._metrics = metrics
        self._body_limit_bytes = body_limit_bytes
        self._stopping = stopping or asyncio.Event()
        self._id_prefix = token_hex(4)
        self._numbers = count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._serve(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1000})
        else:
            await self._app(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        began_s = perf_counter()
        headers: dict[bytes, bytes] = dict(scope["headers"])
        current = self._id_of(headers)
        request_id.set(current)
        extra = self._extra_headers(scope, current)
        status, is_complete = 0, False

        async def answer(message: Message) -> None:
            nonlocal status, is_complete
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = completed(message.get("headers", ()), extra)
                if self._stopping.is_set():
                    message["headers"].append(_CLOSE)
            elif not message.get("more_body", False):
                is_complete = True
            await send(message)

        self._metrics.open += 1
        try:
            scope = self._with_caller(scope, headers)
            await self._app(scope, self._bounded(scope, headers, receive), answer)
        except Exception as error:
            problem = _problem_of(error, scope)
            if not status:
                await _send_problem(problem, answer)
            elif not is_complete:
                raise
        finally:
            self._metrics.open -= 1
            method = scope["method"] if scope["method"] in _METHODS else "other"
            self._metrics.note(method, status, perf_counter() - began_s)
            if status == Forbidden.status:
                _tell_refusal(method, scope)

    def _with_caller(self, scope: Scope, headers: dict[bytes, bytes]) -> Scope:
        """Where the accounts are out of reach, or the caller asks for too much, people who ask for a page get one that
        says so."""
        state = scope.setdefault("state", {})
        if scope["path"].startswith(_SAME_FOR_ALL):
            state["caller"] = _NOBODY
            return scope
        is_for_people = scope["method"] == "GET" and b"text/html" in headers.get(b"accept", b"")
        try:
            scope, named = placed(scope, headers, self._gate.pool, auth=self._gate.auth)
            state["caller"] = self._caller_of(scope, named)
            self._limits.check(state["caller"], _address_of(scope), scope["method"], scope["path"])
        except Overloaded:
            if not is_for_people:
                raise
            state["caller"] = _NOBODY
            return _led_to(scope, AWAY)
        except Forbidden as refused:
            if not is_for_people or named is headers:
                raise
            state["caller"] = self._caller_of(scope, headers)
            state["refused"] = refused.detail
            return _led_to(scope, ELSEWHERE)
        except TooManyRequests as refused:
            if not is_for_people:
                raise
            state.setdefault("caller", _NOBODY)
            state["retry_after_s"] = refused.retry_after_s
            return _led_to(scope, TOO_MANY)
        return scope

    def _caller_of(self, scope: Scope, headers: Headers) -> Caller:
        try:
            if scope["path"].startswith(WAYS_IN):
                return caller_of_way_in(self._gate, scope["method"], headers, scope["query_string"])
            return caller_of(self._gate, scope["method"], headers, is_https=scope["scheme"] == "https")
        except (Forbidden, Unauthenticated):
            self._limits.check_unproven(_address_of(scope))
            raise

    def _extra_headers(self, scope: Scope, current: str) -> RawHeaders:
        headers = headers_of(scope["path"], scope["scheme"], self._map_origins(), with_subdomains=self._with_subdomains)
        return (*headers, (b"x-request-id", current.encode("latin-1")))

    def _id_of(self, headers: dict[bytes, bytes]) -> str:
        given = headers.get(b"x-request-id")
        if given is not None and len(given) <= _LONGEST_ID and (text := given.decode("latin-1")).isprintable():
            return text
        return f"{self._id_prefix}-{next(self._numbers):x}"

    def _bounded(self, scope: Scope, headers: dict[bytes, bytes], receive: Receive) -> Receive:
        """Raises PayloadTooLarge at once where the length is said; else while reading."""
        limit_bytes = self._limit_of(scope)
        length = headers.get(b"content-length")
        if length is not None:
            if length.isdigit() and int(length) > limit_bytes:
                raise _too_large(limit_bytes)
            return receive
        if b"transfer-encoding" not in headers:
            return receive
        left = limit_bytes

        async def receive_bounded() -> Message:
            nonlocal left
            message = await receive()
            left -= len(message.get("body", b""))
            if left < 0:
                raise _too_large(limit_bytes)
            return message

        return receive_bounded

    def _limit_of(self, scope: Scope) -> int:
        """Larger bodies are for those who may write: nobody else fills the disk."""
        if scope["path"] in self._larger_bodies and scope["state"]["caller"].may(Right.WRITE):
            return self._larger_bodies[scope["path"]]
        return self._body_limit_bytes


def _tell_refusal(method: str, scope: Scope) -> None:
    """Who tries what they may not: an address that is a secret by itself is told without its end."""
    caller: Caller = scope.get("state", {}).get("caller", _NOBODY)
    path: str = scope["path"]
    secret = next((lead for lead in _SECRET_BELOW if path.startswith(lead)), "")
    facts = {"method": method, "path": f"{secret}..." if secret else path, "address": _address_of(scope)}
    logger.info("refused", extra={"subject": caller.subject, "tenant": caller.tenant, **facts})


def _address_of(scope: Scope) -> str:
    client = scope.get("client")
    return client[0] if client else ""


def _led_to(scope: Scope, path: str) -> Scope:
    return {**scope, "path": path, "raw_path": path.encode()}


def _too_large(limit_bytes: int) -> PayloadTooLarge:
    return PayloadTooLarge(f"A body may have at most {limit_bytes} bytes: send it in parts.")


def _problem_of(error: Exception, scope: Scope) -> ParvisError:
    if isinstance(error, ParvisError):
        return error
    logger.exception("a request failed", extra={"method": scope["method"], "path": scope["path"]})
    return ParvisError("The fault is on this side, and is noted under the id in X-Request-ID.")


async def _send_problem(problem: ParvisError, send: Send) -> None:
    """An error report (RFC 7807)."""
    body = msgspec.json.encode(problem.problem())
    await send({"type": "http.response.start", "status": problem.status, "headers": list(_problem_headers(problem))})
    await send({"type": "http.response.body", "body": body})


def _problem_headers(problem: ParvisError) -> Iterable[tuple[bytes, bytes]]:
    yield (b"content-type", b"application/problem+json")
    yield (b"cache-control", b"no-store")
    if isinstance(problem, Unauthenticated):
        yield (b"www-authenticate", b'Bearer realm="parvis"')
    if problem.retry_after_s is not None:
        yield (b"retry-after", str(problem.retry_after_s).encode())
