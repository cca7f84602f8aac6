"""From page to page of what is listed by number (NGSI-LD 1.9.1, 6.3.10 and 6.3.13)."""

from collections.abc import Iterator
from urllib.parse import quote

from parvis.broker.api.media import Media
from parvis.broker.api.paging import COUNT_HEADER
from parvis.broker.api.request import Request
from parvis.broker.api.responses import Headers

_OWN = (b"limit=", b"offset=")


def offset_headers(
    request: Request, total: int, limit: int, offset: int, media: Media = Media.JSON_LD, *, counting: bool
) -> Headers:
    """Links to the pages before and after, where there are any, and the count where it was asked for.

    Documents that are no entities are told with their @context where the links say nothing else.
    """
    return tuple(_headers(request, total, limit, offset, media, counting=counting))


def _headers(
    request: Request, total: int, limit: int, offset: int, media: Media, *, counting: bool
) -> Iterator[tuple[bytes, bytes]]:
    if counting:
        yield COUNT_HEADER, b"%d" % total
    if offset and limit:
        yield _link(request, limit, max(0, offset - limit), "prev", media)
    if limit and offset + limit < total:
        yield _link(request, limit, offset + limit, "next", media)


def _link(request: Request, limit: int, offset: int, relation: str, media: Media) -> tuple[bytes, bytes]:
    kept = [pair for pair in request.query_string.split(b"&") if pair and not pair.startswith(_OWN)]
    query = b"&".join([*kept, b"limit=%d" % limit, b"offset=%d" % offset])
    target = quote(request.scope["path"].rstrip("/")).encode() + b"?" + query
    return b"link", b"<" + target + f'>; rel="{relation}"; type="{media.value}"'.encode()
