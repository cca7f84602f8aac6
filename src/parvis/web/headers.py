"""Headers that every answer carries, and what they tell browsers to refuse."""

from collections.abc import Iterable, Sequence
from functools import lru_cache

RawHeaders = tuple[tuple[bytes, bytes], ...]

_COMMON: RawHeaders = (
    (b"x-content-type-options", b"nosniff"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
API_HEADERS: RawHeaders = (
    *_COMMON,
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)
"""For data: a browser that is led to it shows it, and runs nothing of it."""
_PAGE_HEADERS: RawHeaders = (
    *_COMMON,
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(self), microphone=(), geolocation=(self)"),
)
_ONE_YEAR = b"max-age=31536000"
_SUBDOMAINS = b"; includeSubDomains"
_CACHE = b"cache-control"
_NOT_KEPT = (_CACHE, b"no-store")


def headers_of(path: str, scheme: str, map_origins: Sequence[str] = (), *, with_subdomains: bool = False) -> RawHeaders:
    """For an answer to a request for `path`."""
    is_api = path.startswith(("/ngsi-ld/", "/data/"))
    common = API_HEADERS if is_api else _page_headers(tuple(map_origins))
    return (*common, _strict_transport(with_subdomains)) if scheme == "https" else common


@lru_cache(maxsize=4)
def _page_headers(map_origins: tuple[str, ...]) -> RawHeaders:
    return (*_PAGE_HEADERS, (b"content-security-policy", content_security_policy(map_origins).encode()))


def _strict_transport(with_subdomains: bool) -> tuple[bytes, bytes]:
    return (b"strict-transport-security", _ONE_YEAR + _SUBDOMAINS if with_subdomains else _ONE_YEAR)


def content_security_policy(map_origins: Sequence[str] = ()) -> str:
    """Nothing but what comes from here; and what a map's style that the administrator has chosen asks for."""
    others = "".join(f" {origin}" for origin in map_origins)
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            f"img-src 'self' data: blob:{others}",
            "font-src 'self'",
            f"connect-src 'self'{others}",
            "worker-src 'self' blob:",
            "manifest-src 'self'",
            "form-action 'self'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        )
    )


def completed(given: Iterable[tuple[bytes, bytes]], extra: RawHeaders) -> list[tuple[bytes, bytes]]:
    """With `extra`; what does not say who may keep it is kept by nobody."""
    headers = [*given, *extra]
    if not any(name == _CACHE for name, _ in headers):
        headers.append(_NOT_KEPT)
    return headers
