"""Commands to devices that have subscribed to their own topic."""

from parvis.connectors.mqttdevice.codec import encode_command
from parvis.fleet.commands.downlink import NotSentNow, Order
from parvis.fleet.model.delivery import Outlet


class DeviceCommands:
    """CommandSender. A command that is given again bears the same identifier: the device may tell."""

    def __init__(self, outlet: Outlet) -> None:
        self._outlet = outlet

    async def send(self, order: Order) -> None:
        topic = f"device/{order.hardware_id}/{order.route}"
        if not self._outlet.tell(order.tenant, topic, encode_command(order)):
            raise NotSentNow(f"the device is not connected and keeps no session with a subscription to {topic}")
