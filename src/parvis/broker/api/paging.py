"""From page to page (NGSI-LD 1.9.1, 6.3.10 and 6.3.13).

Where another page follows, its link names the last entity told and not how many were told: whatever is written while a
client follows the links, it meets every entity that stays, once.
"""

import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator
from hashlib import blake2s
from urllib.parse import quote

import msgspec

from parvis.broker.api.media import Media
from parvis.broker.api.parameters import Parameters
from parvis.broker.api.request import Request
from parvis.broker.api.responses import Headers
from parvis.broker.ports.store import EntityPage
from parvis.broker.query.order import Key, is_key
from parvis.broker.query.tree import EntityQuery
from parvis.broker.temporal.selection import PastPage
from parvis.kernel.errors import BadRequestData

COUNT_HEADER = b"ngsild-results-count"
_OWN = (b"limit=", b"offset=", b"after=")
_TOKEN = struct.Struct(">qq6s")
_LONGEST_KEY = 1_024
_FIRST = EntityQuery()


class AskedPage(msgspec.Struct, frozen=True):
    """`told` is how many entities the pages before it have held."""

    query: EntityQuery
    told: int


def read_page(selection: EntityQuery, parameters: Parameters) -> AskedPage:
    """Raises BadRequestData, TooManyResults."""
    count = parameters.flag("count")
    query = msgspec.structs.replace(selection, limit=parameters.limit(count), count=count)
    token = parameters.text("after")
    if token is None:
        offset = parameters.integer("offset", 0, 0)
        return AskedPage(msgspec.structs.replace(query, offset=offset), offset)
    if "offset" in parameters:
        raise BadRequestData("A page begins after the one before, or at an offset: give after or offset.")
    after, told, key = _read_token(token, query)
    return AskedPage(msgspec.structs.replace(query, after=after, after_key=key), told)


def page_headers(request: Request, page: EntityPage, asked: AskedPage, media: Media) -> Headers:
    """Links to the pages before and after, where there are any, and the count where it was asked for."""
    return tuple(_headers(request, page, len(page.entities), asked, media))


def past_headers(request: Request, page: PastPage, asked: AskedPage, media: Media, *, by_offset: bool) -> Headers:
    """As page_headers. `by_offset`: no number says how far an order leads that is not the one of first creation."""
    told = len(page.histories) + len(page.aggregates)
    resume = None if by_offset else page.resume
    headers = tuple(_headers(request, EntityPage((), page.total, resume), told, asked, media))
    if not by_offset or page.resume is None:
        return headers
    return (*headers, _link(request, b"limit=%d&offset=%d" % (asked.query.limit, asked.told + told), "next", media))


def _headers(
    request: Request, page: EntityPage, told: int, asked: AskedPage, media: Media
) -> Iterator[tuple[bytes, bytes]]:
    limit = asked.query.limit
    if page.total is not None:
        yield COUNT_HEADER, b"%d" % page.total
    if asked.told and limit:
        yield _link(request, b"limit=%d&offset=%d" % (limit, max(0, asked.told - limit)), "prev", media)
    if page.resume is not None:
        yield _link(request, b"limit=%d&%s" % (limit, _next_place(page, told, asked, page.resume)), "next", media)


def _next_place(page: EntityPage, told: int, asked: AskedPage, resume: int) -> bytes:
    """By the last entity told; where its place in the order takes too long to tell, by how many were told."""
    told += asked.told
    key = b"" if page.resume_key is None else msgspec.json.encode(page.resume_key)
    if len(key) > _LONGEST_KEY:
        return b"offset=%d" % told
    return b"after=" + _token(asked.query, resume, told, key).encode()


def _link(request: Request, place: bytes, relation: str, media: Media) -> tuple[bytes, bytes]:
    kept = [pair for pair in request.query_string.split(b"&") if pair and not pair.startswith(_OWN)]
    target = quote(request.scope["path"]).encode() + b"?" + b"&".join([*kept, place])
    return b"link", b"<" + target + f'>; rel="{relation}"; type="{media.value}"'.encode()


def _token(query: EntityQuery, after: int, told: int, key: bytes = b"") -> str:
    packed = _TOKEN.pack(after, told, _digest(query, after, told, key)) + key
    return urlsafe_b64encode(packed).decode().rstrip("=")


def _read_token(token: str, query: EntityQuery) -> tuple[int, int, Key | None]:
    try:
        packed = urlsafe_b64decode(token + "=" * (-len(token) % 4))
        after, told, digest = _TOKEN.unpack(packed[: _TOKEN.size])
    except (ValueError, struct.error):
        raise BadRequestData("after is taken from the link to the next page, as it stands there.") from None
    key = packed[_TOKEN.size :]
    if digest != _digest(query, after, told, key):
        raise BadRequestData("after belongs to another query: follow the links of this one from its first page.")
    return after, told, _read_key(key, query)


def _read_key(key: bytes, query: EntityQuery) -> Key | None:
    if not query.order:
        return None
    try:
        found: Key = msgspec.json.decode(key, type=Key)
    except msgspec.MsgspecError:
        found = ()
    if not is_key(found, query):
        raise BadRequestData("after is taken from the link to the next page, as it stands there.")
    return found


def _digest(query: EntityQuery, after: int, told: int, key: bytes = b"") -> bytes:
    """Of the place and of what selects entities, so that a token is not taken into another query by mistake."""
    selection = msgspec.structs.replace(
        query, limit=_FIRST.limit, offset=_FIRST.offset, after=None, after_key=None, count=_FIRST.count
    )
    return blake2s(b"%d %d %s %s" % (after, told, key, msgspec.json.encode(selection)), digest_size=6).digest()
