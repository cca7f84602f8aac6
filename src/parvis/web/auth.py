"""From a request's headers to its Caller, and the cookies and form tokens of signed-in people."""

from base64 import b64decode
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from urllib.parse import parse_qsl, urlsplit

from starlette.datastructures import FormData
from starlette.requests import Request, cookie_parser
from starlette.responses import Response

from parvis.access.gate import Gate
from parvis.access.identities.halfway import HALFWAY_HOLDS
from parvis.access.identities.sessions import SeenFrom, Sessions, SignedIn
from parvis.access.tokens import form_token, is_form_token, new_token
from parvis.kernel.errors import Forbidden, Overloaded, ParvisError, Unauthenticated
from parvis.kernel.hosts import is_loopback
from parvis.kernel.identity import ANONYMOUS, DEFAULT_TENANT, Caller
from parvis.kernel.time import SECOND, system_clock

SESSION_COOKIE = "parvis_session"
FORM_COOKIE = "parvis_form"
HALFWAY_COOKIE = "parvis_halfway"
PROVIDER_COOKIE = "parvis_provider"
FORM_FIELD = "form_token"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_FORM_COOKIE_S = 24 * 3600
_LONGEST_AGENT = 500
_BEARER = b"Bearer "

Headers = Mapping[bytes, bytes]


def cookie_name(name: str, *, is_https: bool) -> str:
    """Browsers take a cookie with this prefix over TLS alone, from this very name: no other site below the same domain
    can set one (RFC 6265bis, 4.1.3.2)."""
    return f"__Host-{name}" if is_https else name


def caller_of(gate: Gate, method: str, headers: Headers, *, is_https: bool = False) -> Caller:
    """Raises Unauthenticated or Forbidden."""
    tenant = headers.get(b"ngsild-tenant")
    authorization = headers.get(b"authorization")
    session = None
    if authorization is None and (cookie := headers.get(b"cookie")) is not None:
        session = _find_cookie(cookie, cookie_name(SESSION_COOKIE, is_https=is_https))
        if session is not None and method not in SAFE_METHODS:
            _check_same_site(headers)
    if not gate.auth:
        _check_local_host(headers)
    return gate.authenticate(
        authorization,
        session.encode() if session else None,
        None if tenant is None else tenant.decode("latin-1"),
    )


def caller_of_way_in(gate: Gate, method: str, headers: Headers, query: bytes) -> Caller:
    """For those who often cannot set headers: an API key may come as X-API-Key, as the password of HTTP Basic, or as
    `key` in the address, and where no tenant is named it is the key's own. Raises as `caller_of`."""
    headers = _with_key_as_bearer(headers, query)
    authorization = headers.get(b"authorization", b"")
    if not gate.auth or b"ngsild-tenant" in headers or not authorization.startswith(_BEARER):
        return caller_of(gate, method, headers)
    caller = gate.authenticate_device(authorization.removeprefix(_BEARER))
    if caller is None:
        raise Unauthenticated("This key is not in force: send an API key of the role device.")
    return caller


def _with_key_as_bearer(headers: Headers, query: bytes) -> Headers:
    given = headers.get(b"authorization")
    key = _password(given) if given is not None else headers.get(b"x-api-key") or _key_in(query)
    return {**headers, b"authorization": _BEARER + key} if key else headers


def _password(authorization: bytes) -> bytes:
    scheme, _, encoded = authorization.partition(b" ")
    if scheme.lower() != b"basic":
        return b""
    try:
        return b64decode(encoded, validate=True).partition(b":")[2]
    except ValueError:
        return b""


def _key_in(query: bytes) -> bytes:
    if b"key=" not in query:
        return b""
    return next((value for name, value in parse_qsl(query) if name == b"key"), b"")


def still_is(gate: Gate, caller: Caller, method: str, headers: Headers, *, is_https: bool = False) -> bool:
    """Whether the headers make the same caller as before; so while that cannot be known. Of a session it is asked
    whether it is open and its holder's account gives the same: its token may be another by now."""
    session = _find_cookie(headers.get(b"cookie", b""), cookie_name(SESSION_COOKIE, is_https=is_https))
    try:
        if gate.auth and session and b"authorization" not in headers and caller.subject != ANONYMOUS:
            return gate.authenticate_again(session.encode(), caller.tenant) == caller
        return caller_of(gate, method, headers, is_https=is_https) == caller
    except Overloaded:
        return True
    except ParvisError:
        return False


def _find_cookie(header: bytes, name: str) -> str | None:
    """Read as `request.cookies` reads them: a foreign cookie that is malformed hides none of ours."""
    text = header.decode("latin-1")
    return cookie_parser(text).get(name) if name in text else None


def _check_same_site(headers: Headers) -> None:
    """A second lock beside SameSite and the form token: browsers say where a request comes from."""
    site = headers.get(b"sec-fetch-site")
    if site is not None and site not in (b"same-origin", b"none"):
        raise Forbidden("This request came from another site.")
    origin = headers.get(b"origin")
    if origin is not None and origin.partition(b"://")[2] != headers.get(b"host"):
        raise Forbidden("This request came from another site.")


def _check_local_host(headers: Headers) -> None:
    """Without authentication a foreign page must not reach this server by pointing its own name at it."""
    _check_same_site(headers)
    if not _names_loopback(headers.get(b"host", b"")):
        raise Forbidden("Without authentication this server answers to localhost only.")


@lru_cache(maxsize=64)
def _names_loopback(host: bytes) -> bool:
    try:
        return is_loopback(urlsplit(f"//{host.decode('latin-1')}").hostname or "")
    except ValueError:
        return False


def session_token(request: Request) -> str:
    """The session cookie of the request; empty without one."""
    return _cookie(request, SESSION_COOKIE)


def _cookie(request: Request, name: str) -> str:
    return request.cookies.get(cookie_name(name, is_https=is_secure(request)), "")


def keep_session(request: Request, response: Response, signed_in: SignedIn) -> None:
    _set_cookie(request, response, SESSION_COOKIE, signed_in.token, (signed_in.expires_at - system_clock()) // SECOND)


def renew_session(sessions: Sessions, request: Request, response: Response) -> None:
    """Where it is time for the next token: a page of our own brings it, so that its browser holds it. Later, while the
    accounts are out of reach: the page that says so must not fail as well."""
    token = session_token(request)
    if not token or "authorization" in request.headers:
        return
    with suppress(Overloaded):
        if (signed_in := sessions.renew(token)) is not None:
            keep_session(request, response, signed_in)


def keep_halfway(request: Request, response: Response, token: str) -> None:
    _set_cookie(request, response, HALFWAY_COOKIE, token, HALFWAY_HOLDS // SECOND)


def halfway_token(request: Request) -> str:
    """Of a sign-in that lacks its second factor; empty without one."""
    return _cookie(request, HALFWAY_COOKIE)


def drop_halfway(request: Request, response: Response) -> None:
    _drop_cookie(request, response, HALFWAY_COOKIE)


def keep_provider_state(request: Request, response: Response, state: str) -> None:
    _set_cookie(request, response, PROVIDER_COOKIE, state, HALFWAY_HOLDS // SECOND)


def provider_state(request: Request) -> str:
    """Of a sign-in that this browser has begun at an identity provider; empty without one."""
    return _cookie(request, PROVIDER_COOKIE)


def drop_provider_state(request: Request, response: Response) -> None:
    _drop_cookie(request, response, PROVIDER_COOKIE)


def drop_session(request: Request, response: Response) -> None:
    """What pages have left in the browser goes with it."""
    _drop_cookie(request, response, SESSION_COOKIE)
    response.headers["clear-site-data"] = '"cache", "storage"'


def token_for_form(request: Request) -> tuple[str, str | None]:
    """What the hidden field FORM_FIELD must hold, and the FORM_COOKIE to set where the browser holds none.

    The token is bound to the session, or before signing in to a cookie made for forms (double submit); and to the
    tenant of its page: who acts in another by now, in another tab, changes nothing there by a form of this one.
    """
    held = session_token(request) or _cookie(request, FORM_COOKIE)
    if held:
        return form_token(held, _tenant_of(request)), None
    fresh = new_token()
    return form_token(fresh, _tenant_of(request)), fresh


def keep_form_cookie(request: Request, response: Response, value: str) -> None:
    _set_cookie(request, response, FORM_COOKIE, value, _FORM_COOKIE_S)


def check_form(request: Request, form: FormData) -> None:
    """Raises Forbidden where it was not one of ours for this browser."""
    check_form_token(request, str(form.get(FORM_FIELD, "")))


def check_form_token(request: Request, given: str) -> None:
    """Of a script's request, which has it in a header. Raises Forbidden."""
    held = session_token(request) or _cookie(request, FORM_COOKIE)
    if not is_form_token(held, given, _tenant_of(request)):
        raise Forbidden("This form has grown too old. Load the page again and send it once more.")


def _tenant_of(request: Request) -> str:
    caller: Caller = request.scope["state"]["caller"]
    return "" if caller.tenant == DEFAULT_TENANT else caller.tenant


def seen_from(request: Request) -> SeenFrom:
    address = request.client.host if request.client else "unknown"
    return SeenFrom(address, request.headers.get("user-agent", "")[:_LONGEST_AGENT])


def _set_cookie(request: Request, response: Response, name: str, value: str, max_age_s: int) -> None:
    is_https = is_secure(request)
    name = cookie_name(name, is_https=is_https)
    response.set_cookie(name, value, max_age=max_age_s, path="/", secure=is_https, httponly=True, samesite="lax")


def _drop_cookie(request: Request, response: Response, name: str) -> None:
    is_https = is_secure(request)
    name = cookie_name(name, is_https=is_https)
    response.delete_cookie(name, path="/", secure=is_https, httponly=True, samesite="lax")


def is_secure(request: Request) -> bool:
    return request.url.scheme == "https"
