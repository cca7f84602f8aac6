"""Commands to LoRa devices through Live Objects' HTTP API."""

from parvis.connectors.liveobjects.codec import encode_command
from parvis.connectors.liveobjects.config import LiveObjectsConfig
from parvis.fleet.commands.downlink import NotSentNow, Order, check_taken
from parvis.kernel.outbound import OutboundHttp


class LiveObjectsCommands:
    """CommandSender. Live Objects enqueues what it is given: a command repeated after a crash is sent twice."""

    def __init__(self, config: LiveObjectsConfig, outbound: OutboundHttp) -> None:
        self._config = config
        self._outbound = outbound

    async def send(self, order: Order) -> None:
        if not self._config.api_key or order.tenant not in self._config.tenants:
            raise NotSentNow("no api_key for Live Objects is set")
        body = encode_command(order.f_port, order.payload, order.expires_in_s, is_confirmed=order.is_confirmed)
        device = f"urn:lo:nsid:lora:{order.hardware_id.upper()}"
        url = f"{self._config.url}/api/v1/deviceMgt/devices/{device}/commands"
        headers = {"x-api-key": self._config.api_key, "content-type": "application/json"}
        answer = await self._outbound.post(url, body, headers)
        check_taken("Live Objects", answer)
