"""Commands to The Things Stack: over its HTTP API, or to whoever relays our MQTT topics to it."""

import re
from urllib.parse import quote

from parvis.connectors.thingsstack.codec import encode_downlinks
from parvis.connectors.thingsstack.config import ThingsStackConfig
from parvis.fleet.commands.downlink import NotSendable, NotSentNow, Order, check_taken
from parvis.fleet.model.delivery import Outlet
from parvis.kernel.outbound import OutboundHttp

_ROUTE = re.compile(r"([a-z0-9-]{1,36})(@[a-z0-9-]{1,36})?/([a-z0-9-]{1,36})")


class ThingsStackCommands:
    """CommandSender. The Things Stack enqueues what it is given: a command repeated after a crash is sent twice."""

    def __init__(self, config: ThingsStackConfig, outbound: OutboundHttp, outlet: Outlet) -> None:
        self._config = config
        self._outbound = outbound
        self._outlet = outlet

    async def send(self, order: Order) -> None:
        matched = _ROUTE.fullmatch(order.route)
        if matched is None:
            raise NotSendable(f"{order.route[:100]!r} names no device of The Things Stack")
        application, tenant, device = matched[1], matched[2] or "", matched[3]
        body = encode_downlinks(order.command_id, order.f_port, order.payload, is_confirmed=order.is_confirmed)
        if self._config.url and order.tenant in self._config.tenants:
            await self._push(application, device, body)
        elif not self._outlet.tell(order.tenant, f"v3/{application}{tenant}/devices/{device}/down/push", body):
            raise NotSentNow("no api_key for The Things Stack is set, and nobody has subscribed to its topics")

    async def _push(self, application: str, device: str, body: bytes) -> None:
        path = f"/api/v3/as/applications/{quote(application)}/devices/{quote(device)}/down/push"
        headers = {"authorization": f"Bearer {self._config.api_key}", "content-type": "application/json"}
        answer = await self._outbound.post(self._config.url + path, body, headers)
        check_taken("The Things Stack", answer)
