"""The CoAP server: `/push` takes documents, `/rd` registers LwM2M devices, `/dp` takes what they send."""

from collections.abc import Mapping
from typing import Any, cast

import msgspec
from aiocoap import Code, Context, Message
from aiocoap.error import ConstructionRenderableError
from aiocoap.resource import PathCapable, Resource, Site

from parvis.connectors.coap import codec, metrics
from parvis.connectors.coap.codec import MalformedContent
from parvis.connectors.coap.config import CoapConfig
from parvis.connectors.coap.ipso import to_fields
from parvis.connectors.coap.notices import Notices
from parvis.connectors.coap.observations import WAY, Observer
from parvis.connectors.coap.registrations import Registrations, TooManyRegistrations, find_hardware_id
from parvis.fleet.documents.mapping import DocumentMapping
from parvis.fleet.documents.push import Pushed, Report, take_documents, take_frame
from parvis.fleet.fleet import Fleet
from parvis.fleet.model.uplink import NO_COUNTER, Technology, Uplink, plain_hardware_id
from parvis.fleet.ways.connector import Authenticate, IsInForce
from parvis.kernel.errors import Overloaded, ParvisError
from parvis.kernel.identity import Caller, Right
from parvis.kernel.shelf import Shelf
from parvis.kernel.time import Clock, Instant

PLAIN = "plain"
_DEFAULT_LIFETIME_S = 86_400
_TRANSPORTS = ["udp6"]
_CODES: Mapping[int, Code] = {
    400: Code.BAD_REQUEST,
    401: Code.UNAUTHORIZED,
    403: Code.FORBIDDEN,
    404: Code.NOT_FOUND,
    413: Code.REQUEST_ENTITY_TOO_LARGE,
    415: Code.UNSUPPORTED_CONTENT_FORMAT,
    429: Code.TOO_MANY_REQUESTS,
    503: Code.SERVICE_UNAVAILABLE,
}


class Refusal(ConstructionRenderableError):  # type: ignore[misc]  # aiocoap tells no types
    """An answer that is no success; its text is a diagnostic payload (RFC 7252, 5.5.2)."""

    def __init__(self, code: Code, text: str) -> None:
        super().__init__(text)
        self.code = code
        _count(code)


def _count(code: Code) -> None:
    metrics.REQUESTS.labels(code.dotted).inc()


class Door:
    """What every resource asks first: who calls, with which query, and whether it is not too much."""

    def __init__(self, config: CoapConfig, authenticate: Authenticate) -> None:
        self._config = config
        self._authenticate = authenticate

    def check_size(self, request: Message) -> None:
        """Raises Refusal before blocks beyond the limit are put together."""
        block = request.opt.block1
        if (block.start if block is not None else 0) + len(request.payload) > self._config.max_body_bytes:
            raise Refusal(Code.REQUEST_ENTITY_TOO_LARGE, f"at most {self._config.max_body_bytes} bytes")

    def caller(self, request: Message, device: str = "") -> Caller:
        """Raises Refusal. In a closed network a device is believed to be the one it says."""
        key = query_of(request).get("key", "")
        if key:
            try:
                caller = self._authenticate(key.encode())
            except Overloaded as fault:
                raise Refusal(Code.SERVICE_UNAVAILABLE, fault.detail) from None
            if caller is None or not caller.may_deliver:
                raise Refusal(Code.UNAUTHORIZED, "this key opens nothing here")
            return caller
        if not self._config.is_closed_network:
            raise Refusal(Code.UNAUTHORIZED, "add ?key=")
        return Caller(self._config.tenant, "system:coap", Right.INGEST, device)


def query_of(request: Message) -> dict[str, str]:
    return {name: value for one in request.opt.uri_query for name, _, value in [one.partition("=")]}


class _Guarded(Resource):  # type: ignore[misc]  # aiocoap tells no types
    def __init__(self, door: Door) -> None:
        super().__init__()
        self._door = door

    async def needs_blockwise_assembly(self, request: Message) -> bool:
        """Each block shows who calls, and that it is not too much: nothing is held for strangers."""
        self._door.check_size(request)
        self._check_who(request)
        return cast(bool, await super().needs_blockwise_assembly(request))

    def _check_who(self, request: Message) -> None:
        self._door.caller(request)

    async def render(self, request: Message) -> Message:
        try:
            answer = cast(Message, await super().render(request))
        except (MalformedContent, ParvisError) as fault:
            answer = _failure(fault)
        _count(answer.code)
        return answer


def _failure(fault: MalformedContent | ParvisError) -> Message:
    code = Code.BAD_REQUEST
    if isinstance(fault, ParvisError):
        code = _CODES.get(fault.status, Code.INTERNAL_SERVER_ERROR)
    answer = Message(code=code, payload=fault.detail.encode()[:200])
    if isinstance(fault, Overloaded):
        answer.opt.max_age = fault.retry_after_s or 1  # RFC 7252, 5.9.3.4: then it may be tried again
    return answer


class PushResource(_Guarded):
    """POST /push[/<mapping>]?device=..."""

    def __init__(self, door: Door, fleet: Fleet, mappings: Mapping[str, DocumentMapping], clock: Clock) -> None:
        super().__init__(door)
        self._fleet = fleet
        self._mappings = mappings
        self._clock = clock

    async def render_post(self, request: Message) -> Message:
        mapping_id = "/".join(request.opt.uri_path) or PLAIN
        mapping = self._mappings.get(mapping_id)
        if mapping is None:
            raise Refusal(Code.NOT_FOUND, "there is no such mapping")
        now, query = self._clock(), query_of(request)
        caller = self._door.caller(request)
        device = plain_hardware_id((query.get("device") or caller.device)[:64])
        content_format = request.opt.content_format
        if content_format == codec.BYTES:
            report = await self._take_frame(caller, device, request.payload, now)
        else:
            documents = read_documents(request.payload, content_format, now)
            pushed = Pushed(caller, f"coap:/push/{mapping_id}", now, WAY, device)
            report = await take_documents(self._fleet, pushed, mapping, documents)
        code = Code.CHANGED if report.refused < max(1, report.count) else Code.BAD_REQUEST
        return _told(code, report, request.opt.accept)

    async def _take_frame(self, caller: Caller, device: str, frame: bytes, now: Instant) -> Report:
        """Bytes for the codec of the device's profile."""
        if not device:
            raise Refusal(Code.BAD_REQUEST, "add ?device=")
        return await take_frame(self._fleet, caller, Uplink(device, frame, 0, NO_COUNTER, now, way=WAY))


class PushBelow(PushResource, PathCapable):  # type: ignore[misc]  # aiocoap tells no types
    """aiocoap leads to a path and to what is below it by two resources."""


def read_documents(body: bytes, content_format: int | None, now: Instant) -> list[Any]:
    """Raises MalformedContent or Refusal."""
    match content_format:
        case None | codec.TEXT | codec.JSON:
            return [codec.decode_json(body)]
        case codec.CBOR:
            return [codec.decode_cbor(body)]
        case codec.SENML_JSON | codec.SENML_CBOR:
            assert content_format is not None
            return codec.to_documents(codec.decode_senml(body, content_format, now))
        case other:
            raise Refusal(Code.UNSUPPORTED_CONTENT_FORMAT, f"content of format {other} is not read")


def _told(code: Code, report: Report, accept: int | None) -> Message:
    if accept == codec.CBOR:
        return Message(code=code, payload=codec.encode_cbor(msgspec.to_builtins(report)), content_format=codec.CBOR)
    return Message(code=code, payload=msgspec.json.encode(report), content_format=codec.JSON)


class RegistrationResource(_Guarded):
    """LwM2M's register, update and deregister (1.0, 5.3; 1.1, 6.2)."""

    def __init__(self, door: Door, registrations: Registrations) -> None:
        super().__init__(door)
        self._registrations = registrations

    def _check_who(self, request: Message) -> None:
        """Whose registration it is proves itself by its path, which nobody can guess."""
        if not request.opt.uri_path:
            self._door.caller(request)

    async def render_post(self, request: Message) -> Message:
        query = query_of(request)
        lifetime_s = _lifetime(query)
        if request.opt.uri_path:
            instances = codec.decode_links(request.payload) if request.payload else None
            if not await self._registrations.update(request.opt.uri_path[0], request.remote, lifetime_s, instances):
                raise Refusal(Code.NOT_FOUND, "register anew")
            return Message(code=Code.CHANGED)
        hardware_id = find_hardware_id(query.get("ep", ""))
        if hardware_id is None:
            raise Refusal(Code.BAD_REQUEST, "ep is no name of a device: 4 to 64 letters, digits, . _ and -")
        caller = self._door.caller(request, hardware_id)
        if caller.device not in ("", hardware_id):
            raise Refusal(Code.FORBIDDEN, "the key is of another device")
        instances = codec.decode_links(request.payload)
        try:
            made = await self._registrations.add(
                caller, hardware_id, request.remote, instances, lifetime_s or _DEFAULT_LIFETIME_S
            )
        except TooManyRegistrations:
            raise Refusal(Code.SERVICE_UNAVAILABLE, "too many devices are registered") from None
        return Message(code=Code.CREATED, location_path=["rd", made.id])

    async def render_delete(self, request: Message) -> Message:
        if not request.opt.uri_path or not await self._registrations.remove(request.opt.uri_path[0]):
            raise Refusal(Code.NOT_FOUND, "there is no such registration")
        return Message(code=Code.DELETED)


class RegistrationBelow(RegistrationResource, PathCapable):  # type: ignore[misc]  # aiocoap tells no types
    pass


def _lifetime(query: Mapping[str, str]) -> int | None:
    text = query.get("lt", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 10 else None


class SendResource(_Guarded):
    """LwM2M 1.1's Send (6.4.6): readings that a registered device sends of itself, answered once they are durable."""

    def __init__(self, door: Door, fleet: Fleet, registrations: Registrations, clock: Clock) -> None:
        super().__init__(door)
        self._fleet = fleet
        self._registrations = registrations
        self._clock = clock

    def _check_who(self, request: Message) -> None:
        if self._registrations.find_of(request.remote) is None:
            raise Refusal(Code.NOT_FOUND, "register first")

    async def render_post(self, request: Message) -> Message:
        sender = self._registrations.find_of(request.remote)
        if sender is None:
            raise Refusal(Code.NOT_FOUND, "register first")
        content_format = request.opt.content_format
        if content_format not in (codec.SENML_JSON, codec.SENML_CBOR):
            raise Refusal(Code.UNSUPPORTED_CONTENT_FORMAT, "send SenML")
        now = self._clock()
        uplinks = [
            Uplink(
                sender.hardware_id,
                request.payload[:4096],
                0,
                NO_COUNTER,
                now,
                fields=fields,
                measured_at=at,
                technology=Technology.CELLULAR,
                way=WAY,
            )
            for at, values in codec.by_moment(codec.decode_senml(request.payload, int(content_format), now)).items()
            if (fields := to_fields(values))
        ]
        if uplinks:
            await self._fleet.take(sender.caller, uplinks)
        return Message(code=Code.CHANGED)


async def serve(
    config: CoapConfig,
    fleet: Fleet,
    mappings: Mapping[str, DocumentMapping],
    authenticate: Authenticate,
    clock: Clock,
    shelf: Shelf | None,
    is_in_force: IsInForce,
) -> None:
    """Until cancelled. Raises OSError where it cannot listen."""
    door = Door(config, authenticate)
    site = Site()
    context = await Context.create_server_context(None, bind=(config.host, config.port), transports=_TRANSPORTS)
    observer = Observer(fleet, context, Notices(context, clock), clock)
    registrations = Registrations(observer, shelf, clock, config.max_registrations, is_in_force)
    site.add_resource(["push"], PushResource(door, fleet, mappings, clock))
    site.add_resource(["push"], PushBelow(door, fleet, mappings, clock))
    site.add_resource(["rd"], RegistrationResource(door, registrations))
    site.add_resource(["rd"], RegistrationBelow(door, registrations))
    site.add_resource(["dp"], SendResource(door, fleet, registrations, clock))
    try:
        await registrations.restore(context)
        context.serversite = site
        await registrations.forget_expired()
    finally:
        registrations.close()
        await observer.close()
        await context.shutdown()
