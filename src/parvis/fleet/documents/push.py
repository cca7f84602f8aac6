"""Documents that devices and services push, on their way to the fleet, with a report of what became of each item."""

import asyncio
from collections.abc import Sequence
from itertools import islice
from typing import Any

import msgspec

from parvis.fleet.documents.bodies import Unreadable
from parvis.fleet.documents.expressions import ExpressionFailed
from parvis.fleet.documents.mapping import DocumentMapping, Unread
from parvis.fleet.fleet import Fleet
from parvis.fleet.model.delivery import Message
from parvis.fleet.model.refusal import RefusalReason
from parvis.fleet.model.uplink import Uplink
from parvis.kernel.errors import BadRequestData, PayloadTooLarge
from parvis.kernel.identity import Caller
from parvis.kernel.time import Instant

MOST_ITEMS = 10_000
_AT_ONCE = 250
_MOST_TOLD = 100
LARGEST_FRAME_BYTES = 4096
_LARGEST_KEPT_BYTES = 4096


class RefusedItem(msgspec.Struct, frozen=True):
    """`item` counts from 0 over all documents."""

    item: int
    reason: str
    detail: str


class Report(msgspec.Struct):
    """`duplicates` were stored before and are fine, `waiting` are kept until their device is adopted; `items` tells of
    the first that were refused or wait."""

    accepted: int = 0
    duplicates: int = 0
    waiting: int = 0
    refused: int = 0
    items: list[RefusedItem] = msgspec.field(default_factory=list)

    @property
    def count(self) -> int:
        return self.accepted + self.duplicates + self.waiting + self.refused

    def refuse(self, item: int, reason: RefusalReason, detail: str) -> None:
        if reason is RefusalReason.UNKNOWN_DEVICE:
            self.waiting += 1
        else:
            self.refused += 1
        if len(self.items) < _MOST_TOLD:
            self.items.append(RefusedItem(item, reason.value, detail))


class Pushed(msgspec.Struct, frozen=True):
    """`device` sends the items that do not say who does; `topic` says where they came, for those that are refused."""

    caller: Caller
    topic: str
    received_at: Instant
    way: str
    device: str = ""


_Read = Uplink | Unread | Unreadable


async def take_documents(fleet: Fleet, pushed: Pushed, mapping: DocumentMapping, documents: Sequence[Any]) -> Report:
    """Store what the documents tell; of what is refused is kept what is worth it.

    Raises:
        PayloadTooLarge: nothing was stored.
        Overloaded: some may be stored. The same documents may be given again: what has a time or a counter is
            stored once.
        Forbidden: the caller may not deliver frames.
    """
    report = Report()
    items = _items(mapping, documents)
    number = 0
    while chunk := list(islice(items, _AT_ONCE)):
        read = [_read(mapping, one, pushed) for one in chunk]
        await _take(fleet, pushed, read, chunk, number, report)
        number += len(chunk)
        await asyncio.sleep(0)
    return report


async def take_frame(fleet: Fleet, caller: Caller, frame: Uplink) -> Report:
    """Store bytes for the codec of the device's profile. Raises BadRequestData; the rest as `take_documents`."""
    if len(frame.payload) > LARGEST_FRAME_BYTES:
        raise BadRequestData(f"A frame has at most {LARGEST_FRAME_BYTES} bytes.")
    report = Report()
    await _store(fleet, caller, [(0, frame)], report)
    return report


def _items(mapping: DocumentMapping, documents: Sequence[Any]) -> Any:
    items: list[Any] = []
    for document in documents:
        if isinstance(document, Unreadable):
            items.append(document)
            continue
        try:
            items += mapping.find_items(document)
        except ExpressionFailed as fault:
            items.append(Unreadable(_kept(document), fault.detail))
        if len(items) > MOST_ITEMS:
            raise PayloadTooLarge(f"At most {MOST_ITEMS} items are taken at once: send them in parts.")
    return iter(items)


def _read(mapping: DocumentMapping, item: Any, pushed: Pushed) -> _Read:
    if isinstance(item, Unreadable):
        return item
    return mapping.read_item(item, pushed.received_at, pushed.device, pushed.way)


async def _take(
    fleet: Fleet, pushed: Pushed, read: Sequence[_Read], chunk: Sequence[Any], first: int, report: Report
) -> None:
    uplinks: list[tuple[int, Uplink]] = []
    malformed: list[tuple[Message, str]] = []
    for number, (one, item) in enumerate(zip(read, chunk, strict=True), first):
        if isinstance(one, Uplink):
            uplinks.append((number, one))
            continue
        text = one.text if isinstance(one, Unreadable) else _kept(item)
        malformed.append((Message(pushed.caller, pushed.topic, text, pushed.received_at), one.detail))
        report.refuse(number, RefusalReason.MALFORMED_MESSAGE, one.detail)
    if malformed:
        await fleet.refuse_messages(pushed.caller, malformed, pushed.way)
    if uplinks:
        await _store(fleet, pushed.caller, uplinks, report)


async def _store(fleet: Fleet, caller: Caller, uplinks: Sequence[tuple[int, Uplink]], report: Report) -> None:
    results = await fleet.take(caller, [uplink for _, uplink in uplinks])
    for (number, _), refused in zip(uplinks, results, strict=True):
        if refused is None:
            report.accepted += 1
        elif refused.reason is RefusalReason.DUPLICATE:
            report.duplicates += 1
        else:
            report.refuse(number, refused.reason, refused.detail)


def _kept(item: Any) -> bytes:
    try:
        return msgspec.json.encode(item)[:_LARGEST_KEPT_BYTES]
    except (TypeError, ValueError, RecursionError):
        return b""
