"""What a route answers, and how it goes over the wire."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from starlette.types import Send

from parvis.broker.api.errors import LengthRequired, MethodNotAllowed
from parvis.broker.api.media import JSON_MEDIA, Media
from parvis.broker.jsonld.context import Context
from parvis.broker.jsonld.render import context_link
from parvis.kernel.errors import ParvisError, UnsupportedMediaType

Headers = tuple[tuple[bytes, bytes], ...]

_encode = msgspec.json.Encoder().encode
_CONTENT_TYPES: Mapping[Media, tuple[bytes, bytes]] = {
    media: (b"content-type", media.value.encode()) for media in Media
}
_WITHOUT_BODY = frozenset({LengthRequired.status, UnsupportedMediaType.status})
"""These statuses speak for themselves (6.3.4)."""


class Response(msgspec.Struct, frozen=True):
    status: int
    body: bytes = b""
    headers: Headers = ()

    def with_headers(self, *headers: tuple[bytes, bytes]) -> "Response":
        return Response(self.status, self.body, self.headers + headers)

    async def send(self, send: Send) -> None:
        length = () if self.status == 204 else ((b"content-length", b"%d" % len(self.body)),)
        await send({"type": "http.response.start", "status": self.status, "headers": [*self.headers, *length]})
        await send({"type": "http.response.body", "body": self.body})


NO_CONTENT = Response(204)


def json_response(value: Any, media: Media = Media.JSON, status: int = 200, headers: Headers = ()) -> Response:
    return bytes_response(_encode(value), media, status, headers)


def bytes_response(body: bytes, media: Media, status: int = 200, headers: Headers = ()) -> Response:
    return Response(status, body, (_CONTENT_TYPES[media], *headers))


def document_response(value: Any, media: Media, context: Context) -> Response:
    """JSON with its @context where the media type puts it (NGSI-LD 1.9.1, 6.3.5)."""
    if media is not Media.JSON_LD:
        return json_response(value, media, headers=context_headers(context))
    if isinstance(value, dict):
        return json_response({"@context": context.source, **value}, media)
    return json_response([{"@context": context.source, **one} for one in value], media)


def created(location: str, body: bytes = b"") -> Response:
    return Response(201, body, ((b"location", location.encode()),))


def context_headers(context: Context) -> Headers:
    """The Link header that goes with application/json; a context without a URL has none."""
    link = context_link(context)
    return () if link is None else ((b"link", link.encode()),)


def problem_response(error: ParvisError) -> Response:
    """The report of a failure: application/json, whatever was asked for (5.5.3 and 6.3.3)."""
    headers = tuple(_failure_headers(error))
    if error.status in _WITHOUT_BODY:
        return Response(error.status, b"", headers)
    return json_response(error.problem(), Media.JSON, error.status, headers)


def methods_response(refusal: MethodNotAllowed) -> Response:
    """To OPTIONS: what there is to be done (RFC 9110, 9.3.7), and in which forms PATCH takes it (RFC 5789, 3.1)."""
    accepted = ", ".join(media.value for media in (*JSON_MEDIA, Media.MERGE_PATCH))
    patched = ((b"accept-patch", accepted.encode()),) if "PATCH" in refusal.allow else ()
    return Response(200, b"", ((b"allow", f"{refusal.allow}, OPTIONS".encode()), *patched))


def _failure_headers(error: ParvisError) -> Iterator[tuple[bytes, bytes]]:
    if error.retry_after_s is not None:
        yield b"retry-after", b"%d" % error.retry_after_s
    if isinstance(error, MethodNotAllowed):
        yield b"allow", error.allow.encode()
    if isinstance(error, UnsupportedMediaType):
        yield b"accept", b", ".join(media.value.encode() for media in JSON_MEDIA)
