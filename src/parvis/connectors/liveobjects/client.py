"""Commands to LoRa devices through Live Objects' HTTP API."""

from parvis.connectors.liveobjects.codec import encode_command
from parvis.connectors.liveobjects.config import LiveObjectsConfig
from parvis.fleet.commands.downlink import NotSendable, NotSentNow, Order
from parvis.kernel.outbound import Answer, OutboundHttp

_TRY_AGAIN = frozenset({408, 425, 429})
_LONGEST_DETAIL = 200


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
        if answer.status >= 500 or answer.status in _TRY_AGAIN:
            raise NotSentNow(_said(answer))
        if answer.status >= 300:
            raise NotSendable(_said(answer))


def _said(answer: Answer) -> str:
    return f"Live Objects answers {answer.status}: {answer.body.decode(errors='replace')[:_LONGEST_DETAIL]}"
