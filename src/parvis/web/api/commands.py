"""Commands to devices, and gateways, in the typed API."""

from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from parvis.broker.model.entity import Entity, Json
from parvis.broker.query.tree import EntityQuery, TypeIs
from parvis.fleet.commands.command import LONGEST_LIFE, Command, CommandState
from parvis.fleet.commands.downlink import CommandWish
from parvis.fleet.devices.rights import check_reads_all
from parvis.fleet.network.gateways import GatewayState, judge_gateway
from parvis.kernel.errors import BadRequestData
from parvis.kernel.time import DAY, SECOND, Instant, format_instant, system_clock
from parvis.web.api.shared import MOST_AT_ONCE, ONE_DEVICE, CallerOf, SiteOf
from parvis.web.site import Site

MOST_COMMANDS = 500
ROUTER = APIRouter()
HardwareId = Annotated[str, Path(**ONE_DEVICE)]


class CommandIn(BaseModel):
    """Either `payload_hex` on `f_port`, or `data`, of which the device's codec makes the frame."""

    model_config = ConfigDict(extra="forbid")

    f_port: int = Field(default=0, ge=0, le=255)
    payload_hex: str = Field(default="", max_length=1024, examples=["01ff"])
    data: dict[str, Any] | None = Field(default=None, examples=[{"open": True}])
    confirmed: bool = Field(default=False, description="The device is to acknowledge it")
    expires_in_s: int = Field(default=DAY // SECOND, ge=1, le=LONGEST_LIFE // SECOND)


class CommandOut(BaseModel):
    id: str
    device: str
    state: CommandState
    detail: str
    f_port: int
    payload_hex: str
    data: dict[str, Any] | None
    confirmed: bool
    attempts: int
    way: str = Field(description="The connector that sent it")
    given_by: str
    given_at: str
    changed_at: str
    transmitted_at: str | None
    expires_at: str

    @classmethod
    def of(cls, command: Command) -> "CommandOut":
        return cls(
            id=command.id,
            device=command.hardware_id,
            state=command.state,
            detail=command.detail,
            f_port=command.f_port,
            payload_hex=command.payload.hex(),
            data=command.data,
            confirmed=command.is_confirmed,
            attempts=command.attempts,
            way=command.way,
            given_by=command.creator,
            given_at=format_instant(command.created_at),
            changed_at=format_instant(command.changed_at),
            transmitted_at=_written(command.transmitted_at),
            expires_at=format_instant(command.expires_at),
        )


class GatewayOut(BaseModel):
    id: str
    name: str
    state: GatewayState
    last_heard: str | None
    uplinks_per_minute: float | None
    rssi_dbm: float | None = Field(description="Mean of what it heard last")
    snr_db: float | None
    location: dict[str, Any] | None = Field(description="A GeoJSON geometry")


@ROUTER.post("/devices/{hardware_id}/commands", status_code=201, summary="Give a device a command")
async def give_command(
    hardware_id: HardwareId,
    command: CommandIn,
    site: SiteOf,
    caller: CallerOf,
    idempotency_key: Annotated[str, Header(max_length=100, description="Asking again with it is harmless")] = "",
) -> CommandOut:
    """Needs the right to command. It is on disk once this answers; the network that heard the device last sends it."""
    wish = CommandWish(
        command.f_port,
        _bytes(command.payload_hex),
        command.confirmed,
        command.expires_in_s * SECOND,
        idempotency_key,
        command.data,
    )
    given = await site.platform.commands.give(caller, _named(hardware_id), wish)
    return CommandOut.of(given)


@ROUTER.get("/devices/{hardware_id}/commands", summary="Commands to a device, newest first")
async def read_commands(
    hardware_id: HardwareId,
    site: SiteOf,
    caller: CallerOf,
    limit: Annotated[int, Query(ge=1, le=MOST_COMMANDS)] = 100,
) -> list[CommandOut]:
    commands = await site.platform.commands.list_commands(caller, _named(hardware_id), limit)
    return [CommandOut.of(one) for one in commands]


@ROUTER.get("/gateways", summary="Gateways, and whether they are heard")
async def read_gateways(
    site: SiteOf,
    caller: CallerOf,
    limit: Annotated[int, Query(ge=1, le=MOST_AT_ONCE)] = MOST_AT_ONCE,
    offset: Annotated[int, Query(ge=0)] = 0,
) -> list[GatewayOut]:
    check_reads_all(caller)
    broker = site.platform.broker
    query = EntityQuery(types=TypeIs(broker.contexts.parvis.expand("Gateway")), limit=limit, offset=offset)
    page = await broker.query(caller, query)
    now = system_clock()
    return [_gateway(site, entity, now) for entity in page.entities]


def _gateway(site: Site, entity: Entity, now: Instant) -> GatewayOut:
    expand = site.platform.broker.contexts.parvis.expand

    def value(term: str) -> Json:
        held = entity.find(expand(term))
        return None if held is None else held.value

    reported = entity.find(expand("dateLastValueReported"))
    last_heard = None if reported is None else reported.observed_at
    name = value("name")
    return GatewayOut(
        id=entity.id,
        name=name if isinstance(name, str) else "",
        state=judge_gateway(last_heard, now),
        last_heard=_written(last_heard),
        uplinks_per_minute=_number(value("uplinkRate")),
        rssi_dbm=_number(value("rssi")),
        snr_db=_number(value("snr")),
        location=value("location"),
    )


def _number(value: Json) -> float | None:
    """Anybody may write a Gateway entity."""
    return float(value) if isinstance(value, int | float) else None


def _written(instant: Instant | None) -> str | None:
    return None if instant is None else format_instant(instant)


def _named(hardware_id: str) -> str:
    return hardware_id.rpartition(":")[2]


def _bytes(digits: str) -> bytes:
    try:
        return bytes.fromhex(digits)
    except ValueError:
        raise BadRequestData("payload_hex is no hexadecimal.") from None
