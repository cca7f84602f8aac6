"""ChirpStack's events on their way to the fleet, from MQTT or by HTTP."""

from parvis.connectors.chirpstack.codec import MalformedEvent, decode_uplink
from parvis.fleet.delivery import Ack, Message, Route
from parvis.fleet.fleet import Fleet
from parvis.fleet.uplink import Uplink
from parvis.kernel.errors import Overloaded
from parvis.kernel.identity import Caller

UPLINK_TOPICS = "application/+/device/+/event/up"
"""The default `event_topic` of ChirpStack's MQTT integration."""


class ChirpStack:
    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet

    def routes(self) -> list[Route]:
        return [Route(UPLINK_TOPICS, self.handle)]

    async def handle(self, messages: list[Message]) -> list[Ack]:
        """Uplink events of one turn; those of one caller share a write."""
        by_caller: dict[int, list[int]] = {}
        for index, message in enumerate(messages):
            by_caller.setdefault(id(message.caller), []).append(index)
        acks = [Ack.FAILED] * len(messages)
        for indexes in by_caller.values():
            answers = await self._take([messages[index] for index in indexes])
            for index, ack in zip(indexes, answers, strict=True):
                acks[index] = ack
        return acks

    async def _take(self, messages: list[Message]) -> list[Ack]:
        caller = messages[0].caller
        acks = [Ack.REFUSED] * len(messages)
        uplinks: list[Uplink] = []
        of_message: list[int] = []
        malformed: list[tuple[Message, str]] = []
        for index, message in enumerate(messages):
            try:
                uplinks.append(decode_uplink(message.payload, message.received_at))
                of_message.append(index)
            except MalformedEvent as error:
                malformed.append((message, error.detail))
        if malformed:
            await self._fleet.refuse_messages(caller, malformed)
        for index, ack in zip(of_message, await self._store(caller, uplinks), strict=True):
            acks[index] = ack
        return acks

    async def _store(self, caller: Caller, uplinks: list[Uplink]) -> list[Ack]:
        if not uplinks:
            return []
        try:
            results = await self._fleet.take(caller, uplinks)
        except Overloaded:
            return [Ack.OVERLOADED] * len(uplinks)
        return [Ack.STORED if refused is None else Ack.REFUSED for refused in results]
