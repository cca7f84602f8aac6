"""Commands to devices: what is asked for, how far it has come, and where that is kept."""

from enum import Enum
from typing import Protocol

import msgspec
from msgspec.structs import replace

from parvis.broker.model.entity import Json
from parvis.fleet.model.events import Delivery, DeliveryReport
from parvis.kernel.errors import PARVIS_ERRORS, ParvisError
from parvis.kernel.time import DAY, MINUTE, SECOND, Instant

LARGEST_PAYLOAD_BYTES = 242
"""LoRaWAN's longest application payload (RP002-1.0.4, EU863-870 DR 4 to 7)."""
MOST_OPEN_OF_DEVICE = 50
MOST_OPEN_OF_TENANT = 20_000
LONGEST_LIFE = 30 * DAY
LONGEST_DETAIL = 300
_FIRST_PAUSE = 5 * SECOND
_LONGEST_PAUSE = 10 * MINUTE


class CommandState(Enum):
    QUEUED = "queued"  # on disk here, not yet with the network
    SENT = "sent"  # with the network; the last state of a command that asks for no confirmation
    ACKNOWLEDGED = "acknowledged"
    FAILED = "failed"
    EXPIRED = "expired"


OPEN = (CommandState.QUEUED, CommandState.SENT)


class TooManyCommands(ParvisError):
    type_uri = PARVIS_ERRORS + "too-many-commands"
    title = "Too many commands wait already"
    status = 429


class Command(msgspec.Struct, frozen=True):
    """`key` is the asker's own: the same one of the same device is the same command.

    `due_at` is when it is looked at again, None where nothing is left to do. `data` is what `payload` was encoded from.
    `version` goes up with every change.
    """

    id: str
    tenant: str
    hardware_id: str
    key: str
    f_port: int
    payload: bytes
    is_confirmed: bool
    creator: str
    created_at: Instant
    expires_at: Instant
    changed_at: Instant
    due_at: Instant | None
    state: CommandState = CommandState.QUEUED
    version: int = 1
    attempts: int = 0
    data: Json = None
    way: str = ""
    transmitted_at: Instant | None = None
    detail: str = ""

    @property
    def is_open(self) -> bool:
        """Whether it may still come to something: a command that asks for no confirmation is over once it is sent."""
        return self.due_at is not None

    def asks_the_same(self, other: "Command") -> bool:
        return (self.f_port, self.payload, self.is_confirmed) == (other.f_port, other.payload, other.is_confirmed)


_DECODER = msgspec.json.Decoder(Command)


def check_room(of_device: int, of_tenant: int) -> None:
    """So many commands are open already. Raises TooManyCommands."""
    if of_device >= MOST_OPEN_OF_DEVICE or of_tenant >= MOST_OPEN_OF_TENANT:
        raise TooManyCommands(f"{of_device} commands of the device are open, {of_tenant} of all.")


def changing_columns(command: Command) -> tuple[int, Instant, Instant | None, bytes]:
    """What a store keeps in columns of their own and rewrites with every change: version, changed, due, document."""
    return (command.version, command.changed_at, command.due_at, msgspec.json.encode(command))


def columns_of(command: Command) -> tuple[object, ...]:
    """id, device, key, created, and those that change."""
    return (command.id, command.hardware_id, command.key, command.created_at, *changing_columns(command))


def read_command(document: bytes) -> Command:
    return _DECODER.decode(document)


def handed_over(command: Command, way: str, now: Instant) -> Command:
    due_at = command.expires_at if command.is_confirmed else None
    return _changed(command, now, CommandState.SENT, due_at, way=way, attempts=command.attempts + 1, detail="")


def postponed(command: Command, detail: str, now: Instant) -> Command:
    pause = min(_FIRST_PAUSE << min(command.attempts, 10), _LONGEST_PAUSE)
    due_at = min(now + pause, command.expires_at)
    return _changed(command, now, CommandState.QUEUED, due_at, attempts=command.attempts + 1, detail=detail)


def failed(command: Command, detail: str, now: Instant) -> Command:
    return _changed(command, now, CommandState.FAILED, None, detail=detail)


def expired(command: Command, now: Instant) -> Command:
    reason = command.detail if command.state is CommandState.QUEUED else "the device did not acknowledge in time"
    return _changed(command, now, CommandState.EXPIRED, None, detail=reason)


def reported(command: Command, report: DeliveryReport, now: Instant) -> Command | None:
    """After what the network tells; None where that is nothing new. A device that acknowledges late has it still."""
    if command.state is CommandState.ACKNOWLEDGED:
        return None
    if report.delivery is Delivery.ACKNOWLEDGED:
        return _changed(command, now, CommandState.ACKNOWLEDGED, None, detail=report.detail)
    if command.state not in OPEN:
        return None
    if report.delivery is Delivery.FAILED:
        return failed(command, report.detail, now)
    due_at = command.expires_at if command.is_confirmed else None
    if report.delivery is Delivery.TRANSMITTED:
        return _changed(command, now, CommandState.SENT, due_at, transmitted_at=report.at, detail=report.detail)
    return _changed(command, now, CommandState.SENT, due_at, detail=report.detail)


def _changed(
    command: Command,
    now: Instant,
    state: CommandState,
    due_at: Instant | None,
    *,
    detail: str,
    way: str = "",
    attempts: int = 0,
    transmitted_at: Instant | None = None,
) -> Command:
    return replace(
        command,
        state=state,
        changed_at=now,
        due_at=due_at,
        version=command.version + 1,
        way=way or command.way,
        attempts=attempts or command.attempts,
        transmitted_at=transmitted_at or command.transmitted_at,
        detail=detail[:LONGEST_DETAIL],
    )


class CommandLog(Protocol):
    """Where commands are kept. All processes that may share it see the same."""

    async def add(self, command: Command) -> Command:
        """The command once it is durable, or the one of the same key that the device has already.

        Raises:
            TooManyCommands: of the device, or of its tenant.
            NonexistentTenant
        """
        ...

    async def find(self, tenant: str, command_id: str) -> Command | None: ...

    async def list_commands(self, tenant: str, hardware_id: str, limit: int) -> list[Command]:
        """The newest first."""
        ...

    async def list_due(self, now: Instant, limit: int) -> list[Command]:
        """Of all tenants, those due longest first."""
        ...

    async def replace(self, command: Command) -> bool:
        """False where it is not there in the version before this one (any more)."""
        ...

    async def prune(self, before: Instant, limit: int) -> int:
        """Forget at most `limit` that were over before; how many they were."""
        ...
