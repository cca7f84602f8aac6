"""What tells a reader of the other pages (NGSI-LD 1.9.1, 6.3.10 and 6.3.13)."""

from collections.abc import Iterator
from urllib.parse import quote

from parvis.broker.api.media import Media
from parvis.broker.api.request import Request
from parvis.broker.api.responses import Headers
from parvis.broker.ports.store import EntityPage

COUNT_HEADER = b"ngsild-results-count"
_OWN = (b"limit=", b"offset=")


def page_headers(request: Request, page: EntityPage, offset: int, limit: int, media: Media) -> Headers:
    """Links to the pages before and after, where there are any, and the count where it was asked for.

    `page` holds one entity more than `limit` where another page follows.
    """
    return tuple(_headers(request, page, offset, limit, media))


def _headers(
    request: Request, page: EntityPage, offset: int, limit: int, media: Media
) -> Iterator[tuple[bytes, bytes]]:
    if page.total is not None:
        yield COUNT_HEADER, b"%d" % page.total
    if offset and limit:
        yield _link(request, max(0, offset - limit), limit, "prev", media)
    if limit and len(page.entities) > limit:
        yield _link(request, offset + limit, limit, "next", media)


def _link(request: Request, offset: int, limit: int, relation: str, media: Media) -> tuple[bytes, bytes]:
    kept = [pair for pair in request.query_string.split(b"&") if pair and not pair.startswith(_OWN)]
    query = b"&".join([*kept, b"limit=%d" % limit, b"offset=%d" % offset])
    target = quote(request.scope["path"]).encode() + b"?" + query
    return b"link", b"<" + target + f'>; rel="{relation}"; type="{media.value}"'.encode()
