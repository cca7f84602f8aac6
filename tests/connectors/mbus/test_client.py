"""Against a line of meters on TCP that does what EN 13757-2 and -3 ask of a slave."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from parvis.connectors.mbus.client import MOST_TELEGRAMS, MBusLine, MeterReader
from parvis.connectors.mbus.codec import ACK, NETWORK_LAYER, decode_frame
from parvis.connectors.mbus.config import Meter
from parvis.connectors.mbus.plugin import build
from parvis.fleet.devices.registry import DeviceRecord
from parvis.fleet.model.uplink import NO_COUNTER, Technology
from parvis.fleet.ways.connector import InvalidConnector
from parvis.fleet.ways.polling import NoAnswer
from tests.connectors.mbus.telegrams import FIRST, FIRST_OF_6, HEAT, SECOND_OF_6, answer
from tests.connectors.town import CALLER, at_work, open_town

NOW = 1_790_000_000_000_000
HOST = "127.0.0.1"


@dataclass
class SimulatedMeter:
    address: int
    secondary: str
    telegrams: list[bytes]
    turn: int = 0
    frame_count: bool | None = None

    def answer(self, control: int) -> bytes:
        """A request with the frame count bit as before asks for the same telegram again (EN 13757-2, 5.7)."""
        bit = bool(control & 0x20)
        if self.frame_count is not None and bit != self.frame_count:
            self.turn = (self.turn + 1) % len(self.telegrams)
        self.frame_count = bit
        return self.telegrams[self.turn]

    def reset(self) -> None:
        self.turn, self.frame_count = 0, None

    def is_meant(self, selection: bytes) -> bool:
        wanted = selection[3::-1].hex() + selection[5:3:-1].hex() + selection[6:8].hex()
        return all(one in ("f", other) for one, other in zip(wanted, self.secondary, strict=True))


@dataclass
class SimulatedLine:
    """Answers like the meters on it; `echo` like a converter that hears itself."""

    meters: list[SimulatedMeter]
    echo: bool = False
    noise: bytes = b""
    selected: SimulatedMeter | None = None
    port: int = 0
    served: dict[asyncio.Task[None], asyncio.StreamWriter] = field(default_factory=dict)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.served[task] = writer
        try:
            while True:
                writer.write(self.respond(await self.read(reader)))
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def read(self, reader: asyncio.StreamReader) -> bytes:
        head = await reader.readexactly(4)
        if head[0] == 0x10:
            return head + await reader.readexactly(1)
        return head + await reader.readexactly(head[1] + 2)

    def respond(self, asked: bytes) -> bytes:
        said = self.noise + (asked if self.echo else b"")
        if asked[0] == 0x68:
            selection = decode_frame(asked).data
            self.selected = next((one for one in self.meters if one.is_meant(selection)), None)
            return said + (ACK if self.selected else b"")
        control, address = asked[1], asked[2]
        meter = self.find(address)
        if control == 0x40:
            self.selected = None if address == NETWORK_LAYER else self.selected
            if meter:
                meter.reset()
            return said + (ACK if meter and address != NETWORK_LAYER else b"")
        return said + (meter.answer(control) if meter else b"")

    def find(self, address: int) -> SimulatedMeter | None:
        if address == NETWORK_LAYER:
            return self.selected
        return next((one for one in self.meters if one.address == address), None)


@pytest.fixture
async def line() -> AsyncIterator[SimulatedLine]:
    served = SimulatedLine(
        [
            SimulatedMeter(5, "1020304004430704", [HEAT]),
            SimulatedMeter(6, "9999999904430704", [FIRST_OF_6, SECOND_OF_6]),
        ]
    )
    server = await asyncio.start_server(served.serve, HOST, 0)
    served.port = server.sockets[0].getsockname()[1]
    yield served
    server.close()
    for writer in served.served.values():
        writer.close()
    if served.served:
        await asyncio.wait(served.served)


def meter(port: int, **how: Any) -> Meter:
    return Meter("heat-school", HOST, port, **{"timeout_s": 3.0, **how})


async def read(line: MBusLine, which: Meter) -> Any:
    try:
        ((uplink),) = await MeterReader(which, line, clock=lambda: NOW).read()
        return uplink
    finally:
        line.close()


async def test_a_meter_is_asked_by_its_address(line: SimulatedLine) -> None:
    uplink = await read(MBusLine(HOST, line.port), meter(line.port, address=5))
    assert uplink.fields["energy_wh"] == 123_456_000
    assert (uplink.hardware_id, uplink.payload, uplink.f_cnt) == ("heat-school", HEAT, NO_COUNTER)
    assert (uplink.technology, uplink.way, uplink.received_at) == (Technology.WIRED, "mbus", NOW)


@pytest.mark.parametrize("secondary", ["1020304004430704", "10203040FFFFFFFF", "1FFFFFFFFFFFFFFF"])
async def test_a_meter_is_selected_by_its_secondary_address(line: SimulatedLine, secondary: str) -> None:
    uplink = await read(MBusLine(HOST, line.port), meter(line.port, secondary=secondary))
    assert uplink.fields["fabrication_number"] == "10203040"


async def test_an_answer_of_several_telegrams_is_put_together(line: SimulatedLine) -> None:
    uplink = await read(MBusLine(HOST, line.port), meter(line.port, address=6))
    assert (uplink.fields["energy_wh"], uplink.fields["power_w"]) == (123_456_000, 68_900)
    assert uplink.payload == FIRST_OF_6 + SECOND_OF_6


async def test_a_meter_that_never_ends_is_left(line: SimulatedLine) -> None:
    line.meters = [SimulatedMeter(5, "1020304004430704", [FIRST])]
    uplink = await read(MBusLine(HOST, line.port), meter(line.port, address=5))
    assert uplink.payload == FIRST * MOST_TELEGRAMS


async def test_echo_and_noise_are_passed_over(line: SimulatedLine) -> None:
    line.echo, line.noise = True, b"\x00\xff"
    uplink = await read(MBusLine(HOST, line.port), meter(line.port, address=5))
    assert uplink.fields["energy_wh"] == 123_456_000


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ({"address": 77}, r"within 0\.2 s"),
        ({"secondary": "77777777FFFFFFFF"}, r"within 0\.5 s"),
    ],
)
async def test_a_meter_that_is_not_there_is_told(line: SimulatedLine, how: dict[str, Any], reason: str) -> None:
    timeout_s = 0.2 if "address" in how else 0.5
    with pytest.raises(NoAnswer, match=reason):
        await read(MBusLine(HOST, line.port), meter(line.port, timeout_s=timeout_s, **how))


async def test_the_answer_of_another_meter_is_not_taken(line: SimulatedLine) -> None:
    line.meters[0].telegrams = [answer("01 5b 14", address=9)]
    with pytest.raises(NoAnswer, match="address 9 answers"):
        await read(MBusLine(HOST, line.port), meter(line.port, address=5))
    line.meters[0].telegrams = [answer("01 5b 14", identification="55555555")]
    with pytest.raises(NoAnswer, match="55555555 answers"):
        await read(MBusLine(HOST, line.port), meter(line.port, secondary="10203040FFFFFFFF"))


async def test_two_meters_of_a_line_take_turns(line: SimulatedLine) -> None:
    shared = MBusLine(HOST, line.port)
    readers = [MeterReader(meter(line.port, address=at), shared) for at in (5, 6, 5, 6)]
    answers = await asyncio.gather(*(one.read() for one in readers))
    assert [one[0].payload for one in answers] == [HEAT, FIRST_OF_6 + SECOND_OF_6] * 2
    shared.close()


async def test_a_gateway_that_hangs_up_or_is_not_there_is_told(free_port: int) -> None:
    with pytest.raises(NoAnswer):
        await read(MBusLine(HOST, free_port), meter(free_port, address=5))

    async def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(hang_up, HOST, free_port)
    with pytest.raises(NoAnswer):
        await read(MBusLine(HOST, free_port), meter(free_port, address=5))
    server.close()


async def test_a_meter_is_asked_and_its_entity_tells(tmp_path: Path, line: SimulatedLine) -> None:
    entity = "urn:ngsi-ld:HeatMeterObserved:school"
    table = {"meter": [{"hardware_id": "heat-school", "host": HOST, "port": line.port, "address": 5, "every_s": 0.05}]}
    async with open_town(tmp_path) as town:
        await town.fleet.register(CALLER, [DeviceRecord("heat-school", "mbus-heat-meter", entity)])
        async with at_work(build(town.surroundings(table)), "poll"):
            read = await town.eventually(entity, "energyConsumed")
        assert (read.value, read.unit_code) == (123_456.0, "KWH")
        assert await town.value(entity, "flowTemperature") == 71.3


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ({"port": 70_000, "address": 1}, "port"),
        ({"port": 10_001}, "either an address or a secondary"),
        ({"port": 10_001, "address": 1, "secondary": "1020304004430704"}, "either an address or a secondary"),
        ({"port": 10_001, "secondary": "12"}, "secondary"),
        ({"port": 10_001, "address": 251}, "address"),
    ],
)
async def test_what_is_wrong_with_the_settings_is_told(tmp_path: Path, settings: dict[str, Any], fault: str) -> None:
    async with open_town(tmp_path) as town:
        table = {"meter": [{"hardware_id": "heat-school", "host": HOST, **settings}]}
        with pytest.raises(InvalidConnector, match=fault):
            build(town.surroundings(table))
