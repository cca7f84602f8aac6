"""Commands to Live Objects' HTTP API, over a real connection to a server that answers as a test wants."""

from collections.abc import AsyncIterator

import pytest

from parvis.connectors.liveobjects.client import LiveObjectsCommands
from parvis.connectors.liveobjects.config import LiveObjectsConfig
from parvis.fleet.commands.downlink import NotSendable, NotSentNow, Order
from parvis.outbound.client import GuardedClient
from tests.fakes.receiver import Receiver

ORDER = Order("7c3d2a10-0000-4000-8000-000000000009", "default", "70b3d5499e000001", "device", 10, b"\1", False, 60)


@pytest.fixture
async def service() -> AsyncIterator[Receiver]:
    async with Receiver().listening() as receiver:
        yield receiver


async def test_a_command_is_pushed_to_its_device(service: Receiver, outbound: GuardedClient) -> None:
    config = LiveObjectsConfig(service.url.removesuffix("/notify"), "SECRET")
    await LiveObjectsCommands(config, outbound).send(ORDER)
    (heard,) = service.heard
    path = "/api/v1/deviceMgt/devices/urn:lo:nsid:lora:70B3D5499E000001/commands"
    assert heard.head.startswith(f"POST {path} HTTP/1.1\r\n")
    assert "x-api-key: secret\r\n" in heard.head.lower()
    assert heard.document["request"]["value"]["data"] == "01"


@pytest.mark.parametrize(
    ("status", "fault"), [(403, NotSendable), (404, NotSendable), (429, NotSentNow), (502, NotSentNow)]
)
async def test_what_it_answers_is_told_apart(
    service: Receiver, outbound: GuardedClient, status: int, fault: type[Exception]
) -> None:
    service.answer = lambda _document: (status, "")
    config = LiveObjectsConfig(service.url.removesuffix("/notify"), "SECRET")
    with pytest.raises(fault):
        await LiveObjectsCommands(config, outbound).send(ORDER)


@pytest.mark.parametrize("config", [LiveObjectsConfig(), LiveObjectsConfig(api_key="SECRET", tenants=("neighbour",))])
async def test_without_a_key_for_the_tenant_it_waits(outbound: GuardedClient, config: LiveObjectsConfig) -> None:
    with pytest.raises(NotSentNow):
        await LiveObjectsCommands(config, outbound).send(ORDER)
