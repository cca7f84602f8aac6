"""Against servers of others: pyModbusTCP for TCP, pymodbus' own for RTU over TCP."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Literal

import pytest
from pymodbus.framer import FramerType
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice
from pyModbusTCP.server import DataBank, ModbusServer

from parvis.connectors.modbus.client import ModbusLink, ModbusReader, RegisterCommands
from parvis.connectors.modbus.codec import RegisterType, UnreadableRegister
from parvis.connectors.modbus.config import ModbusDevice
from parvis.connectors.modbus.mapping import MapDocument, Register, RegisterMap, Table
from parvis.fleet.commands.downlink import NotSendable, NotSentNow, Order
from parvis.fleet.model.uplink import NO_COUNTER, Technology
from parvis.fleet.ways.polling import NoAnswer
from tests.system_tools import free_port

NOW = 1_790_000_000_000_000
HOST = "127.0.0.1"
Framing = Literal["tcp", "rtu"]


@pytest.fixture
def server() -> Iterator[ModbusServer]:
    running = ModbusServer(HOST, free_port(), no_block=True, data_bank=DataBank(h_regs_size=100, i_regs_size=100))
    running.start()
    yield running
    running.stop()


class Readers:
    """Makes readers whose connections are closed in the end."""

    def __init__(self) -> None:
        self.links: list[ModbusLink] = []

    def __call__(
        self, port: int, *registers: Register, timeout_s: float = 2.0, framing: Framing = "tcp"
    ) -> ModbusReader:
        device = ModbusDevice("plant-room-1", HOST, "boiler", port=port, timeout_s=timeout_s, framing=framing)
        self.links.append(ModbusLink(HOST, port, framing))
        return ModbusReader(device, RegisterMap(MapDocument(registers)), self.links[-1], clock=lambda: NOW)


@pytest.fixture
async def reader() -> AsyncIterator[Readers]:
    made = Readers()
    yield made
    for link in made.links:
        link.close()
    await asyncio.sleep(0)


async def test_registers_of_all_tables_are_read(server: ModbusServer, reader: Readers) -> None:
    server.data_bank.set_holding_registers(10, [0x42F6, 0x0000])
    server.data_bank.set_input_registers(3, [215])
    server.data_bank.set_coils(1, [True])
    server.data_bank.set_discrete_inputs(17, [True])
    one = reader(
        server.port,
        Register("energy", 10, RegisterType.FLOAT32),
        Register("temperature", 3, RegisterType.INT16, Table.INPUT, scale=0.1),
        Register("pump", 1, table=Table.COIL),
        Register("alarm", 17, table=Table.DISCRETE_INPUT),
    )
    (uplink,) = await one.read()
    assert uplink.fields == {"energy": 123.0, "temperature": 21.5, "pump": True, "alarm": True}
    assert (uplink.hardware_id, uplink.f_cnt, uplink.received_at) == ("plant-room-1", NO_COUNTER, NOW)
    assert (uplink.technology, uplink.way) == (Technology.WIRED, "modbus")


async def test_a_device_that_refuses_the_gap_is_read_around_it(server: ModbusServer, reader: Readers) -> None:
    server.data_bank.set_holding_registers(98, [7])
    one = reader(server.port, Register("near", 98), Register("beyond", 104))
    (uplink,) = await one.read()
    assert uplink.fields == {"near": 7}
    (again,) = await one.read()
    assert again.fields == {"near": 7}


async def test_a_device_without_any_of_its_registers_is_told(server: ModbusServer, reader: Readers) -> None:
    with pytest.raises(NoAnswer, match="none of its registers"):
        await reader(server.port, Register("beyond", 200)).read()


async def test_a_register_is_written_where_the_map_says_so(server: ModbusServer, reader: Readers) -> None:
    one = reader(
        server.port,
        Register("set_point", 20, RegisterType.INT16, scale=0.1, is_writable=True, most=25),
        Register("limit", 30, RegisterType.FLOAT32, is_writable=True),
        Register("pump", 5, table=Table.COIL, is_writable=True),
        Register("serial", 40),
    )
    await one.write("set_point", 19.5)
    await one.write("limit", 123.0)
    await one.write("pump", True)
    assert server.data_bank.get_holding_registers(20, 1) == [195]
    assert server.data_bank.get_holding_registers(30, 2) == [0x42F6, 0]
    assert server.data_bank.get_coils(5, 1) == [True]
    with pytest.raises(UnreadableRegister):
        await one.write("set_point", 26)
    with pytest.raises(KeyError):
        await one.write("serial", 1)


def order(payload: str, hardware_id: str = "plant-room-1") -> Order:
    return Order("c-1", "default", hardware_id, hardware_id, 1, payload.encode(), True, 60)


async def test_a_command_writes_the_registers_it_names(server: ModbusServer, reader: Readers) -> None:
    one = reader(
        server.port,
        Register("set_point", 20, RegisterType.INT16, scale=0.1, is_writable=True, most=25),
        Register("pump", 5, table=Table.COIL, is_writable=True),
        Register("beyond", 200, is_writable=True),
        Register("serial", 40),
    )
    commands = RegisterCommands([one])
    await commands.send(order('{"set_point": 20.5, "pump": true}'))
    assert server.data_bank.get_holding_registers(20, 1) == [205]
    assert server.data_bank.get_coils(5, 1) == [True]
    for payload, reason in (
        ('{"pump": false, "set_point": 26}', "not between"),
        ('{"pump": false, "serial": 1}', "nobody write"),
        ('{"set_point": "warm"}', "no values"),
        ("\\x00", "no values"),
        ('{"beyond": 1}', "ILLEGAL_ADDRESS"),
    ):
        with pytest.raises(NotSendable, match=reason):
            await commands.send(order(payload))
    assert server.data_bank.get_coils(5, 1) == [True]
    with pytest.raises(NotSendable, match="no such device"):
        await commands.send(order("{}", "elsewhere"))
    server.stop()
    with pytest.raises(NotSentNow):
        await commands.send(order('{"set_point": 21}'))


async def test_a_device_that_went_away_is_read_again_when_it_is_back(reader: Readers) -> None:
    port = free_port()
    one = reader(port, Register("a", 0), timeout_s=1)
    with pytest.raises(NoAnswer):
        await one.read()
    for value in (4, 5):
        server = ModbusServer(HOST, port, no_block=True)
        server.start()
        server.data_bank.set_holding_registers(0, [value])
        try:
            (uplink,) = await one.read()
        except NoAnswer:
            (uplink,) = await one.read()
        assert uplink.fields == {"a": value}
        server.stop()


@pytest.fixture
async def silent() -> AsyncIterator[int]:
    """A server that takes connections and never says a word."""
    done = asyncio.Event()

    async def listen(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await done.wait()
        writer.close()

    running = await asyncio.start_server(listen, HOST, 0)
    yield running.sockets[0].getsockname()[1]
    done.set()
    running.close()


async def test_silence_ends_after_the_timeout(silent: int, reader: Readers) -> None:
    with pytest.raises(NoAnswer, match=r"within 0\.1 s"):
        await reader(silent, Register("a", 0), timeout_s=0.1).read()


@pytest.fixture
async def noisy() -> AsyncIterator[int]:
    """A server that answers with what is no Modbus."""

    async def answer(source: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await source.read(100):
            writer.write(b"\x00\x00\x00\x00\xff\xffHTTP/1.1 400 Bad Request\r\n\r\n" * 20)
        writer.close()

    running = await asyncio.start_server(answer, HOST, 0)
    yield running.sockets[0].getsockname()[1]
    running.close()


async def test_noise_is_no_answer(noisy: int, reader: Readers) -> None:
    with pytest.raises(NoAnswer):
        await reader(noisy, Register("a", 0), timeout_s=0.3).read()


def device(unit: int, *words: int) -> SimDevice:
    return SimDevice(unit, simdata=[SimData(0, values=list(words), datatype=DataType.REGISTERS)])


async def test_units_behind_a_gateway_share_its_line_in_rtu(free_port: int) -> None:
    server = ModbusTcpServer([device(1, 11, 12), device(2, 21)], framer=FramerType.RTU, address=(HOST, free_port))
    await server.listen()
    link = ModbusLink(HOST, free_port, "rtu")
    registers = RegisterMap(MapDocument((Register("a", 0),)))
    readers = [
        ModbusReader(ModbusDevice(f"unit-{n}", HOST, "boiler", free_port, n, "rtu", timeout_s=0.5), registers, link)
        for n in (1, 2, 3)
    ]
    answers = await asyncio.gather(*(one.read() for one in readers), return_exceptions=True)
    assert [one[0].fields for one in answers if not isinstance(one, BaseException)] == [{"a": 11}, {"a": 21}]
    assert isinstance(answers[2], NoAnswer)
    ((again,),) = await asyncio.gather(readers[0].read())
    assert again.fields == {"a": 11}
    link.close()
    await server.shutdown()  # type: ignore[no-untyped-call]
