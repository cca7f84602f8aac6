"""Against a controller of the library's own; and, where one is there, the server of bacnet-stack (written in C)."""

import asyncio
import os
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from bacpypes3.apdu import ErrorRejectAbortNack
from bacpypes3.errors import ExecutionError
from bacpypes3.ipv4.app import NormalApplication
from bacpypes3.local.analog import AnalogInputObject, AnalogValueObject
from bacpypes3.local.binary import BinaryValueObject
from bacpypes3.local.device import DeviceObject
from bacpypes3.pdu import IPv4Address
from bacpypes3.service.cov import ChangeOfValueServices
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from parvis.connectors.bacnet import client
from parvis.connectors.bacnet.client import BacnetFollower, BacnetPort, BacnetReader, PointCommands
from parvis.connectors.bacnet.config import BacnetConfig, BacnetDevice
from parvis.connectors.bacnet.mapping import Point
from parvis.connectors.bacnet.plugin import build
from parvis.fleet.commands.downlink import NotSendable, NotSentNow, Order
from parvis.fleet.devices.registry import DeviceRecord
from parvis.fleet.model.uplink import NO_COUNTER, Technology
from parvis.fleet.ways.connector import InvalidConnector
from parvis.fleet.ways.polling import NoAnswer
from parvis.kernel.errors import Overloaded
from tests.connectors.town import CALLER, at_work, open_town
from tests.system_tools import free_port

HOST = "127.0.0.1"
NOW = 1_790_000_000_000_000
I_AM_1001 = bytes.fromhex("81 0a 00 14 01 00 10 00 c4 02 00 03 e9 22 05 c4 91 03 21 00")
"""Device 1001 (ASHRAE 135, Annexes F and J): 1476 octets an APDU, no segmentation, vendor 0."""
POINTS = (
    Point("supply_c", "analog-input,1"),
    Point("set_point_c", "analog-value,1", is_writable=True, least=5, most=30),
    Point("is_on", "binary-value,1", is_writable=True),
)


class _Server(NormalApplication, ChangeOfValueServices):  # type: ignore[misc]
    does_read_several = True

    def __init__(self, port: int) -> None:
        device = DeviceObject(
            objectIdentifier="device,1001",
            objectName="controller",
            vendorIdentifier=999,
            maxApduLengthAccepted=1024,
            segmentationSupported="segmented-both",
            maxSegmentsAccepted=16,
        )
        NormalApplication.__init__(self, device, IPv4Address(f"{HOST}/32:{port}"))
        ChangeOfValueServices.__init__(self)
        self.asked_several = 0

    async def do_ReadPropertyMultipleRequest(self, apdu: Any) -> None:  # noqa: N802
        self.asked_several += 1
        if not self.does_read_several:
            raise ExecutionError("services", "service-request-denied")
        await super().do_ReadPropertyMultipleRequest(apdu)


@dataclass
class Controller:
    server: _Server
    port: int
    supply: Any
    set_point: Any
    is_on: Any

    @property
    def address(self) -> str:
        return f"{HOST}:{self.port}"


@pytest.fixture
async def controller() -> AsyncIterator[Controller]:
    port = free_port()
    server = _Server(port)
    supply = AnalogInputObject(
        objectIdentifier="analog-input,1", objectName="supply", presentValue=61.5, covIncrement=0.5
    )
    set_point = AnalogValueObject(
        objectIdentifier="analog-value,1", objectName="set", presentValue=21.5, covIncrement=0.1
    )
    is_on = BinaryValueObject(objectIdentifier="binary-value,1", objectName="on", presentValue="active")
    for one in (supply, set_point, is_on):
        server.add_object(one)
    await asyncio.gather(*server.normal.server._transport_tasks)
    yield Controller(server, port, supply, set_point, is_on)
    server.close()
    await asyncio.sleep(0)


@pytest.fixture
def config() -> BacnetConfig:
    return BacnetConfig(f"{HOST}/32:{free_port()}", timeout_s=1.0)


@pytest.fixture
async def port(config: BacnetConfig) -> AsyncIterator[BacnetPort]:
    port = BacnetPort(config)
    async with port.opened():
        yield port


def reader(port: BacnetPort, address: str, points: tuple[Point, ...] = POINTS) -> BacnetReader:
    device = BacnetDevice("bacnet-school", 1001, "school", address)
    return BacnetReader(device, points, port, clock=lambda: NOW)


async def test_points_are_read_by_one_request(controller: Controller, port: BacnetPort) -> None:
    (uplink,) = await reader(port, controller.address).read()
    assert uplink.fields == {"supply_c": 61.5, "set_point_c": 21.5, "is_on": True}
    assert controller.server.asked_several == 1
    assert (uplink.hardware_id, uplink.f_cnt, uplink.received_at) == ("bacnet-school", NO_COUNTER, NOW)
    assert (uplink.technology, uplink.way, uplink.route) == (Technology.WIRED, "bacnet", "bacnet-school")


async def test_a_controller_that_reads_one_by_one_is_read_one_by_one(controller: Controller, port: BacnetPort) -> None:
    controller.server.does_read_several = False
    one = reader(port, controller.address)
    for _ in range(2):
        (uplink,) = await one.read()
        assert uplink.fields == {"supply_c": 61.5, "set_point_c": 21.5, "is_on": True}
    assert controller.server.asked_several == 1


async def test_an_object_that_is_not_there_spoils_no_other(controller: Controller, port: BacnetPort) -> None:
    points = (*POINTS, Point("gone", "analog-input,99"))
    (uplink,) = await reader(port, controller.address, points).read()
    assert uplink.fields == {"supply_c": 61.5, "set_point_c": 21.5, "is_on": True}
    with pytest.raises(NoAnswer, match="none of its points"):
        await reader(port, controller.address, (Point("gone", "analog-input,99"),)).read()


async def test_a_controller_that_is_silent_is_told(port: BacnetPort, free_port: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind((HOST, free_port))
        with pytest.raises(NoAnswer):
            await reader(port, f"{HOST}:{free_port}").read()


async def test_a_controller_is_looked_for_by_its_number() -> None:
    """It hears the broadcast and answers from another address: by hand, for on one machine the library hears itself."""
    number = free_port()
    asking = BacnetPort(BacnetConfig(f"{HOST}/8:{number}", timeout_s=2.0))
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as hears,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as answers,
    ):
        hears.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        hears.bind(("127.255.255.255", number))
        hears.setblocking(False)
        answers.bind((HOST, 0))
        async with asking.opened():
            finding = asyncio.create_task(asking.find(1001))
            asked = await asyncio.get_running_loop().sock_recv(hears, 1500)
            answers.sendto(I_AM_1001, (HOST, number))
            assert str(await finding) == f"{HOST}:{answers.getsockname()[1]}"
            with pytest.raises(NoAnswer, match="1002"):
                await asking.find(1002)
    assert asked[-6:] == bytes.fromhex("0a 03 e9 1a 03 e9")


async def test_the_port_is_not_shared_with_another(config: BacnetConfig) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind((HOST, int(config.address.rpartition(":")[2])))
        with pytest.raises(OSError, match="in use"):
            async with BacnetPort(config).opened():
                pass


def order(payload: str, hardware_id: str = "bacnet-school") -> Order:
    return Order("c-1", "default", hardware_id, hardware_id, 1, payload.encode(), True, 60)


async def test_a_command_writes_the_points_it_names(controller: Controller, port: BacnetPort) -> None:
    commands = PointCommands([reader(port, controller.address)])
    await commands.send(order('{"set_point_c": 19.5, "is_on": false}'))
    assert controller.set_point.presentValue == 19.5
    assert str(controller.is_on.presentValue) == "inactive"
    for payload, reason in (
        ('{"set_point_c": 31}', "not between"),
        ('{"supply_c": 20}', "may not be written"),
        ('{"elsewhere": 20}', "no point elsewhere"),
        ('{"set_point_c": "warm"}', "no values"),
        ("{", "no values"),
    ):
        with pytest.raises(NotSendable, match=reason):
            await commands.send(order(payload))
    with pytest.raises(NotSendable, match="no such device"):
        await commands.send(order("{}", "elsewhere"))


async def test_a_command_waits_where_the_controller_is_silent_or_another_process_speaks(
    config: BacnetConfig, free_port: int
) -> None:
    port = BacnetPort(config)
    commands = PointCommands([reader(port, f"{HOST}:{free_port}")])
    with pytest.raises(NotSentNow, match="another process"):
        await commands.send(order('{"is_on": true}'))
    async with port.opened():
        with pytest.raises(NotSentNow):
            await commands.send(order('{"is_on": true}'))


async def test_nobody_changes_the_platform_or_silences_it(
    controller: Controller, port: BacnetPort, config: BacnetConfig
) -> None:
    ours = config.address.replace("/32", "")
    with pytest.raises(ErrorRejectAbortNack, match="write-access-denied"):
        await controller.server.write_property(ours, f"device,{config.instance}", "object-name", "mine")


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary(max_size=200), st.booleans())
async def test_noise_on_the_port_stops_nothing(
    port: BacnetPort, config: BacnetConfig, noise: bytes, has_head: bool
) -> None:
    datagram = (b"\x81\x0a" + (len(noise) + 4).to_bytes(2, "big") if has_head else b"") + noise
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(datagram, (HOST, int(config.address.rpartition(":")[2])))
    await asyncio.sleep(0.001)
    assert port.is_open


async def test_the_port_still_hears_after_noise(controller: Controller, port: BacnetPort, config: BacnetConfig) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for noise in (b"", b"\x81", b"\x81\x0a\x00\x08\x01\x00\x10\x08\xff", b"\x81\x0a\x00\x06\x01\x04", bytes(1400)):
            sender.sendto(noise, (HOST, int(config.address.rpartition(":")[2])))
    (uplink,) = await reader(port, controller.address).read()
    assert uplink.fields


PROFILE = """
[profile]
id = "school"
name = "Heating of a school"
entity_type = "IndoorEnvironmentObserved"
codec = ""
[[attribute]]
field = "set_point_c"
name = "temperature"
unit_code = "CEL"
"""
LIST = """
[[point]]
name = "set_point_c"
object = "analog-value,1"
is_writable = true
"""
ROOM = "urn:ngsi-ld:IndoorEnvironmentObserved:school"


def write_profile(folder: Path, points: str = LIST) -> None:
    (folder / "profiles/school").mkdir(parents=True)
    (folder / "profiles/school/profile.toml").write_text(PROFILE)
    (folder / "profiles/school/points.toml").write_text(points)


def table(config: BacnetConfig, address: str = f"{HOST}:47808", **more: Any) -> dict[str, Any]:
    device = {"hardware_id": "bacnet-school", "instance": 1001, "profile": "school", "address": address, **more}
    return {"address": config.address, "timeout_s": 1.0, "device": [device]}


async def test_changes_are_told_at_once(tmp_path: Path, controller: Controller, config: BacnetConfig) -> None:
    write_profile(tmp_path)
    async with open_town(tmp_path) as town:
        await town.fleet.register(CALLER, [DeviceRecord("bacnet-school", "school", ROOM)])
        connector = build(town.surroundings(table(config, controller.address, every_s=3600)))
        async with at_work(connector, "listen"):
            assert (await town.eventually(ROOM, "temperature")).value == 21.5
            controller.set_point.presentValue = 23.0
            async with asyncio.timeout(5):
                while await town.value(ROOM, "temperature") != 23.0:  # noqa: ASYNC110 (the follower tells nobody)
                    await asyncio.sleep(0.02)


async def test_a_controller_that_tells_no_changes_is_read_in_turn(
    tmp_path: Path, controller: Controller, config: BacnetConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(_apdu: Any) -> None:
        raise ExecutionError("services", "optional-functionality-not-supported")

    monkeypatch.setattr(controller.server, "do_SubscribeCOVRequest", refuse)
    write_profile(tmp_path)
    async with open_town(tmp_path) as town:
        await town.fleet.register(CALLER, [DeviceRecord("bacnet-school", "school", ROOM)])
        connector = build(town.surroundings(table(config, controller.address, every_s=0.1)))
        async with at_work(connector, "listen"):
            assert (await town.eventually(ROOM, "temperature")).value == 21.5
            controller.set_point.presentValue = 23.0
            async with asyncio.timeout(5):
                while await town.value(ROOM, "temperature") != 23.0:  # noqa: ASYNC110 (the poller tells nobody)
                    await asyncio.sleep(0.02)


async def test_changes_that_cannot_be_stored_wait_one_a_point(
    tmp_path: Path, controller: Controller, port: BacnetPort
) -> None:
    async with open_town(tmp_path) as town:
        follower = BacnetFollower(reader(port, controller.address), 1, town.fleet, CALLER, 60)
        await follower.subscribe()
        for degrees in range(22, 30):
            controller.set_point.presentValue = float(degrees)
            await asyncio.sleep(0.01)
        async with asyncio.timeout(5):
            while follower._changed.get("set_point_c") != 29.0:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert follower._changed.keys() <= {point.name for point in POINTS}


async def test_changes_outlive_a_fault_of_the_store(
    tmp_path: Path, controller: Controller, port: BacnetPort, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "_STORE_AGAIN_AFTER_S", 0.05)
    taken: list[dict[str, Any] | None] = []
    faults: list[Exception] = [Overloaded("Not now."), RuntimeError("a fault")]

    async def take(_caller: Any, uplinks: list[Any]) -> list[None]:
        if faults:
            raise faults.pop()
        taken.append(uplinks[0].fields)
        return [None]

    async with open_town(tmp_path) as town:
        monkeypatch.setattr(town.fleet, "take", take)
        follower = BacnetFollower(reader(port, controller.address), 1, town.fleet, CALLER, 60)
        running = asyncio.create_task(follower.run())
        async with asyncio.timeout(5):
            while not taken:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        running.cancel()
        await asyncio.wait((running,))
    assert taken[0] == {"supply_c": 61.5, "set_point_c": 21.5, "is_on": True}


@pytest.mark.parametrize(
    ("points", "more", "fault"),
    [
        (LIST + LIST, {}, "two points have the name set_point_c"),
        ('[[point]]\nname = "a"\nobject = "teapot,1"', {}, "points.toml"),
        ('[[point]]\nname = "a"\nobject = "analog-value"', {}, "object"),
        ("", {}, "point"),
        (LIST, {"profile": "elsewhere"}, "elsewhere/points.toml"),
        (LIST, {"instance": -1}, "instance"),
        (LIST, {"address": ""}, "has no address"),
        (
            LIST,
            {
                "device": [
                    {"hardware_id": "bacnet-school", "instance": 1, "profile": "school", "address": "controller.local"}
                ]
            },
            "address",
        ),
    ],
)
async def test_what_is_wrong_with_the_settings_is_told(
    tmp_path: Path, config: BacnetConfig, points: str, more: dict[str, Any], fault: str
) -> None:
    write_profile(tmp_path, points)
    async with open_town(tmp_path) as town:
        with pytest.raises(InvalidConnector, match=fault):
            build(town.surroundings({**table(config), **more} if "device" in more else table(config, **more)))


@pytest.fixture
def bacserv() -> Iterator[str]:
    """The demonstration server of bacnet-stack, which no distribution packages: PARVIS_BACSERV says where it is."""
    program = os.environ.get("PARVIS_BACSERV")
    if program is None:
        pytest.skip("PARVIS_BACSERV names no server of bacnet-stack")
    number = free_port()
    environment = {**os.environ, "BACNET_IFACE": "lo", "BACNET_IP_PORT": str(number)}
    with subprocess.Popen([program, "1234"], env=environment, stdout=subprocess.DEVNULL) as running:
        yield f"{HOST}:{number}"
        running.terminate()


async def test_a_server_written_by_others_is_read_written_and_followed(
    tmp_path: Path, bacserv: str, port: BacnetPort
) -> None:
    points = (
        Point("value", "analog-value,1", is_writable=True),
        Point("is_on", "binary-value,1", is_writable=True),
        Point("step", "multi-state-value,1"),
        Point("gone", "analog-value,99"),
    )
    one = reader(port, bacserv, points)
    await asyncio.sleep(0.5)
    (before,) = await one.read()
    assert before.fields is not None
    assert before.fields.keys() == {"value", "is_on", "step"}
    async with open_town(tmp_path) as town:
        follower = BacnetFollower(one, 1, town.fleet, CALLER, 60)
        await follower.subscribe()
        await PointCommands([one]).send(order('{"value": 19.5, "is_on": true}'))
        async with asyncio.timeout(10):
            while follower._changed.get("value") != 19.5:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
    (after,) = await one.read()
    assert after.fields is not None
    assert (after.fields["value"], after.fields["is_on"]) == (19.5, True)
