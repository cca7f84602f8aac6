"""What registered LwM2M devices tell of the resources that are observed of them."""

import asyncio
import logging
from collections.abc import Callable

from aiocoap import GET, Context, Message
from aiocoap.error import Error as CoapError
from aiocoap.interfaces import EndpointAddress

from parvis.connectors.coap import metrics
from parvis.connectors.coap.codec import MalformedContent, decode_values
from parvis.connectors.coap.ipso import Path, list_observed, to_fields
from parvis.fleet.fleet import Fleet
from parvis.fleet.frames.uplink import NO_COUNTER, Technology, Uplink
from parvis.kernel.errors import Overloaded, ParvisError
from parvis.kernel.identity import Caller
from parvis.kernel.time import Clock

WAY = "coap"
_FIRST_ANSWER_WITHIN_S = 100.0
"""CoAP itself gives up after 93 s (RFC 7252, 4.8.2)."""
_MOST_STARTING = 64
"""After a restart all devices are asked anew, so many at a time."""
_STORE_TRIES = 5
_MOST_OBSERVED = 32
_LARGEST_KEPT_BYTES = 4096

_log = logging.getLogger(__name__)


class Observed:
    """The observations of one device."""

    def __init__(self, tasks: list["asyncio.Task[None]"]) -> None:
        self._tasks = tasks

    def end(self) -> None:
        for task in self._tasks:
            task.cancel()


class Observer:
    def __init__(self, fleet: Fleet, context: Callable[[], Context], clock: Clock) -> None:
        self._fleet = fleet
        self._context = context
        self._clock = clock
        self._starting = asyncio.Semaphore(_MOST_STARTING)
        self._tasks: set[asyncio.Task[None]] = set()

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

    async def _follow(self, caller: Caller, hardware_id: str, remote: EndpointAddress, path: Path) -> None:
        """One observation, until it ends or is cancelled."""
        request = Message(code=GET, uri_path=list(map(str, path)), observe=0)
        request.remote = remote
        async with self._starting:
            asked = self._context().request(request)
            try:
                async with asyncio.timeout(_FIRST_ANSWER_WITHIN_S):
                    first = await asked.response
            except (CoapError, TimeoutError, OSError) as fault:
                _log.info("lwm2m_not_observed", extra={"device": hardware_id, "reason": type(fault).__name__})
                return
        if not first.code.is_successful():
            return
        try:
            await self._tell(caller, hardware_id, path, first)
            async for notification in asked.observation:
                await self._tell(caller, hardware_id, path, notification)
        except (CoapError, OSError) as fault:
            _log.info("lwm2m_observation_ended", extra={"device": hardware_id, "reason": type(fault).__name__})
        finally:
            if not asked.observation.cancelled:
                asked.observation.cancel()

    async def _tell(self, caller: Caller, hardware_id: str, path: Path, message: Message) -> None:
        metrics.NOTIFICATIONS.inc()
        content_format = message.opt.content_format
        now = self._clock()
        try:
            values = decode_values(message.payload, None if content_format is None else int(content_format), path, now)
        except MalformedContent as fault:
            metrics.UNREAD.inc()
            _log.info("lwm2m_unread", extra={"device": hardware_id, "reason": fault.detail})
            return
        if fields := to_fields(values):
            payload = message.payload[:_LARGEST_KEPT_BYTES]
            uplink = Uplink(
                hardware_id, payload, 0, NO_COUNTER, now, fields=fields, technology=Technology.CELLULAR, way=WAY
            )
            await self._store(caller, uplink)

    async def _store(self, caller: Caller, uplink: Uplink) -> None:
        """CoAP has acknowledged the notification already: what is too much just now is tried for a while."""
        for attempt in range(_STORE_TRIES):
            try:
                await self._fleet.take(caller, [uplink])
            except Overloaded:
                await asyncio.sleep(0.5 * 2**attempt)
            except ParvisError as fault:
                _log.warning("lwm2m_not_stored", extra={"device": uplink.hardware_id, "reason": fault.detail})
                break
            else:
                return
        metrics.LOST.inc()
