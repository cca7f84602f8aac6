"""Commands on their way down: given once, sent by the way in that heard the device last, followed to their end."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any, Protocol
from uuid import UUID, uuid4

import msgspec

from parvis.access.model import AuditRecord
from parvis.fleet import metrics
from parvis.fleet.codecs.codec import CodecFailure
from parvis.fleet.commands.command import (
    LARGEST_PAYLOAD_BYTES,
    LONGEST_LIFE,
    MOST_OPEN_OF_DEVICE,
    Command,
    CommandLog,
    CommandState,
    expired,
    failed,
    handed_over,
    postponed,
    reported,
)
from parvis.fleet.devices.device import Device
from parvis.fleet.devices.records import device_id, hardware_id_of
from parvis.fleet.devices.registry import Registry
from parvis.fleet.model.events import DeliveryReport
from parvis.fleet.model.uplink import HARDWARE_ID
from parvis.kernel.errors import BadRequestData, Detailed, Forbidden, Overloaded, ResourceNotFound
from parvis.kernel.identity import Caller, Right
from parvis.kernel.outbound import AddressRefused, Answer, CallFailed
from parvis.kernel.time import DAY, SECOND, Clock, Instant, system_clock

KEPT_FOR = 90 * DAY
SEND_WITHIN_S = 15.0
_LOOK_EVERY_S = 1.0
_AT_ONCE = 100
_PRUNE_EVERY_S = 3600.0
_PRUNED_AT_ONCE = 1000
_TRIES = 5
_LONGEST_KEY = 100
_log = logging.getLogger(__name__)
_LONGEST_ANSWER = 200


class Order(msgspec.Struct, frozen=True):
    """What a way in is asked to send. `route` is what its last uplink of the device gave."""

    command_id: str
    tenant: str
    hardware_id: str
    route: str
    f_port: int
    payload: bytes
    is_confirmed: bool
    expires_in_s: int


class NotSendable(Detailed):
    """The network will never take it."""


class NotSentNow(Detailed):
    """The network does not take this one now; others it may."""


def check_taken(network: str, answer: Answer) -> None:
    """What a network answers to a command over HTTP. Raises NotSentNow or NotSendable."""
    if answer.status < 300:
        return
    told = f"{network} answers {answer.status}: {answer.body.decode(errors='replace')[:_LONGEST_ANSWER]}"
    raise NotSentNow(told) if answer.is_for_now else NotSendable(told)


class CommandSender(Protocol):
    async def send(self, order: Order) -> None:
        """Returns once the network has it. It may be asked again for the same command, of which a process died.

        Raises:
            NotSendable, NotSentNow, CallFailed where the network cannot be reached at all.
        """
        ...


class OfTenant:
    """CommandSender of what is set up for one tenant: another may have a device of the same name, and say of it what it
    likes."""

    def __init__(self, tenant: str, sender: CommandSender) -> None:
        self._tenant = tenant
        self._sender = sender

    async def send(self, order: Order) -> None:
        if order.tenant != self._tenant:
            raise NotSendable("the connector is set up for another tenant")
        await self._sender.send(order)


class CommandWish(msgspec.Struct, frozen=True):
    """Either a frame, or `data` in the terms of the device's codec, which makes the frame of it.

    `key` makes asking again harmless; without one every wish is a command of its own.
    """

    f_port: int = 0
    payload: bytes = b""
    is_confirmed: bool = False
    expires_in: Instant = DAY
    key: str = ""
    data: Mapping[str, Any] | None = None


class Commands:
    def __init__(
        self,
        log: CommandLog,
        registry: Registry,
        audit: Callable[[AuditRecord], object],
        clock: Clock = system_clock,
    ) -> None:
        self.log = log
        self._registry = registry
        self._audit = audit
        self._clock = clock
        self._senders: Mapping[str, CommandSender] = {}
        self._given = asyncio.Event()
        self._rounds: dict[str, asyncio.Task[None]] = {}

    def send_by(self, senders: Mapping[str, CommandSender]) -> None:
        """The ways there are, by the name that uplinks bear."""
        self._senders = senders

    async def reaches(self, caller: Caller, device: Device) -> bool:
        """Whether the right to command goes as far as the device, by itself or by what it serves."""
        return bool(await self._registry.list_within(caller.tenant, caller.commands, [device]))

    def can_reach(self, device: Device) -> bool:
        """Whether the way in that heard it last sends down too; until one does, its commands wait."""
        return device.route.partition(":")[0] in self._senders

    async def give(self, caller: Caller, hardware_id: str, wish: CommandWish) -> Command:
        """The command, once it is durable.

        Raises:
            Forbidden, ResourceNotFound: no such device; BadRequestData, TooManyCommands.
        """
        _check(caller)
        await self._registry.load(caller.tenant)
        known = hardware_id_of(hardware_id)
        device = self._registry.find(caller.tenant, known)
        if device is None:
            raise ResourceNotFound(f"There is no device {hardware_id!r}.")
        if not await self.reaches(caller, device):
            raise Forbidden(f"{caller.subject} may not command {device.hardware_id}, which lies out of reach.")
        wanted = self._command(caller, known, await _encoded(device, wish))
        command = await self.log.add(wanted)
        if not command.asks_the_same(wanted):
            raise BadRequestData(f"The key {wish.key!r} names another command of this device.")
        if command.id == wanted.id:
            metrics.COMMANDS.labels(CommandState.QUEUED.value).inc()
            facts = {"command": command.id, "port": str(command.f_port), "payload": command.payload.hex()}
            what = device_id(known)
            self._audit(AuditRecord(self._clock(), caller.tenant, caller.subject, "command-given", what, facts))
            self._given.set()
        return command

    def _command(self, caller: Caller, hardware_id: str, wish: CommandWish) -> Command:
        if not 1 <= wish.f_port <= 223:
            raise BadRequestData("A port for applications is 1 to 223 (LoRaWAN 1.0.4, 4.3.2).")
        if not 0 < len(wish.payload) <= LARGEST_PAYLOAD_BYTES:
            raise BadRequestData(f"A command has 1 to {LARGEST_PAYLOAD_BYTES} bytes.")
        if not 0 < wish.expires_in <= LONGEST_LIFE:
            raise BadRequestData(f"A command expires within {LONGEST_LIFE // DAY} days.")
        if len(wish.key) > _LONGEST_KEY:
            raise BadRequestData(f"A key has at most {_LONGEST_KEY} characters.")
        now, command_id = self._clock(), str(uuid4())
        return Command(
            id=command_id,
            tenant=caller.tenant,
            hardware_id=hardware_id,
            key=wish.key or command_id,
            f_port=wish.f_port,
            payload=wish.payload,
            is_confirmed=wish.is_confirmed,
            creator=caller.subject,
            created_at=now,
            expires_at=now + wish.expires_in,
            changed_at=now,
            due_at=now,
            data=wish.data,
        )

    async def list_commands(self, caller: Caller, hardware_id: str, limit: int = 100) -> list[Command]:
        if not caller.may(Right.READ):
            raise Forbidden("Reading commands needs the right to read.")
        known = hardware_id_of(hardware_id)
        if caller.reads is not None:
            await self._registry.load(caller.tenant)
            device = self._registry.find(caller.tenant, known)
            if device is None or not await self._registry.list_within(caller.tenant, caller.reads, [device]):
                return []
        return await self.log.list_commands(caller.tenant, known, limit) if HARDWARE_ID.fullmatch(known) else []

    async def report(self, tenant: str, report: DeliveryReport) -> bool:
        """Whether it told of one of these commands. Raises Overloaded."""
        for _ in range(_TRIES):
            command = await self._told_of(tenant, report)
            if command is None or command.hardware_id != report.hardware_id:
                return False
            after = reported(command, report, self._clock())
            if after is None or await self._replace(command, after):
                return True
        raise Overloaded("A command changes too often at once. Tell this again.")

    async def _told_of(self, tenant: str, report: DeliveryReport) -> Command | None:
        """Without an id: the one command that this can be about."""
        if report.command_id:
            return await self.log.find(tenant, report.command_id) if _is_id(report.command_id) else None
        newest = await self.log.list_commands(tenant, report.hardware_id, MOST_OPEN_OF_DEVICE)
        waiting = [one for one in newest if one.is_confirmed and one.state is CommandState.SENT]
        return waiting[0] if len(waiting) == 1 else None

    async def run(self) -> None:
        """Send what is due, until cancelled. Of several processes one does."""
        pruned_at_s = float("-inf")
        loop = asyncio.get_running_loop()
        try:
            while True:
                self._given.clear()
                try:
                    await self._begin_rounds()
                    if loop.time() - pruned_at_s >= _PRUNE_EVERY_S:
                        await self._prune()
                        pruned_at_s = loop.time()
                except Overloaded as fault:
                    _log.warning("the commands that are due cannot be read", extra={"reason": fault.detail})
                try:
                    async with asyncio.timeout(_LOOK_EVERY_S):
                        await self._given.wait()
                except TimeoutError:
                    continue
        finally:
            for round_ in self._rounds.values():
                round_.cancel()
            await asyncio.gather(*self._rounds.values(), return_exceptions=True)
            self._rounds.clear()

    async def send_due(self) -> None:
        """One look at what is due, to its end."""
        await self._begin_rounds()
        await asyncio.gather(*self._rounds.values())

    async def _prune(self) -> None:
        pruned = _PRUNED_AT_ONCE
        while pruned == _PRUNED_AT_ONCE:
            pruned = await self.log.prune(self._clock() - KEPT_FOR, _PRUNED_AT_ONCE)

    async def _begin_rounds(self) -> None:
        """Each way sends by itself: one that does not answer holds up no other."""
        self._rounds = {way: round_ for way, round_ in self._rounds.items() if not round_.done()}
        of_way: dict[str, list[tuple[Command, str]]] = {}
        for command in await self.log.list_due(self._clock(), _AT_ONCE):
            way, route = await self._way_of(command)
            if way not in self._rounds:
                of_way.setdefault(way, []).append((command, route))
        for way, commands in of_way.items():
            self._rounds[way] = asyncio.create_task(self._send_all(way, commands))

    async def _way_of(self, command: Command) -> tuple[str, str]:
        await self._registry.load(command.tenant)
        device = self._registry.find(command.tenant, command.hardware_id)
        way, _, route = ("", "", "") if device is None else device.route.partition(":")
        return way, route

    async def _send_all(self, way: str, commands: list[tuple[Command, str]]) -> None:
        unreachable = ""
        for command, route in commands:
            now = self._clock()
            try:
                if now >= command.expires_at:
                    await self._replace(command, expired(command, now))
                elif command.state is not CommandState.QUEUED:
                    continue
                elif unreachable:
                    await self._replace(command, postponed(command, unreachable, now))
                else:
                    unreachable = await self._send_one(way, route, command)
            except Overloaded as fault:
                _log.warning("what became of a command cannot be kept", extra={"reason": fault.detail})
                return
            except Exception:
                _log.exception("a command could not be followed", extra={"command": command.id})

    async def _send_one(self, way: str, route: str, command: Command) -> str:
        """Why the network cannot be reached, where it cannot."""
        sender = self._senders.get(way)
        if sender is None:
            reason = f"the way in {way} sends nothing down" if way else "no network that sends has heard the device yet"
            await self._replace(command, postponed(command, reason, self._clock()))
            return ""
        unreachable = ""
        try:
            async with asyncio.timeout(SEND_WITHIN_S):
                await sender.send(_order(command, route, self._clock()))
            after = handed_over(command, way, self._clock())
        except (NotSendable, AddressRefused) as fault:
            after = failed(command, fault.detail, self._clock())
        except NotSentNow as fault:
            after = postponed(command, fault.detail, self._clock())
        except CallFailed as fault:
            unreachable = fault.detail
            after = postponed(command, unreachable, self._clock())
        except TimeoutError:
            unreachable = f"the network did not answer within {SEND_WITHIN_S:g} s"
            after = postponed(command, unreachable, self._clock())
        except Exception:
            _log.exception("a command could not be sent", extra={"command": command.id, "way": way})
            after = postponed(command, "a fault of the platform", self._clock())
        await self._replace(command, after)
        return unreachable

    async def _replace(self, before: Command, after: Command) -> bool:
        """False where the network told more meanwhile, which then holds."""
        is_replaced = await self.log.replace(after)
        if is_replaced and after.state is not before.state:
            metrics.COMMANDS.labels(after.state.value).inc()
        return is_replaced


def _order(command: Command, route: str, now: Instant) -> Order:
    return Order(
        command.id,
        command.tenant,
        command.hardware_id,
        route,
        command.f_port,
        command.payload,
        command.is_confirmed,
        max(1, (command.expires_at - now) // SECOND),
    )


async def _encoded(device: Device, wish: CommandWish) -> CommandWish:
    if wish.data is None:
        return wish
    if wish.payload:
        raise BadRequestData("A command is a frame or data for the device's codec, not both.")
    encoded = await device.profile.encode_downlink(wish.data)
    if isinstance(encoded, CodecFailure):
        raise BadRequestData(f"The codec of {device.profile.id} makes no frame of this: {encoded.detail}")
    return msgspec.structs.replace(wish, f_port=encoded.f_port, payload=encoded.payload)


def _check(caller: Caller) -> None:
    if not caller.may(Right.COMMAND):
        raise Forbidden(f"{caller.subject} may not give commands in tenant {caller.tenant}.")


def _is_id(text: str) -> bool:
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False
