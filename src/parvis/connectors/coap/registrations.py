"""LwM2M devices that are registered: who they are, where, and until when. They outlive a restart."""

import asyncio
import contextlib
from secrets import token_hex

import msgspec
from aiocoap import GET, Context, Message
from aiocoap.error import Error as CoapError
from aiocoap.interfaces import EndpointAddress

from parvis.connectors.coap import metrics
from parvis.connectors.coap.ipso import Path
from parvis.connectors.coap.observations import Observed, Observer
from parvis.fleet.model.uplink import HARDWARE_ID, plain_hardware_id
from parvis.fleet.ways.connector import IsInForce
from parvis.kernel.errors import Overloaded
from parvis.kernel.identity import Caller, Right
from parvis.kernel.shelf import Box, Place, Shelf
from parvis.kernel.time import SECOND, Clock, Instant

BOX = "lwm2m"
_LONGEST_LIFETIME_S = 31_536_000
_SWEEP_EVERY_S = 10.0


class TooManyRegistrations(Exception):
    pass


class _Kept(msgspec.Struct, array_like=True):
    """As the shelf has it; `hostinfo` is address and port."""

    subject: str
    rights: int
    device: str
    hardware_id: str
    hostinfo: str
    instances: list[tuple[int, ...]]
    lifetime_s: int
    ends_at: Instant


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Kept).decode


class Registration(msgspec.Struct):
    id: str
    caller: Caller
    hardware_id: str
    remote: EndpointAddress
    instances: list[Path]
    lifetime_s: int
    ends_at: Instant
    observed: Observed

    @property
    def place(self) -> Place:
        return Place(Box(self.caller.tenant, BOX), self.id.encode())

    def kept(self) -> bytes:
        caller = self.caller
        return _encode(
            _Kept(
                caller.subject,
                caller.everywhere.value,
                caller.device,
                self.hardware_id,
                self.remote.hostinfo,
                self.instances,
                self.lifetime_s,
                self.ends_at,
            )
        )


def find_hardware_id(endpoint: str) -> str | None:
    """Of an endpoint's name: `urn:imei:866425030000001`, `urn:dev:mac:...` or any name that can be one."""
    name = plain_hardware_id(endpoint.strip().lower().removeprefix("urn:dev:mac:"))
    told = plain_hardware_id(name.rpartition(":")[2])
    return told if HARDWARE_ID.fullmatch(told) else None


class Registrations:
    """Without a shelf they end with the process."""

    def __init__(
        self, observer: Observer, shelf: Shelf | None, clock: Clock, most: int, is_in_force: IsInForce
    ) -> None:
        self._observer = observer
        self._shelf = shelf
        self._clock = clock
        self._most = most
        self._is_in_force = is_in_force
        self._by_id: dict[str, Registration] = {}
        self._by_remote: dict[EndpointAddress, str] = {}
        self._by_device: dict[tuple[str, str], str] = {}

    def find_of(self, remote: EndpointAddress) -> Registration | None:
        """Of the device that is at this address."""
        return self._by_id.get(self._by_remote.get(remote, ""))

    async def restore(self, context: Context) -> None:
        """Those of before, observed anew. Raises Overloaded."""
        if self._shelf is None:
            return
        now = self._clock()
        for place, kept in (await self._shelf.read_all(BOX)).items():
            try:
                record = _decode(kept)
                remote = await _find_remote(context, record.hostinfo)
            except (msgspec.DecodeError, CoapError, OSError):
                continue
            if record.ends_at > now:
                caller = Caller(place.box.tenant, record.subject, Right(record.rights), record.device)
                instances: list[Path] = list(record.instances)
                one = self._make(place.key.decode(), caller, record.hardware_id, remote, instances)
                one.lifetime_s, one.ends_at = record.lifetime_s, record.ends_at

    async def add(
        self, caller: Caller, hardware_id: str, remote: EndpointAddress, instances: list[Path], lifetime_s: int
    ) -> Registration:
        """The same device once: an earlier registration of it ends. Raises TooManyRegistrations or Overloaded."""
        if (earlier := self._by_device.get((caller.tenant, hardware_id))) is not None:
            await self.remove(earlier)
        if len(self._by_id) >= self._most:
            raise TooManyRegistrations
        one = self._make(token_hex(8), caller, hardware_id, remote, instances)
        self._prolong(one, lifetime_s)
        try:
            await self._keep(one)
        except Overloaded:
            self._forget(one)
            raise
        return one

    async def update(
        self, registration_id: str, remote: EndpointAddress, lifetime_s: int | None, instances: list[Path] | None
    ) -> bool:
        """Whether there is such a registration. One that moved, could not be reached, or has other objects, is
        observed anew.

        Raises Overloaded.
        """
        one = self._by_id.get(registration_id)
        if one is None:
            return False
        self._prolong(one, lifetime_s or one.lifetime_s)
        has_moved = one.remote != remote
        if has_moved:
            self._leave(one)
            self._by_remote[remote] = one.id
        if has_moved or one.observed.is_cut_off or (instances and instances != one.instances):
            one.remote, one.instances = remote, instances or one.instances
            one.observed.end()
            one.observed = self._observer.observe(one.caller, one.hardware_id, remote, one.instances)
        await self._keep(one)
        return True

    async def remove(self, registration_id: str) -> bool:
        """Raises Overloaded."""
        one = self._by_id.get(registration_id)
        if one is None:
            return False
        if self._shelf is not None:
            await self._shelf.change((), {}, [one.place])
        self._forget(one)
        return True

    async def forget_expired(self) -> None:
        """Until cancelled; also those whose key has been revoked."""
        while True:
            await asyncio.sleep(_SWEEP_EVERY_S)
            with contextlib.suppress(Overloaded):
                revoked = {one for one in self._callers() if not self._is_in_force(one)}
                now = self._clock()
                over = [one.id for one in self._by_id.values() if one.ends_at < now or one.caller in revoked]
                for registration_id in over:
                    await self.remove(registration_id)

    def close(self) -> None:
        for one in list(self._by_id.values()):
            self._forget(one)

    def _callers(self) -> set[Caller]:
        return {one.caller for one in self._by_id.values()}

    def _make(
        self, registration_id: str, caller: Caller, hardware_id: str, remote: EndpointAddress, instances: list[Path]
    ) -> Registration:
        observed = self._observer.observe(caller, hardware_id, remote, instances)
        one = Registration(registration_id, caller, hardware_id, remote, instances, 0, 0, observed)
        self._by_id[one.id] = one
        self._by_device[caller.tenant, hardware_id] = self._by_remote[remote] = one.id
        metrics.REGISTRATIONS.set(len(self._by_id))
        return one

    def _prolong(self, one: Registration, lifetime_s: int) -> None:
        one.lifetime_s = max(1, min(lifetime_s, _LONGEST_LIFETIME_S))
        one.ends_at = self._clock() + one.lifetime_s * SECOND

    async def _keep(self, one: Registration) -> None:
        if self._shelf is not None:
            await self._shelf.change((), {one.place: one.kept()}, ())

    def _forget(self, one: Registration) -> None:
        one.observed.end()
        self._by_id.pop(one.id, None)
        self._leave(one)
        if self._by_device.get((one.caller.tenant, one.hardware_id)) == one.id:
            del self._by_device[one.caller.tenant, one.hardware_id]
        metrics.REGISTRATIONS.set(len(self._by_id))

    def _leave(self, one: Registration) -> None:
        """Another device may have come to its address since."""
        if self._by_remote.get(one.remote) == one.id:
            del self._by_remote[one.remote]


async def _find_remote(context: Context, hostinfo: str) -> EndpointAddress:
    message = Message(code=GET, uri=f"coap://{hostinfo}/")
    await context.find_remote_and_interface(message)
    return message.remote
