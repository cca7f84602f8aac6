"""In which tenant a request acts: its header, its address or its host says so, or what its browser has chosen."""

from urllib.parse import parse_qsl

from starlette.requests import Request, cookie_parser
from starlette.responses import Response
from starlette.types import Scope

from parvis.access.members.pool import Pool
from parvis.kernel.hosts import name_of
from parvis.kernel.identity import DEFAULT_TENANT, Caller
from parvis.web.auth import is_secure

IN = "in"
"""The parameter by which a link leads to a page in that tenant."""
IN_COOKIE = "parvis_in"
MEMBER_PATH = "/c/"
"""Below it the public pages of each member."""
_API = ("/ngsi-ld/", "/data/")
_PUBLIC = ("/portal/", "/boards/", "/privacy", *_API)
_HALF_A_YEAR_S = 180 * 24 * 3600
_TENANT = b"ngsild-tenant"
_LONGEST = 64

Headers = dict[bytes, bytes]


def placed(scope: Scope, headers: Headers, pool: Pool, *, auth: bool = True) -> tuple[Scope, Headers]:
    """The request as it is answered, and its headers with the tenant that it names in whatever way; a tenant that only
    its browser has chosen is for those who are signed in, where anybody signs in."""
    if _TENANT in headers:
        return scope, headers
    scope, tenant = _by_path(scope, pool)
    tenant = tenant or _by_query(scope) or pool.tenant_of(name_of(headers.get(b"host", b"").decode("latin-1")))
    if tenant is None and b"authorization" not in headers:
        tenant = _by_cookie(headers, auth=auth)
    return scope, headers if tenant is None else {**headers, _TENANT: tenant.encode("latin-1", "replace")}


def in_tenant(headers: Headers, caller: Caller) -> Headers:
    """To ask again who it is, later."""
    return {**headers, _TENANT: caller.tenant.encode("latin-1", "replace")}


def _by_path(scope: Scope, pool: Pool) -> tuple[Scope, str | None]:
    path: str = scope["path"]
    if not path.startswith(MEMBER_PATH):
        return scope, None
    tenant, _, rest = path.removeprefix(MEMBER_PATH).partition("/")
    if pool.find(tenant) is None or (rest and not f"/{rest}".startswith(_PUBLIC)):
        return scope, None
    base = MEMBER_PATH + tenant
    if f"/{rest}".startswith(_API):
        raw: bytes = scope.get("raw_path") or path.encode()
        return {**scope, "path": f"/{rest}", "raw_path": raw[len(base) :]}, tenant
    return {**scope, "path": f"{base}/{rest}", "root_path": base}, tenant


def _by_query(scope: Scope) -> str | None:
    query: bytes = scope["query_string"]
    if b"in=" not in query or scope["path"].startswith(_API):
        return None
    given = next((value for name, value in parse_qsl(query.decode("latin-1")) if name == IN), "")
    return given[:_LONGEST] or None


def _by_cookie(headers: Headers, *, auth: bool) -> str | None:
    cookie = headers.get(b"cookie", b"")
    if IN_COOKIE.encode() not in cookie or (auth and b"session" not in cookie):
        return None
    return cookie_parser(cookie.decode("latin-1")).get(IN_COOKIE, "")[:_LONGEST] or None


def base_of(request: Request) -> str:
    """What addresses of a member's public pages begin with; empty where its host says whose they are."""
    base: str = request.scope.get("root_path", "")
    return base if base.startswith(MEMBER_PATH) else ""


def keep_choice(request: Request, response: Response, tenant: str) -> None:
    """It is no secret, and a script of the page puts it back when its tab is looked at again."""
    is_https = is_secure(request)
    response.set_cookie(IN_COOKIE, tenant, max_age=_HALF_A_YEAR_S, path="/", secure=is_https, samesite="lax")


def drop_choice(request: Request, response: Response) -> None:
    response.delete_cookie(IN_COOKIE, path="/", secure=is_secure(request), samesite="lax")


def is_pool(caller: Caller) -> bool:
    return caller.tenant == DEFAULT_TENANT
