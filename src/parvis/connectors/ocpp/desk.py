"""What handlers of both versions share: nothing is answered before it is durable."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Protocol, TypeVar, cast

import msgspec
from ocpp.routing import on

from parvis.connectors.ocpp import metrics
from parvis.connectors.ocpp.config import OcppConfig
from parvis.connectors.ocpp.mapping import Sample, read_samples
from parvis.connectors.ocpp.records import ChargingRecords, NotStored
from parvis.kernel.errors import Overloaded
from parvis.kernel.time import Instant, format_instant

PATIENCE_S = 20.0
"""So long a message waits for the store; a station then gets no answer, and sends it again over a new connection."""
_TRY_EVERY_S = 0.5
_TRY_AGAIN_LATER = 1013
"""RFC 6455's registry of close codes."""
Result = TypeVar("Result")
_Handler = TypeVar("_Handler", bound=Callable[..., Any])

wire_log = logging.getLogger("parvis.connectors.ocpp.wire")
wire_log.setLevel(logging.CRITICAL)
"""The library writes out whole messages, with the cards of those who charge. What is wrong is counted instead."""


class Wire(Protocol):
    async def close(self, code: int = 1000, reason: str = "") -> None: ...


def handles(action: str) -> Callable[[_Handler], _Handler]:
    return cast(Callable[[_Handler], _Handler], on(action))


def count_error(message: str) -> None:
    """Of a message that answers a call with an error, by its code."""
    if message.startswith("[4,"):
        metrics.MALFORMED.labels(str(msgspec.json.decode(message)[2])).inc()


class Desk:
    """Of one connected station."""

    def __init__(self, station: str, wire: Wire, records: ChargingRecords, config: OcppConfig) -> None:
        self.station = station
        self.records = records
        self.config = config
        self._wire = wire

    def now(self) -> Instant:
        return self.records.clock()

    def now_text(self) -> str:
        return format_instant(self.now())

    def may_charge(self, id_tag: str) -> bool:
        return not self.config.id_tags or id_tag in self.config.id_tags

    def read(self, meter_values: Iterable[Mapping[str, Any]] | None) -> list[Sample]:
        samples, skipped = read_samples(meter_values or (), self.now())
        metrics.SKIPPED.inc(skipped)
        return samples

    async def durably(self, work: Callable[[], Awaitable[Result]]) -> Result:
        """What `work` gives, once it is stored. Where it cannot be, the connection is closed. Raises NotStored."""
        patience_ends_s = asyncio.get_running_loop().time() + PATIENCE_S
        while True:
            try:
                return await work()
            except (Overloaded, NotStored) as fault:
                if asyncio.get_running_loop().time() > patience_ends_s:
                    metrics.UNSTORED.inc()
                    await self._wire.close(_TRY_AGAIN_LATER, "try again later")
                    raise NotStored(str(fault)) from fault
            await asyncio.sleep(_TRY_EVERY_S)
