"""The NGSI-LD API as one ASGI application: it finds the route, checks the tenant, maps failures."""

import logging
from collections.abc import Callable
from functools import lru_cache
from urllib.parse import unquote

from starlette.routing import BaseRoute, Mount
from starlette.types import Receive, Scope, Send

from parvis.broker.api.errors import MethodNotAllowed, UnexpectedFailure
from parvis.broker.api.parameters import Parameters, parse_parameters
from parvis.broker.api.request import MAX_BODY_BYTES, Request, check_length_told
from parvis.broker.api.responses import Response, methods_response, problem_response
from parvis.broker.api.routing import Route, Router
from parvis.broker.api.table import ROUTES
from parvis.broker.broker import Broker
from parvis.kernel.errors import Forbidden, NonexistentTenant, ParvisError, Unauthenticated
from parvis.kernel.identity import Caller, Right

_log = logging.getLogger(__name__)
OnWrite = Callable[[Caller, str, str], None]
"""(who, method and template of the path, what it was about)."""
_REFUSED_FROM = 300
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
_MEMORABLE_BYTES = 1024
_remembered_parameters = lru_cache(maxsize=2048)(parse_parameters)


class NgsiLdApi:
    """Mount it at /ngsi-ld/v1, behind what puts a Caller into `scope["state"]["caller"]`."""

    def __init__(
        self,
        broker: Broker,
        max_body_bytes: int = MAX_BODY_BYTES,
        on_write: OnWrite = lambda _who, _what, _entity: None,
    ) -> None:
        """`on_write` hears of every request that has changed something."""
        self._broker = broker
        self._on_write = on_write
        self._max_body_bytes = max_body_bytes
        self._router = Router(ROUTES)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._answer(scope, receive)
        await response.send(send)

    async def _answer(self, scope: Scope, receive: Receive) -> Response:
        headers = _headers(scope)
        response = await self._reported(scope, receive, headers)
        tenant = headers.get(b"ngsild-tenant")
        return response if tenant is None else response.with_headers((b"ngsild-tenant", tenant))

    async def _reported(self, scope: Scope, receive: Receive, headers: dict[bytes, bytes]) -> Response:
        try:
            return await self._routed(scope, receive, headers)
        except MethodNotAllowed as refusal:
            return methods_response(refusal) if scope["method"] == "OPTIONS" else problem_response(refusal)
        except ParvisError as error:
            return problem_response(error)
        except Exception:
            _log.exception("%s %s failed", scope["method"], scope["path"])
            return problem_response(UnexpectedFailure("The fault is on this side and has been logged."))

    async def _routed(self, scope: Scope, receive: Receive, headers: dict[bytes, bytes]) -> Response:
        route, args = self._router.find(scope["method"], _path(scope))
        caller = _caller(scope)
        if route.writes:
            self._broker.check_writer(caller)
        if route.method in _WITH_BODY:
            check_length_told(headers)
        tenant = headers.get(b"ngsild-tenant")
        to_make = None if tenant is None else await self._check_tenant(tenant.decode("latin-1"), caller, route)
        parameters = _parameters(scope["query_string"], route.parameters)
        request = Request(
            scope, receive, self._broker, caller, headers, args, parameters, self._max_body_bytes, to_make
        )
        response = await route.handler(request)
        if route.writes and response.status < _REFUSED_FROM:
            self._on_write(caller, f"{route.method} {route.template}", _about(args, response))
        return response

    async def _check_tenant(self, tenant: str, caller: Caller, route: Route) -> str | None:
        """The tenant of a request is its caller's; the header may only confirm it (NGSI-LD 1.9.1, 6.3.14). One that
        does not exist is told: it is made by what creates something in it (4.14, 5.5.10), where the caller may
        administer it."""
        if await self._broker.is_tenant(tenant):
            if tenant != caller.tenant:
                raise Forbidden(f"{caller.subject} belongs to another tenant than {tenant}.")
            return None
        if not route.begins or tenant != caller.tenant or Right.ADMINISTER not in caller.rights:
            raise NonexistentTenant(f"There is no tenant {tenant}.")
        return tenant


def _about(args: tuple[str, ...], response: Response) -> str:
    """Which entity, subscription or other thing; empty for those of a batch."""
    made = next((value for name, value in response.headers if name == b"location"), b"")
    return args[0] if args else unquote(made.decode("latin-1").rpartition("/")[2])


def routes(broker: Broker, max_body_bytes: int = MAX_BODY_BYTES) -> list[BaseRoute]:
    """For a Mount at /ngsi-ld/v1; mounting a NgsiLdApi there saves one step."""
    return [Mount("", app=NgsiLdApi(broker, max_body_bytes))]


def _path(scope: Scope) -> str:
    """The percent-encoded path below the mount."""
    raw: bytes | None = scope.get("raw_path")
    path: str = raw.decode("latin-1") if raw else scope["path"]
    return path[len(scope.get("root_path", "")) :]


def _caller(scope: Scope) -> Caller:
    caller = scope.get("state", {}).get("caller")
    if not isinstance(caller, Caller):
        raise Unauthenticated("Send an API key, or sign in.")
    return caller


def _headers(scope: Scope) -> dict[bytes, bytes]:
    """By name; a header given several times counts as one list, as for Link (RFC 9110, 5.3)."""
    pairs: list[tuple[bytes, bytes]] = scope["headers"]
    headers = dict(pairs)
    if len(headers) == len(pairs):
        return headers
    names = [name for name, _ in pairs]
    return {
        name: value if names.count(name) == 1 else b", ".join(one for given, one in pairs if given == name)
        for name, value in headers.items()
    }


def _parameters(query_string: bytes, known: frozenset[str]) -> Parameters:
    if len(query_string) > _MEMORABLE_BYTES:
        return parse_parameters(query_string, known)
    return _remembered_parameters(query_string, known)
