"""LwM2M devices that are registered, what is observed of them, and what they tell.

Kept in memory: after a restart a device's next update is answered 4.04 and it registers anew (LwM2M 1.0, 5.3.2).
"""

import asyncio
import logging
import re
from collections.abc import Callable
from secrets import token_hex

import msgspec
from aiocoap import GET, Context, Message
from aiocoap.error import Error as CoapError
from aiocoap.interfaces import EndpointAddress

from parvis.connectors.coap import metrics
from parvis.connectors.coap.codec import MalformedContent, decode_values
from parvis.connectors.coap.ipso import Path, list_observed, to_fields
from parvis.fleet.fleet import Fleet
from parvis.fleet.uplink import NO_COUNTER, Technology, Uplink
from parvis.kernel.errors import Overloaded, ParvisError
from parvis.kernel.identity import Caller
from parvis.kernel.time import SECOND, Clock, Instant

WAY = "coap"
_LONGEST_LIFETIME_S = 31_536_000
_SWEEP_EVERY_S = 10.0
_OBSERVE_WITHIN_S = 100.0
"""CoAP itself gives up after 93 s (RFC 7252, 4.8.2)."""
_STORE_TRIES = 5
_MOST_OBSERVED = 32
_LARGEST_NOTIFICATION_BYTES = 4096
_HARDWARE_ID = re.compile(r"[0-9a-z][0-9a-z._-]{3,63}")

_log = logging.getLogger(__name__)


class TooManyRegistrations(Exception):
    pass


class Registration(msgspec.Struct):
    id: str
    caller: Caller
    hardware_id: str
    remote: EndpointAddress
    instances: list[Path]
    lifetime_s: int
    ends_at: Instant
    observing: list["asyncio.Task[None]"] = []


def find_hardware_id(endpoint: str) -> str | None:
    """Of an endpoint's name: `urn:imei:866425030000001`, `urn:dev:mac:...` or any name that can be one."""
    told = endpoint.rpartition(":")[2].lower()
    return told if _HARDWARE_ID.fullmatch(told) else None


class Registrations:
    def __init__(self, fleet: Fleet, clock: Clock, most: int) -> None:
        self._fleet = fleet
        self._clock = clock
        self._most = most
        self._by_id: dict[str, Registration] = {}
        self._by_remote: dict[EndpointAddress, str] = {}
        self._by_device: dict[tuple[str, str], str] = {}
        self.context: Callable[[], Context]

    def add(
        self, caller: Caller, hardware_id: str, remote: EndpointAddress, instances: list[Path], lifetime_s: int
    ) -> Registration:
        """The same device once: an earlier registration of it ends. Raises TooManyRegistrations."""
        if (earlier := self._by_device.get((caller.tenant, hardware_id))) is not None:
            self.remove(earlier)
        if len(self._by_id) >= self._most:
            raise TooManyRegistrations
        one = Registration(token_hex(8), caller, hardware_id, remote, instances, 0, 0)
        self._by_id[one.id] = one
        self._by_device[caller.tenant, hardware_id] = self._by_remote[remote] = one.id
        self._prolong(one, lifetime_s)
        self._observe(one)
        metrics.REGISTRATIONS.set(len(self._by_id))
        return one

    def update(
        self, registration_id: str, remote: EndpointAddress, lifetime_s: int | None, instances: list[Path] | None
    ) -> bool:
        """Whether there is such a registration. One that moved, or has other objects, is observed anew."""
        one = self._by_id.get(registration_id)
        if one is None:
            return False
        has_moved = one.remote != remote
        self._prolong(one, lifetime_s or one.lifetime_s)
        if has_moved:
            self._leave(one)
            self._by_remote[remote] = one.id
        if has_moved or (instances and instances != one.instances):
            one.remote, one.instances = remote, instances or one.instances
            self._observe(one)
        return True

    def remove(self, registration_id: str) -> bool:
        one = self._by_id.pop(registration_id, None)
        if one is None:
            return False
        self._leave(one)
        self._by_device.pop((one.caller.tenant, one.hardware_id), None)
        _cancel(one)
        metrics.REGISTRATIONS.set(len(self._by_id))
        return True

    def find_of(self, remote: EndpointAddress) -> Registration | None:
        """Of the device that is at this address."""
        return self._by_id.get(self._by_remote.get(remote, ""))

    def _leave(self, one: Registration) -> None:
        """Another device may have come to its address since."""
        if self._by_remote.get(one.remote) == one.id:
            del self._by_remote[one.remote]

    async def forget_expired(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(_SWEEP_EVERY_S)
            now = self._clock()
            for registration_id in [one.id for one in self._by_id.values() if one.ends_at < now]:
                self.remove(registration_id)

    async def close(self) -> None:
        tasks = [task for one in self._by_id.values() for task in one.observing]
        for registration_id in list(self._by_id):
            self.remove(registration_id)
        if tasks:
            await asyncio.wait(tasks)

    def _prolong(self, one: Registration, lifetime_s: int) -> None:
        one.lifetime_s = max(1, min(lifetime_s, _LONGEST_LIFETIME_S))
        one.ends_at = self._clock() + one.lifetime_s * SECOND

    def _observe(self, one: Registration) -> None:
        _cancel(one)
        paths = list_observed(one.instances)[:_MOST_OBSERVED]
        one.observing = [asyncio.create_task(self._follow(one, path)) for path in paths]

    async def _follow(self, one: Registration, path: Path) -> None:
        """One observation, until it ends or is cancelled."""
        request = Message(code=GET, uri_path=list(map(str, path)), observe=0)
        request.remote = one.remote
        asked = self.context().request(request)
        try:
            async with asyncio.timeout(_OBSERVE_WITHIN_S):
                first = await asked.response
            if not first.code.is_successful():
                return
            await self._tell(one, path, first)
            if asked.observation is not None:
                async for notification in asked.observation:
                    await self._tell(one, path, notification)
        except (CoapError, TimeoutError, OSError) as fault:
            _log.info("lwm2m_observation_ended", extra={"device": one.hardware_id, "reason": type(fault).__name__})
        finally:
            if asked.observation is not None and not asked.observation.cancelled:
                asked.observation.cancel()

    async def _tell(self, one: Registration, path: Path, message: Message) -> None:
        metrics.NOTIFICATIONS.inc()
        content_format = message.opt.content_format
        now = self._clock()
        try:
            values = decode_values(message.payload, None if content_format is None else int(content_format), path, now)
        except MalformedContent as fault:
            metrics.UNREAD.inc()
            _log.info("lwm2m_unread", extra={"device": one.hardware_id, "reason": fault.detail})
            return
        if fields := to_fields(values):
            payload = message.payload[:_LARGEST_NOTIFICATION_BYTES]
            uplink = Uplink(
                one.hardware_id,
                payload,
                0,
                NO_COUNTER,
                now,
                fields=fields,
                technology=Technology.CELLULAR,
                way=WAY,
            )
            await self._store(one.caller, uplink)

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


def _cancel(one: Registration) -> None:
    for task in one.observing:
        task.cancel()
    one.observing = []
