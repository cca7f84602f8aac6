"""Commands to The Things Stack's HTTP API, over a real connection to a server that answers as a test wants."""

from collections.abc import AsyncIterator

import pytest

from parvis.connectors.thingsstack.client import ThingsStackCommands
from parvis.connectors.thingsstack.config import ThingsStackConfig
from parvis.fleet.commands.downlink import NotSendable, NotSentNow, Order
from parvis.fleet.model.delivery import Outlet
from parvis.kernel.outbound import CallFailed
from parvis.outbound.client import GuardedClient
from tests.fakes.receiver import Receiver

ORDER = Order(
    "7c3d2a10-0000-4000-8000-000000000009", "default", "70b3d5499e000001", "bins@ttn/market", 10, b"\1", True, 60
)


@pytest.fixture
async def cluster() -> AsyncIterator[Receiver]:
    async with Receiver().listening() as receiver:
        yield receiver


def commands(cluster: Receiver, outbound: GuardedClient) -> ThingsStackCommands:
    config = ThingsStackConfig(cluster.url.removesuffix("/notify"), "SECRET")
    return ThingsStackCommands(config, outbound, Outlet())


async def test_a_command_is_pushed_to_its_device(cluster: Receiver, outbound: GuardedClient) -> None:
    await commands(cluster, outbound).send(ORDER)
    (heard,) = cluster.heard
    assert heard.head.startswith("POST /api/v3/as/applications/bins/devices/market/down/push HTTP/1.1\r\n")
    assert "authorization: bearer secret\r\n" in heard.head.lower()
    assert heard.document["downlinks"][0]["frm_payload"] == "AQ=="


@pytest.mark.parametrize(
    ("status", "fault"),
    [(401, NotSendable), (404, NotSendable), (429, NotSentNow), (500, NotSentNow), (503, NotSentNow)],
)
async def test_what_it_answers_is_told_apart(
    cluster: Receiver, outbound: GuardedClient, status: int, fault: type[Exception]
) -> None:
    cluster.answer = lambda _document: (status, "")
    with pytest.raises(fault):
        await commands(cluster, outbound).send(ORDER)


async def test_a_cluster_that_is_not_there_is_tried_again(outbound: GuardedClient) -> None:
    config = ThingsStackConfig("http://127.0.0.1:9", "SECRET")
    with pytest.raises(CallFailed):
        await ThingsStackCommands(config, outbound, Outlet()).send(ORDER)


@pytest.mark.parametrize("route", ["", "bins", "bins/../../x", "Bins/market", "bins/a/b"])
async def test_a_route_that_names_no_device_is_no_path(cluster: Receiver, outbound: GuardedClient, route: str) -> None:
    order = Order("c", "default", "70b3d5499e000001", route, 10, b"\1", False, 60)
    with pytest.raises(NotSendable):
        await commands(cluster, outbound).send(order)
    assert cluster.heard == []


async def test_without_a_key_and_of_other_tenants_it_goes_to_who_listens_on_mqtt(
    cluster: Receiver, outbound: GuardedClient
) -> None:
    told: list[tuple[str, str]] = []

    def tell(tenant: str, topic: str, _payload: bytes) -> bool:
        told.append((tenant, topic))
        return tenant == "default"

    outlet = Outlet()
    await_none = ThingsStackCommands(ThingsStackConfig(), outbound, outlet)
    with pytest.raises(NotSentNow):
        await await_none.send(ORDER)
    outlet.open(tell)
    await await_none.send(ORDER)
    assert told == [("default", "v3/bins@ttn/devices/market/down/push")]
    config = ThingsStackConfig(cluster.url.removesuffix("/notify"), "SECRET")
    neighbours = Order("c", "neighbour", "70b3d5499e000001", "bins/market", 10, b"\1", False, 60)
    with pytest.raises(NotSentNow):
        await ThingsStackCommands(config, outbound, outlet).send(neighbours)
    assert cluster.heard == []
