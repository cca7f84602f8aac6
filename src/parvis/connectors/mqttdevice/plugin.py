"""Devices that speak MQTT themselves, without a network server between."""

from collections.abc import Callable

import msgspec

from parvis.connectors.mqttdevice.client import DeviceCommands
from parvis.connectors.mqttdevice.codec import WAY, decode_frame, decode_outcome, decode_up, hardware_id_of
from parvis.fleet.fleet import Fleet
from parvis.fleet.model.delivery import Ack, Handler, Message, Route
from parvis.fleet.model.events import DeliveryReport
from parvis.fleet.model.uplink import Uplink
from parvis.fleet.network.reactions import Reactions
from parvis.fleet.ways.connector import Connector, Surroundings
from parvis.fleet.ways.intake import UplinkIntake, note_heard
from parvis.kernel.identity import Caller, system_caller
from parvis.kernel.time import Instant

Decode = Callable[[str, bytes, Instant], list[Uplink]]


def build(surroundings: Surroundings) -> Connector:
    fleet, reactions = surroundings.fleet, surroundings.reactions
    routes = [
        Route("device/+/up", _uplinks(fleet, reactions, decode_up)),
        Route("device/+/up/+", _uplinks(fleet, reactions, decode_frame)),
        Route("device/+/ack", _outcomes(fleet, reactions)),
    ]
    return Connector(WAY, routes, sender=DeviceCommands(surroundings.outlet))


def _uplinks(fleet: Fleet, reactions: Reactions | None, decode: Decode) -> Handler:
    """What a device sends of itself also tells by which way it is reached."""

    async def handle(messages: list[Message]) -> list[Ack]:
        heard: dict[str, list[Uplink]] = {}

        def read(message: Message) -> list[Uplink]:
            uplinks = decode(message.topic, message.payload, message.received_at)
            if _speaks_for(message.caller, message.topic):
                heard.setdefault(message.caller.tenant, []).extend(uplinks)
            return uplinks

        acks = await UplinkIntake(fleet, read).handle(messages)
        if reactions is not None:
            for tenant, uplinks in heard.items():
                await note_heard(reactions, system_caller(WAY, tenant), uplinks)
        return acks

    return handle


def _outcomes(fleet: Fleet, reactions: Reactions | None) -> Handler:
    """News of a command is good from the device that it was for."""

    def read(message: Message) -> list[DeliveryReport]:
        return [decode_outcome(message.topic, message.payload, message.received_at)]

    intake = UplinkIntake(fleet, read, reactions)

    async def handle(messages: list[Message]) -> list[Ack]:
        own = [index for index, one in enumerate(messages) if _speaks_for(one.caller, one.topic)]
        acks = [Ack.REFUSED] * len(messages)
        callers = {messages[index].caller.tenant: system_caller(WAY, messages[index].caller.tenant) for index in own}
        answers = await intake.handle(
            [msgspec.structs.replace(messages[index], caller=callers[messages[index].caller.tenant]) for index in own]
        )
        for index, ack in zip(own, answers, strict=True):
            acks[index] = ack
        return acks

    return handle


def _speaks_for(caller: Caller, topic: str) -> bool:
    return caller.may_deliver and caller.device in ("", hardware_id_of(topic))
