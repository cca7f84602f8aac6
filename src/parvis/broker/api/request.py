"""One request as the routes see it."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from starlette.types import Message, Receive, Scope

from parvis.broker.api.errors import LengthRequired
from parvis.broker.api.media import JSON_MEDIA, Media, accepted, content_media, context_link
from parvis.broker.api.parameters import Parameters
from parvis.broker.broker import Broker
from parvis.broker.jsonld.context import Context
from parvis.broker.jsonld.parse import decode
from parvis.kernel.errors import BadRequestData, InvalidRequest, NonexistentTenant, PayloadTooLarge
from parvis.kernel.identity import Caller

MAX_BODY_BYTES = 10_000_000
_Made = TypeVar("_Made")


def check_length_told(headers: Mapping[bytes, bytes]) -> bytes:
    """What the Content-Length says. Raises LengthRequired: also where a body comes in chunks (6.3.2, 6.3.4)."""
    length = headers.get(b"content-length")
    if length is None:
        raise LengthRequired("Say how long the body is, with Content-Length.")
    return length


class Request:
    """`args` are the variable segments of the path, decoded, in order. `tenant_to_make` is there where the request may
    make the tenant that it creates something in."""

    __slots__ = (
        "_max_body_bytes",
        "_receive",
        "_tenant_to_make",
        "args",
        "broker",
        "caller",
        "headers",
        "parameters",
        "scope",
    )

    def __init__(
        self,
        scope: Scope,
        receive: Receive,
        broker: Broker,
        caller: Caller,
        headers: Mapping[bytes, bytes],
        args: tuple[str, ...],
        parameters: Parameters,
        max_body_bytes: int,
        tenant_to_make: str | None = None,
    ) -> None:
        self.scope = scope
        self.broker = broker
        self.caller = caller
        self.headers = headers
        self.args = args
        self.parameters = parameters
        self._receive = receive
        self._max_body_bytes = max_body_bytes
        self._tenant_to_make = tenant_to_make

    def asking(self, parameters: Parameters) -> "Request":
        """The same, with other parameters."""
        return self._with(self.headers, parameters)

    def without(self, header: bytes) -> "Request":
        """The same, as if this header had not been sent."""
        return self._with({name: value for name, value in self.headers.items() if name != header}, self.parameters)

    def _with(self, headers: Mapping[bytes, bytes], parameters: Parameters) -> "Request":
        return Request(
            self.scope,
            self._receive,
            self.broker,
            self.caller,
            headers,
            self.args,
            parameters,
            self._max_body_bytes,
            self._tenant_to_make,
        )

    async def begin(self) -> None:
        """Before what the request is about to create, once it is known to be sound: what is refused makes no tenant
        (5.5.10). Raises BadRequestData."""
        if self._tenant_to_make is not None:
            await self.broker.add_tenant(self._tenant_to_make)

    async def creating(self, create: Callable[[], Awaitable[_Made]]) -> _Made:
        """As `begin`, where nothing but the tenant's being there is looked at last."""
        try:
            return await create()
        except NonexistentTenant:
            if self._tenant_to_make is None:
                raise
            await self.begin()
            return await create()

    @property
    def query_string(self) -> bytes:
        query_string: bytes = self.scope["query_string"]
        return query_string

    @property
    def base(self) -> str:
        """The path under which the API is mounted."""
        root: str = self.scope.get("root_path", "")
        return root

    @property
    def address(self) -> str:
        """Where the caller finds the API."""
        host = self.headers.get(b"host", b"").decode("latin-1")
        return f"{self.scope.get('scheme', 'http')}://{host}{self.base}"

    @property
    def content_media(self) -> Media:
        return content_media(self.headers.get(b"content-type", b""))

    def accepted(self, offered: tuple[Media, ...] = JSON_MEDIA) -> Media:
        return accepted(self.headers.get(b"accept", b""), offered)

    async def link_context(self) -> Context:
        """The @context of a request without a body of JSON-LD: the Link header's, or else the core context."""
        named = self._linked()
        contexts = self.broker.contexts
        if named is None:
            return contexts.core
        tenant = self.caller.tenant
        return contexts.find(named, tenant) or await contexts.resolve(named, tenant)

    async def document(self) -> tuple[dict[str, Any], Context]:
        """The one JSON object of the body, and the context that holds for it."""
        document = decode(await self.body())
        if not isinstance(document, dict):
            raise InvalidRequest("The body is to be one JSON object.")
        return document, await self.context_of(document)

    async def context_of(self, document: dict[str, Any]) -> Context:
        """The context that holds for a document of the body (NGSI-LD 1.9.1, 6.3.5)."""
        if self.content_media is not Media.JSON_LD:
            if "@context" in document:
                raise BadRequestData("A body with an @context is application/ld+json.")
            return await self.link_context()
        if "@context" not in document:
            raise BadRequestData("A body of application/ld+json needs an @context.")
        self._check_no_link()
        source, contexts, tenant = document["@context"], self.broker.contexts, self.caller.tenant
        return contexts.find(source, tenant) or await contexts.resolve(source, tenant)

    async def shared_context(self) -> Context | None:
        """The context of all members of a batch that name none; None where each has to. Raises BadRequestData."""
        if self.content_media is not Media.JSON_LD:
            return await self.link_context()
        self._check_no_link()
        return None

    async def addressable(self, context: Context) -> Context:
        """The same by an address that others can be sent, even where the request wrote it out."""
        return await self.broker.contexts.addressable(context, self.caller.tenant, self.address)

    async def body(self) -> bytes:
        """Raises UnsupportedMediaType, LengthRequired or PayloadTooLarge, the first two before it reads any of it."""
        _ = self.content_media
        self._check_length()
        message = await self._receive()
        body: bytes = message.get("body", b"")
        if message.get("more_body", False):
            body = await self._gathered(body)
        return body

    async def _gathered(self, first: bytes) -> bytes:
        chunks, size = [first], len(first)
        more = True
        while more:
            message: Message = await self._receive()
            if message["type"] == "http.disconnect":
                raise InvalidRequest("The connection ended before the body did.")
            chunks.append(message.get("body", b""))
            more = message.get("more_body", False)
            size += len(chunks[-1])
            if size > self._max_body_bytes:
                raise self._too_large()
        return b"".join(chunks)

    def _check_length(self) -> None:
        length = check_length_told(self.headers)
        if not length.isdigit():
            raise InvalidRequest("Content-Length is to be a number.")
        if int(length) > self._max_body_bytes:
            raise self._too_large()

    def _check_no_link(self) -> None:
        if self._linked() is not None:
            raise BadRequestData("With application/ld+json the @context stands in the body, not in a Link header.")

    def _too_large(self) -> PayloadTooLarge:
        return PayloadTooLarge(f"A body holds at most {self._max_body_bytes} bytes: send it in parts.")

    def _linked(self) -> str | None:
        link = self.headers.get(b"link")
        return None if link is None else context_link(link)
