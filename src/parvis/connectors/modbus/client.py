"""Connections to Modbus servers: one for all devices of the same host and port, as most gateways want it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

import msgspec
from pymodbus.client import AsyncModbusTcpClient
from pymodbus.constants import ExcCodes
from pymodbus.exceptions import ModbusException
from pymodbus.framer import FramerType
from pymodbus.pdu import ModbusPDU

from parvis.connectors.modbus.codec import UnreadableRegister, Value
from parvis.connectors.modbus.config import ModbusDevice
from parvis.connectors.modbus.mapping import Register, RegisterMap, Span, Table
from parvis.fleet.commands.downlink import NotSendable, NotSentNow, Order
from parvis.fleet.model.uplink import NO_COUNTER, Technology, Uplink
from parvis.fleet.ways.polling import NoAnswer
from parvis.kernel.time import Clock, system_clock

_FRAMERS = {"tcp": FramerType.SOCKET, "rtu": FramerType.RTU}
_LIBRARY_GIVES_UP_LATER_S = 1.0
WAY = "modbus"
_log = logging.getLogger(__name__)
logging.getLogger("pymodbus.logging").setLevel(logging.CRITICAL)
"""Whose errors are told here, once for each silence."""

_PASSING = (
    ExcCodes.ACKNOWLEDGE,
    ExcCodes.DEVICE_BUSY,
    ExcCodes.GATEWAY_PATH_UNAVIABLE,
    ExcCodes.GATEWAY_NO_RESPONSE,
)

_Ask = Callable[[AsyncModbusTcpClient], Awaitable[ModbusPDU]]


class RefusedByDevice(NoAnswer):
    """It answered an exception (MODBUS Application Protocol V1.1b3, 7)."""

    def __init__(self, code: int) -> None:
        name = ExcCodes(code).name if code in list(ExcCodes) else "UNKNOWN"
        super().__init__(f"the device answers exception {code} ({name})")
        self.code = code

    @property
    def is_passing(self) -> bool:
        """Busy, or the gateway cannot reach it: asked later, it may do as it is told."""
        return self.code in _PASSING


class ModbusLink:
    """A connection, made when it is needed and given up after any fault: a late answer must not be taken for the
    next one."""

    def __init__(self, host: str, port: int, framing: str) -> None:
        self._host = host
        self._port = port
        self._framer = _FRAMERS[framing]
        self._client: AsyncModbusTcpClient | None = None
        self._turn = asyncio.Lock()

    async def ask(self, question: _Ask, timeout_s: float) -> ModbusPDU:
        """Raises NoAnswer."""
        async with self._turn:
            try:
                async with asyncio.timeout(timeout_s):
                    answer = await question(await self._connected(timeout_s))
            except TimeoutError:
                self.close()
                raise NoAnswer(f"{self._host}:{self._port} said nothing within {timeout_s:g} s") from None
            except (ModbusException, OSError) as fault:
                self.close()
                raise NoAnswer(f"{self._host}:{self._port}: {fault}") from None
            except BaseException:
                self.close()
                raise
        if answer.isError():
            raise RefusedByDevice(getattr(answer, "exception_code", 0))
        return answer

    async def _connected(self, timeout_s: float) -> AsyncModbusTcpClient:
        if self._client is None or not self._client.connected:
            self.close()
            self._client = AsyncModbusTcpClient(
                self._host,
                port=self._port,
                framer=self._framer,
                timeout=timeout_s + _LIBRARY_GIVES_UP_LATER_S,
                retries=0,
                reconnect_delay=0,
            )
            if not await self._client.connect():
                raise NoAnswer(f"{self._host}:{self._port} takes no connection")
        return self._client

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None


class ModbusReader:
    """Reads one device by its register map."""

    def __init__(
        self, device: ModbusDevice, registers: RegisterMap, link: ModbusLink, clock: Clock = system_clock
    ) -> None:
        self.device = device
        self._registers = registers
        self.link = link
        self._clock = clock
        self._spans: list[Span] = list(registers.spans)
        self._refused: set[Span] = set()

    async def read(self) -> list[Uplink]:
        """What the device says now. Raises NoAnswer."""
        words: dict[tuple[Table, int], int] = {}
        for span in list(self._spans):
            words.update(await self._read_span(span))
        if not words:
            raise NoAnswer(f"{self.device.hardware_id} has none of its registers")
        fields = self._registers.read(words)
        raw = b"".join(word.to_bytes(2, "big") for word in words.values())
        return [
            Uplink(
                self.device.hardware_id,
                raw,
                0,
                NO_COUNTER,
                self._clock(),
                fields=dict(fields),
                technology=Technology.WIRED,
                way=WAY,
                route=self.device.hardware_id,
            )
        ]

    async def write(self, name: str, value: Value) -> None:
        """Raises KeyError for no such register, UnreadableRegister for a value it cannot take, NoAnswer."""
        register = self._registers.find_writable(name)
        if register is None:
            raise KeyError(name)
        words = self._registers.write(register, value)
        await self.link.ask(_writing(register, words, self.device.unit), self.device.timeout_s)

    async def write_all(self, values: Mapping[str, Value]) -> None:
        """What a command says, register after register. Raises as `write`, before anything is written where it can."""
        for name, value in values.items():
            if (register := self._registers.find_writable(name)) is None:
                raise KeyError(name)
            self._registers.write(register, value)
        for name, value in values.items():
            await self.write(name, value)

    async def _read_span(self, span: Span) -> Mapping[tuple[Table, int], int]:
        try:
            return await self._read_words(span)
        except RefusedByDevice as fault:
            if fault.code != ExcCodes.ILLEGAL_ADDRESS:
                raise
        pieces = self._registers.split(span)
        if pieces == [span]:
            self._note_refused(span)
            return {}
        at = self._spans.index(span)
        self._spans[at : at + 1] = pieces
        words: dict[tuple[Table, int], int] = {}
        for piece in pieces:
            words.update(await self._read_span(piece))
        return words

    async def _read_words(self, span: Span) -> dict[tuple[Table, int], int]:
        answer = await self.link.ask(_reading(span, self.device.unit), self.device.timeout_s)
        values: Sequence[int] = answer.bits if span.table.has_bits else answer.registers
        if len(values) < span.count:
            raise NoAnswer(f"{self.device.hardware_id} answered {len(values)} of {span.count} registers")
        return {(span.table, span.address + index): int(values[index]) for index in range(span.count)}

    def _note_refused(self, span: Span) -> None:
        if span not in self._refused:
            self._refused.add(span)
            _log.warning(
                "the device does not have registers of its map",
                extra={"device": self.device.hardware_id, "table": span.table.value, "address": span.address},
            )


def _reading(span: Span, unit: int) -> _Ask:
    async def ask(client: AsyncModbusTcpClient) -> ModbusPDU:
        functions = {
            Table.COIL: client.read_coils,
            Table.DISCRETE_INPUT: client.read_discrete_inputs,
            Table.HOLDING: client.read_holding_registers,
            Table.INPUT: client.read_input_registers,
        }
        return await functions[span.table](span.address, count=span.count, device_id=unit)

    return ask


def _writing(register: Register, words: list[int], unit: int) -> _Ask:
    async def ask(client: AsyncModbusTcpClient) -> ModbusPDU:
        if register.table is Table.COIL:
            return await client.write_coil(register.address, bool(words[0]), device_id=unit)
        if len(words) == 1:
            return await client.write_register(register.address, words[0], device_id=unit)
        return await client.write_registers(register.address, words, device_id=unit)

    return ask


class RegisterCommands:
    """Commands such as `{"set_point_c": 20.5}` (CommandSender): asked again, a register is written the same again."""

    def __init__(self, readers: Iterable[ModbusReader]) -> None:
        self._readers = {reader.device.hardware_id: reader for reader in readers}

    async def send(self, order: Order) -> None:
        """Raises NotSendable, NotSentNow."""
        reader = self._readers.get(order.hardware_id)
        if reader is None:
            raise NotSendable("the settings of the connector have no such device")
        try:
            await reader.write_all(_read_values(order.payload))
        except msgspec.ValidationError as fault:
            raise NotSendable(f"no values for registers: {fault}") from None
        except KeyError as fault:
            raise NotSendable(f"the register map lets nobody write {fault}") from None
        except UnreadableRegister as fault:
            raise NotSendable(fault.detail) from None
        except RefusedByDevice as fault:
            raise (NotSentNow if fault.is_passing else NotSendable)(fault.detail) from None
        except NoAnswer as fault:
            raise NotSentNow(fault.detail) from None


def _read_values(payload: bytes) -> dict[str, int | float | bool]:
    """Raises msgspec.ValidationError."""
    try:
        return msgspec.json.decode(payload, type=dict[str, int | float | bool])
    except (msgspec.DecodeError, UnicodeDecodeError) as fault:
        raise msgspec.ValidationError(str(fault)) from None
