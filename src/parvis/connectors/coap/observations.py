"""What registered LwM2M devices tell of the resources that are observed of them."""

import asyncio
import logging
from enum import Enum, auto
from typing import Any, assert_never

from aiocoap import GET, Context, Message
from aiocoap.error import Error as CoapError
from aiocoap.interfaces import EndpointAddress

from parvis.connectors.coap import metrics
from parvis.connectors.coap.codec import MalformedContent, decode_values
from parvis.connectors.coap.ipso import Path, list_observed, to_fields
from parvis.connectors.coap.notices import Notices, Order, Series
from parvis.fleet.fleet import Fleet
from parvis.fleet.model.uplink import NO_COUNTER, Technology, Uplink
from parvis.kernel.errors import Overloaded, ParvisError
from parvis.kernel.identity import Caller
from parvis.kernel.time import Clock, Instant

WAY = "coap"
_FIRST_ANSWER_WITHIN_S = 100.0
"""CoAP itself gives up after 93 s (RFC 7252, 4.8.2)."""
_MOST_STARTING = 64
"""After a restart all devices are asked anew, so many at a time."""
_STORED_WITHIN_S = 60.0
"""So long a device sends a notification again that nobody acknowledges, and then no more of them (RFC 7641, 4.5)."""
_LONGEST_PAUSE_S = 5.0
_MOST_OBSERVED = 32
_LARGEST_KEPT_BYTES = 4096

_log = logging.getLogger(__name__)


class _End(Enum):
    """How an observation ended. The first is begun anew; the second when the device shows that it is there again."""

    NOT_STORED = auto()
    CUT_OFF = auto()
    OVER = auto()


class _Fate(Enum):
    STORED = auto()
    UNREAD = auto()
    REFUSED = auto()
    NOT_STORED = auto()


class Observed:
    """The observations of one device."""

    def __init__(self, tasks: list["asyncio.Task[_End]"]) -> None:
        self._tasks = tasks

    @property
    def is_cut_off(self) -> bool:
        """Whether one of them ended because the device could not be reached."""
        return any(one.done() and not one.cancelled() and one.result() is _End.CUT_OFF for one in self._tasks)

    def end(self) -> None:
        for task in self._tasks:
            task.cancel()


class Observer:
    def __init__(self, fleet: Fleet, context: Context, notices: Notices, clock: Clock) -> None:
        self._fleet = fleet
        self._context = context
        self._notices = notices
        self._clock = clock
        self._starting = asyncio.Semaphore(_MOST_STARTING)
        self._tasks: set[asyncio.Task[_End]] = set()

    def observe(self, caller: Caller, hardware_id: str, remote: EndpointAddress, instances: list[Path]) -> Observed:
        paths = list_observed(instances)[:_MOST_OBSERVED]
        tasks = [asyncio.create_task(self._follow(caller, hardware_id, remote, path)) for path in paths]
        self._tasks.update(tasks)
        for task in tasks:
            task.add_done_callback(self._tasks.discard)
        return Observed(tasks)

    async def close(self) -> None:
        """Once all observations have been ended."""
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _follow(self, caller: Caller, hardware_id: str, remote: EndpointAddress, path: Path) -> _End:
        """Until it ends, or is cancelled."""
        while True:
            end = await _Observation(self, caller, hardware_id, remote, path).run()
            if end is not _End.NOT_STORED:
                return end

    async def ask(self, request: Message) -> Any:
        """The request, and its first answer. Raises CoapError, TimeoutError or OSError."""
        async with self._starting:
            asked = self._context.request(request, handle_blockwise=False)
            async with asyncio.timeout(_FIRST_ANSWER_WITHIN_S):
                return asked, await asked.response

    async def read(self, remote: EndpointAddress, path: Path) -> Message:
        """All of a resource that takes more than one block (RFC 7959, 2.6)."""
        request = Message(code=GET, uri_path=list(map(str, path)))
        request.remote = remote
        async with asyncio.timeout(_FIRST_ANSWER_WITHIN_S):
            return await self._context.request(request).response

    def expect(self, request: Message) -> Series:
        return self._notices.expect(request)

    def forget(self, request: Message) -> None:
        self._notices.forget(request)

    def now(self) -> Instant:
        return self._clock()

    async def store(self, caller: Caller, uplink: Uplink) -> _Fate:
        """What is too much just now is tried again, while the device waits for its acknowledgement."""
        pause_s = 0.25
        loop = asyncio.get_running_loop()
        until_s = loop.time() + _STORED_WITHIN_S
        while True:
            try:
                await self._fleet.take(caller, [uplink])
            except Overloaded:
                if loop.time() + pause_s > until_s:
                    return _Fate.NOT_STORED
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
            except ParvisError as fault:
                _log.warning("lwm2m_not_stored", extra={"device": uplink.hardware_id, "reason": fault.detail})
                return _Fate.REFUSED
            else:
                return _Fate.STORED


class _Observation:
    """Of one resource of one device."""

    def __init__(
        self, observer: Observer, caller: Caller, hardware_id: str, remote: EndpointAddress, path: Path
    ) -> None:
        self._observer = observer
        self._caller = caller
        self._hardware_id = hardware_id
        self._remote = remote
        self._path = path

    async def run(self) -> _End:
        request = Message(code=GET, uri_path=list(map(str, self._path)), observe=0)
        request.remote = self._remote
        series = self._observer.expect(request)
        try:
            asked, first = await self._observer.ask(request)
            if not first.code.is_successful():
                return _End.OVER
            watching = asyncio.create_task(_watch(asked.observation, series))
            try:
                return await self._read(first, series)
            finally:
                watching.cancel()
                if not asked.observation.cancelled:
                    asked.observation.cancel()
        except (CoapError, TimeoutError, OSError) as fault:
            _log.info("lwm2m_not_observed", extra={"device": self._hardware_id, "reason": type(fault).__name__})
            return _End.CUT_OFF
        finally:
            self._observer.forget(request)

    async def _read(self, first: Message, series: Series) -> _End:
        now = self._observer.now()
        if await self._tell(first, now) is _Fate.NOT_STORED:
            return _End.NOT_STORED
        if first.opt.observe is None:
            return _End.OVER
        order = Order(first.opt.observe, now)
        async for message, at in series.read():
            if not message.code.is_successful():
                series.accept(message)
                return _End.OVER
            if not order.is_next(message.opt.observe, at):
                series.accept(message)
                continue
            if (end := self._settle(series, message, await self._tell(message, at))) is not None:
                return end
        return _End.CUT_OFF

    def _settle(self, series: Series, message: Message, fate: _Fate) -> _End | None:
        """How the observation ends by what became of a notification; None where it goes on."""
        match fate:
            case _Fate.STORED | _Fate.UNREAD:
                series.accept(message)
                return _End.OVER if message.opt.observe is None else None
            case _Fate.REFUSED:
                series.refuse(message)
                return _End.OVER
            case _Fate.NOT_STORED:
                return _End.NOT_STORED
            case _:
                assert_never(fate)

    async def _tell(self, message: Message, at: Instant) -> _Fate:
        """What becomes of a notification, or of the first answer. Raises CoapError, TimeoutError or OSError."""
        metrics.NOTIFICATIONS.inc()
        if message.opt.block2 is not None and message.opt.block2.more:
            message = await self._observer.read(self._remote, self._path)
        form = message.opt.content_format
        try:
            values = decode_values(message.payload, None if form is None else int(form), self._path, at)
        except MalformedContent as fault:
            metrics.UNREAD.inc()
            _log.info("lwm2m_unread", extra={"device": self._hardware_id, "reason": fault.detail})
            return _Fate.UNREAD
        fields = to_fields(values)
        if not fields:
            return _Fate.UNREAD
        payload = message.payload[:_LARGEST_KEPT_BYTES]
        uplink = Uplink(
            self._hardware_id, payload, 0, NO_COUNTER, at, fields=fields, technology=Technology.CELLULAR, way=WAY
        )
        fate = await self._observer.store(self._caller, uplink)
        if fate is not _Fate.STORED:
            metrics.LOST.inc()
        return fate


async def _watch(observation: Any, series: Series) -> None:
    """aiocoap tells here when the device cannot be reached any more."""
    try:
        async for _ in observation:
            pass
    except (CoapError, OSError) as fault:
        _log.info("lwm2m_observation_ended", extra={"reason": type(fault).__name__})
    finally:
        series.end()
