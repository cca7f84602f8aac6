"""From page to page of what is listed by number (NGSI-LD 1.9.1, 6.3.10 and 6.3.13)."""

from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import quote

from parvis.broker.api.media import Media
from parvis.broker.api.paging import COUNT_HEADER
from parvis.broker.api.parameters import Parameters
from parvis.broker.api.request import Request
from parvis.broker.api.responses import Headers

_OWN = (b"limit=", b"offset=")


class Window(NamedTuple):
    """What is asked for of a list: `limit` of it after the first `offset`, and the count of all where `counting`."""

    limit: int
    offset: int
    counting: bool

    def headers(self, request: Request, total: int, media: Media = Media.JSON_LD) -> Headers:
        """Links to the pages before and after, where there are any, and the count where it was asked for.

        Documents that are no entities are told with their @context where the links say nothing else.
        """
        return tuple(self._headers(request, total, media))

    def _headers(self, request: Request, total: int, media: Media) -> Iterator[tuple[bytes, bytes]]:
        limit, offset, counting = self
        if counting:
            yield COUNT_HEADER, b"%d" % total
        if offset and limit:
            yield _link(request, limit, max(0, offset - limit), "prev", media)
        if limit and offset + limit < total:
            yield _link(request, limit, offset + limit, "next", media)


def read_window(parameters: Parameters) -> Window:
    """Raises BadRequestData, TooManyResults."""
    counting = parameters.flag("count")
    return Window(parameters.limit(counting), parameters.integer("offset", 0, 0), counting)


def _link(request: Request, limit: int, offset: int, relation: str, media: Media) -> tuple[bytes, bytes]:
    kept = [pair for pair in request.query_string.split(b"&") if pair and not pair.startswith(_OWN)]
    query = b"&".join([*kept, b"limit=%d" % limit, b"offset=%d" % offset])
    target = quote(request.scope["path"].rstrip("/")).encode() + b"?" + query
    return b"link", b"<" + target + f'>; rel="{relation}"; type="{media.value}"'.encode()
