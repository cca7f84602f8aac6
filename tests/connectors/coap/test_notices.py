"""What the platform acknowledges of a device's notifications, message by message: the device is a bare socket."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiocoap import ACK, CON, CONTENT, EMPTY, NON, POST, RST, Message
from aiocoap.util import hostportsplit
from prometheus_client import REGISTRY

from parvis.connectors.coap import notices, observations
from parvis.connectors.coap.notices import Order
from parvis.kernel.errors import Forbidden, Overloaded
from tests.connectors.coap.test_server import ROOM, SENSOR, senml, serving, town
from tests.connectors.town import Town

__all__ = ["town"]
TEMPERATURE = ("3303", "0")


class BareDevice(asyncio.DatagramProtocol):
    """Registers, answers what it is asked with what it is told, and keeps what else it hears."""

    def __init__(self, first: float) -> None:
        self.first = first
        self.heard: list[Message] = []
        self.tokens: dict[tuple[str, ...], bytes] = {}

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, _address: Any) -> None:
        message = Message.decode(data)
        if not message.code.is_request():
            self.heard.append(message)
            return
        self.tokens[message.opt.uri_path] = message.token
        answer = Message(code=CONTENT, payload=senml(self.first), content_format=110, observe=1)
        if message.opt.uri_path != TEMPERATURE:
            answer = Message(code=132)
        self._send(answer, ACK, message.mid, message.token)

    def register(self) -> None:
        query = [f"ep=urn:imei:{SENSOR}", "lt=300", "key=parvis_right"]
        request = Message(code=POST, uri_path=["rd"], uri_query=query, payload=b"</3303/0>", content_format=40)
        self._send(request, CON, 1, b"r")

    def notify(self, mid: int, number: int, temperature: Any, kind: Any = CON) -> None:
        told = Message(code=CONTENT, payload=senml(temperature), content_format=110, observe=number)
        self._send(told, kind, mid, self.tokens[TEMPERATURE])

    def answers(self, mid: int) -> list[Any]:
        return [one.mtype for one in self.heard if one.code == EMPTY and one.mid == mid]

    def _send(self, message: Message, kind: Any, mid: int, token: bytes) -> None:
        message.mtype, message.mid, message.token = kind, mid, token
        self.transport.sendto(message.encode())


@asynccontextmanager
async def observed(town: Town, first: float = 20) -> AsyncIterator[BareDevice]:
    """Once its first answer is stored."""
    async with serving(town) as uri:
        host, port = hostportsplit(uri.removeprefix("coap://"))
        transport, device = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: BareDevice(first), remote_addr=(host, port)
        )
        device.register()
        try:
            await town.eventually(ROOM, "temperature")
            yield device
        finally:
            transport.close()


async def answered(device: BareDevice, mid: int) -> list[Any]:
    async with asyncio.timeout(5):
        while not device.answers(mid):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    return device.answers(mid)


async def test_a_notification_is_acknowledged_when_it_is_stored(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    may_store, healthy = asyncio.Event(), town.fleet.take

    async def take(*given: Any) -> Any:
        if not may_store.is_set():
            raise Overloaded("not now")
        return await healthy(*given)

    async with observed(town) as device:
        monkeypatch.setattr(town.fleet, "take", take)
        for _ in range(3):
            device.notify(100, 2, 21.5)
            await asyncio.sleep(0.1)
        assert device.answers(100) == []
        may_store.set()
        assert await answered(device, 100) == [ACK]
        assert await town.history(ROOM, "temperature") == [20, 21.5]
        device.notify(100, 2, 21.5)
        await asyncio.sleep(0.1)
        assert device.answers(100) == [ACK, ACK]
    assert await town.history(ROOM, "temperature") == [20, 21.5]


async def test_a_message_id_that_is_used_again_much_later_is_of_another_notification(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notices, "_SAME_WITHIN", 0, raising=False)
    async with observed(town) as device:
        for number, temperature in ((2, 21.5), (3, 22.5)):
            device.notify(100, number, temperature)
            await answered(device, 100)
            async with asyncio.timeout(5):
                while len(await town.history(ROOM, "temperature")) < number:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)


async def test_of_a_burst_nothing_is_passed_over(town: Town) -> None:
    async with observed(town) as device:
        for number in range(2, 12):
            device.notify(100 + number, number, 20 + number, NON if number % 2 else CON)
        assert await answered(device, 110) == [ACK]
        async with asyncio.timeout(5):
            while len(await town.history(ROOM, "temperature")) < 11:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert device.answers(111) == []
    assert await town.history(ROOM, "temperature") == [20, *range(22, 32)]


async def test_what_was_overtaken_is_acknowledged_and_not_stored(town: Town) -> None:
    async with observed(town) as device:
        device.notify(103, 3, 23)
        assert await answered(device, 103) == [ACK]
        device.notify(102, 2, 22)
        assert await answered(device, 102) == [ACK]
    assert await town.history(ROOM, "temperature") == [20, 23]


async def test_what_is_refused_for_good_ends_the_observation(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    async def take(*_given: Any) -> Any:
        raise Forbidden("no more")

    async with observed(town) as device:
        monkeypatch.setattr(town.fleet, "take", take)
        device.notify(102, 2, 22)
        assert await answered(device, 102) == [RST]
        device.notify(103, 3, 23)
        assert await answered(device, 103) == [RST]


async def test_what_the_store_never_takes_is_asked_for_again(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(*_given: Any) -> Any:
        raise Overloaded("not now")

    monkeypatch.setattr(observations, "_STORED_WITHIN_S", 0.3)
    before = REGISTRY.get_sample_value("parvis_lwm2m_notifications_lost_total") or 0
    async with observed(town) as device:
        token, device.first = device.tokens[TEMPERATURE], 25
        with monkeypatch.context() as broken:
            broken.setattr(town.fleet, "take", refuse)
            device.notify(102, 2, 22)
            async with asyncio.timeout(5):
                while device.tokens[TEMPERATURE] == token:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
        async with asyncio.timeout(5):
            while await town.value(ROOM, "temperature") != 25:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert device.answers(102) == []
        device.notify(103, 3, 26)
        assert await answered(device, 103) == [ACK]
    assert await town.history(ROOM, "temperature") == [20, 25, 26]
    assert (REGISTRY.get_sample_value("parvis_lwm2m_notifications_lost_total") or 0) > before


async def test_what_cannot_be_read_is_acknowledged(town: Town) -> None:
    async with observed(town) as device:
        device.notify(102, 2, "warm")
        assert await answered(device, 102) == [ACK]


def test_numbers_of_notifications_begin_again_behind_their_last() -> None:
    order = Order(2**24 - 1, 0)
    assert [order.is_next(number, 0) for number in (0, 5, 4, 5, None)] == [True, True, False, False, True]
    assert not order.is_next(3, 1_000_000)
    assert order.is_next(3, 129_000_000)
