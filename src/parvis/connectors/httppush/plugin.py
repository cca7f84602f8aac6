"""What devices and services post to `/api/connectors/httppush`, and below by the mapping that reads it."""

import asyncio
from collections.abc import Mapping
from functools import partial

import msgspec

from parvis.connectors.httppush.config import HttpPushConfig
from parvis.connectors.httppush.pace import Pace
from parvis.fleet.documents.bodies import read_documents, unpack
from parvis.fleet.documents.mapping import (
    MAPPINGS_FOLDER,
    PACKAGED_MAPPINGS,
    DocumentMapping,
    InvalidDocumentMapping,
    load_mappings,
)
from parvis.fleet.documents.push import LARGEST_FRAME_BYTES, Pushed, Report, take_documents, take_frame
from parvis.fleet.fleet import Fleet
from parvis.fleet.model.delivery import Message
from parvis.fleet.model.refusal import RefusalReason
from parvis.fleet.model.uplink import NO_COUNTER, Uplink, plain_hardware_id
from parvis.fleet.ways.connector import Answer, Connector, InvalidConnector, Post, Surroundings, read_config
from parvis.kernel.errors import PARVIS_ERRORS, BadRequestData, ParvisError

PLAIN = "plain"
WAY = "httppush"
BYTES = "application/octet-stream"
_LARGEST_PORT = 255
_RATE_LIMITED_WAIT_S = 60


def build(surroundings: Surroundings) -> Connector:
    config = read_config(surroundings, HttpPushConfig)
    try:
        mappings = load_mappings([PACKAGED_MAPPINGS, surroundings.data_dir / MAPPINGS_FOLDER])
    except InvalidDocumentMapping as fault:
        raise InvalidConnector(fault.detail) from fault
    push = HttpPush(surroundings.fleet, config)
    webhooks = {name: partial(push.receive, mapping) for name, mapping in mappings.items()}
    return Connector("httppush", webhooks={"": webhooks[PLAIN], **webhooks})


class TooManyItems(ParvisError):
    type_uri = PARVIS_ERRORS + "too-many-items"
    title = "Too many items"
    status = 429


class HttpPush:
    def __init__(self, fleet: Fleet, config: HttpPushConfig) -> None:
        self._fleet = fleet
        self._config = config
        self._pace = Pace(config.items_per_s, config.burst)

    async def receive(self, mapping: DocumentMapping, post: Post) -> Answer:
        """200: all of it is stored. 202: some of it waits for its device or was refused; the report says what.

        Raises:
            BadRequestData, UnsupportedMediaType, PayloadTooLarge: nothing of it was stored.
            TooManyItems: nothing of it was stored.
            Overloaded: some of it may be stored; the same may be sent again.
        """
        now_s = asyncio.get_running_loop().time()
        if wait_s := self._pace.wait_s(post.caller.subject, now_s):
            raise _too_fast(wait_s)
        self._pace.charge(post.caller.subject, 1, now_s)
        body = unpack(post.body, post.headers.get("content-encoding", ""), self._config.unpacked_limit_bytes)
        content_type = post.headers.get("content-type", "")
        if content_type.partition(";")[0].strip().lower() == BYTES:
            report = await self._take_frame(post, body)
        else:
            report = await self._take_documents(mapping, post, body, content_type)
        self._pace.charge(post.caller.subject, report.count, now_s)
        return _answer(report)

    async def _take_documents(self, mapping: DocumentMapping, post: Post, body: bytes, content_type: str) -> Report:
        try:
            documents = read_documents(body, content_type)
        except BadRequestData as fault:
            message = Message(post.caller, post.path, body[:LARGEST_FRAME_BYTES], post.received_at)
            await self._fleet.refuse_messages(post.caller, [(message, fault.detail)], WAY)
            raise
        pushed = Pushed(post.caller, post.path, post.received_at, WAY, _device(post))
        return await take_documents(self._fleet, pushed, mapping, documents)

    async def _take_frame(self, post: Post, body: bytes) -> Report:
        """Bytes for the codec of the device's profile; `?port=` and `?counter=` where it tells them."""
        device = _device(post)
        if not device:
            raise BadRequestData("Bytes do not say which device sends them: add ?device=, or use a key of the device.")
        counter = _whole(post.query, "counter", NO_COUNTER)
        port = _whole(post.query, "port", 0)
        if port > _LARGEST_PORT:
            raise BadRequestData(f"port is at most {_LARGEST_PORT}.")
        frame = Uplink(device, body, port, counter, post.received_at, way=WAY)
        return await take_frame(self._fleet, post.caller, frame)


def _device(post: Post) -> str:
    """A key of one device speaks for no other, whatever the address says: the fleet sees to that."""
    told = post.query.get("device") or post.headers.get("x-device-id") or post.caller.device
    return plain_hardware_id(told[:64])


def _whole(query: Mapping[str, str], name: str, absent: int) -> int:
    text = query.get(name, "")
    if not text:
        return absent
    if not (text.isascii() and text.isdigit() and len(text) <= 15):
        raise BadRequestData(f"{name} is a whole number, not {text[:30]!r}.")
    return int(text)


def _answer(report: Report) -> Answer:
    is_limited = report.refused and all(one.reason == RefusalReason.RATE_LIMITED.value for one in report.items)
    if is_limited and not report.accepted and not report.waiting:
        raise _too_fast(_RATE_LIMITED_WAIT_S)
    return Answer(202 if report.refused or report.waiting else 200, msgspec.json.encode(report))


def _too_fast(wait_s: int) -> TooManyItems:
    fault = TooManyItems("This key, or this device, sends more than it may.")
    fault.retry_after_s = wait_s
    return fault
