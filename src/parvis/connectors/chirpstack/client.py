"""Commands to ChirpStack, over the MQTT connection on which its events come."""

import re

from parvis.connectors.chirpstack.codec import encode_downlink
from parvis.fleet.commands.downlink import NotSendable, NotSentNow, Order
from parvis.fleet.model.delivery import Outlet

_APPLICATION = re.compile(r"[0-9A-Za-z-]{1,64}")


class ChirpStackCommands:
    """CommandSender. ChirpStack enqueues a command of the same id once: a repeated one does no harm."""

    def __init__(self, outlet: Outlet) -> None:
        self._outlet = outlet

    async def send(self, order: Order) -> None:
        if not _APPLICATION.fullmatch(order.route):
            raise NotSendable(f"ChirpStack's events name no application of {order.hardware_id}")
        topic = f"application/{order.route}/device/{order.hardware_id}/command/down"
        payload = encode_downlink(
            order.command_id, order.hardware_id, order.f_port, order.payload, is_confirmed=order.is_confirmed
        )
        if not self._outlet.tell(order.tenant, topic, payload):
            raise NotSentNow(f"nobody has subscribed to {topic}: ChirpStack must be connected by MQTT")
