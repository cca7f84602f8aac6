"""Gateways from TCP to M-Bus: one question at a time on each line."""

import asyncio

from parvis.connectors.mbus.codec import (
    ACK,
    FRAME_COUNT_BIT,
    FROM_MASTER,
    NETWORK_LAYER,
    REQ_UD2,
    SND_NKE,
    START_LONG,
    START_SHORT,
    MalformedTelegram,
    Telegram,
    decode_telegram,
    encode_selection,
    encode_short,
)
from parvis.connectors.mbus.config import Meter
from parvis.connectors.mbus.mapping import map_fields
from parvis.fleet.model.uplink import NO_COUNTER, Technology, Uplink
from parvis.fleet.ways.polling import NoAnswer
from parvis.kernel.time import Clock, system_clock

MOST_TELEGRAMS = 16
"""Of one answer: a meter that always says that more is to come is left."""
_MOST_NOISE_BYTES = 300


class MBusLine:
    """The line behind a gateway: meters take turns on it, and after a fault the connection is made anew."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._turn = asyncio.Lock()

    async def ask(self, meter: Meter) -> list[tuple[bytes, Telegram]]:
        """The telegrams of the meter's answer, as they came and as read. Raises NoAnswer."""
        async with self._turn:
            try:
                async with asyncio.timeout(meter.timeout_s):
                    return await self._ask(meter)
            except TimeoutError:
                self.close()
                raise NoAnswer(f"{meter.hardware_id} said nothing within {meter.timeout_s:g} s") from None
            except (OSError, EOFError) as fault:
                self.close()
                raise NoAnswer(f"{self._host}:{self._port}: {fault}") from None
            except MalformedTelegram as fault:
                self.close()
                raise NoAnswer(f"{meter.hardware_id}: {fault.detail}") from None
            except BaseException:
                self.close()
                raise

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None

    async def _ask(self, meter: Meter) -> list[tuple[bytes, Telegram]]:
        if self._streams is None:
            self._streams = await asyncio.open_connection(self._host, self._port)
        address = await self._address(meter)
        answers: list[tuple[bytes, Telegram]] = []
        frame_count = FRAME_COUNT_BIT
        while len(answers) < MOST_TELEGRAMS:
            octets = await self._request(encode_short(REQ_UD2 & ~FRAME_COUNT_BIT | frame_count, address))
            telegram = decode_telegram(octets)
            _check_sender(meter, telegram)
            answers.append((octets, telegram))
            if not telegram.is_more_to_come:
                return answers
            frame_count ^= FRAME_COUNT_BIT
        return answers

    async def _address(self, meter: Meter) -> int:
        """Where to ask: a meter with a secondary address is selected first (EN 13757-3, 12.3)."""
        if meter.address is not None:
            await self._initialise(meter.address)
            return meter.address
        assert meter.secondary is not None
        await self._initialise(NETWORK_LAYER)
        if await self._request(encode_selection(meter.secondary)) != ACK:
            raise MalformedTelegram("it answers its selection with something else than E5h")
        return NETWORK_LAYER

    async def _initialise(self, address: int) -> None:
        """SND_NKE: the next request is a new one. Deselects; a meter that was not selected says nothing to it."""
        reader, writer = self._opened()
        writer.write(encode_short(SND_NKE, address))
        await writer.drain()
        patience_s = 0.3 if address == NETWORK_LAYER else 1.0
        try:
            async with asyncio.timeout(patience_s):
                await _read_frame(reader)
        except TimeoutError:
            return

    async def _request(self, octets: bytes) -> bytes:
        reader, writer = self._opened()
        writer.write(octets)
        await writer.drain()
        return await _read_frame(reader)

    def _opened(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        assert self._streams is not None
        return self._streams


async def _read_frame(reader: asyncio.StreamReader) -> bytes:
    """The next frame of a meter; what a converter echoes of our own is passed over, and so is noise before it."""
    for _ in range(_MOST_NOISE_BYTES):
        first = await reader.readexactly(1)
        if first == ACK:
            return first
        if first[0] == START_SHORT:
            await reader.readexactly(4)
        elif first[0] == START_LONG:
            head = await reader.readexactly(3)
            rest = await reader.readexactly(head[0] + 2)
            if not rest[0] & FROM_MASTER:
                return first + head + rest
    raise MalformedTelegram("nothing but noise")


def _check_sender(meter: Meter, telegram: Telegram) -> None:
    """Another meter may answer, where two have one address or an earlier answer came late."""
    if meter.address is not None and telegram.address not in (meter.address, 0):
        raise MalformedTelegram(f"address {telegram.address} answers")
    if meter.secondary is None:
        return
    wanted = meter.secondary[:8].lower()
    if any(one not in ("f", other) for one, other in zip(wanted, telegram.identification, strict=False)):
        raise MalformedTelegram(f"the meter {telegram.identification} answers")


class MeterReader:
    def __init__(self, meter: Meter, line: MBusLine, clock: Clock = system_clock) -> None:
        self.meter = meter
        self.line = line
        self._clock = clock

    async def read(self) -> list[Uplink]:
        """What the meter says now. Raises NoAnswer."""
        answers = await self.line.ask(self.meter)
        fields = map_fields(telegram for _, telegram in answers)
        return [
            Uplink(
                self.meter.hardware_id,
                b"".join(octets for octets, _ in answers),
                0,
                NO_COUNTER,
                self._clock(),
                fields=dict(fields),
                technology=Technology.WIRED,
                way="mbus",
            )
        ]
