"""Frames: those refused, those that wait for their device, the last ones of each device."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from parvis.fleet.devices.records import hardware_id_of
from parvis.fleet.devices.rights import check_reads, check_reads_all, check_writes
from parvis.fleet.model.frame import LoggedFrame, Waiting
from parvis.fleet.model.refusal import RefusalReason
from parvis.fleet.model.uplink import Technology
from parvis.kernel.time import format_instant
from parvis.web.api.shared import MOST_AT_ONCE, ONE_DEVICE, CallerOf, RefusedOut, SiteOf

ROUTER = APIRouter()
HardwareId = Annotated[str, Path(**ONE_DEVICE)]


class RefusalOut(BaseModel):
    id: int
    at: str
    reason: RefusalReason
    detail: str
    device: str
    f_port: int | None
    payload_hex: str


class RefusalsOut(BaseModel):
    counts: dict[str, int]
    refusals: list[RefusalOut]


class RetryIn(BaseModel):
    ids: list[int] = Field(min_length=1, max_length=MOST_AT_ONCE)


class RetriedOut(BaseModel):
    """What became of each: None where it is stored now. Frames that somebody else tries just now are left out."""

    results: dict[int, RefusedOut | None]


class WaitingOut(BaseModel):
    """A device that nobody has registered."""

    hardware_id: str
    frames: int
    first_at: str
    last_at: str
    name: str = Field(description="What the network server calls it")
    network_profile: str
    way: str
    technology: Technology
    payload_hex: str = Field(description="Of the newest frame")

    @classmethod
    def of(cls, waiting: Waiting) -> "WaitingOut":
        newest = waiting.newest
        return cls(
            hardware_id=waiting.hardware_id,
            frames=waiting.frames,
            first_at=format_instant(waiting.first_at),
            last_at=format_instant(waiting.last_at),
            name="" if newest is None else newest.device_name,
            network_profile="" if newest is None else newest.network_profile,
            way="" if newest is None else newest.way,
            technology=Technology.UNKNOWN if newest is None else newest.technology,
            payload_hex="" if newest is None else newest.payload.hex(),
        )


class DiscardedOut(BaseModel):
    frames: int


class FrameOut(BaseModel):
    """One of a device's last frames."""

    received_at: str
    measured_at: str | None
    way: str
    f_port: int
    f_cnt: int | None
    payload_hex: str
    decoded: dict[str, Any] | None
    refused: RefusedOut | None
    rssi_dbm: float | None
    snr_db: float | None
    spreading_factor: int | None
    gateway: str
    gateways: int

    @classmethod
    def of(cls, frame: LoggedFrame) -> "FrameOut":
        uplink = frame.uplink
        return cls(
            received_at=format_instant(uplink.received_at),
            measured_at=None if uplink.measured_at is None else format_instant(uplink.measured_at),
            way=uplink.way,
            f_port=uplink.f_port,
            f_cnt=uplink.f_cnt if uplink.f_cnt >= 0 else None,
            payload_hex=uplink.payload.hex(),
            decoded=frame.data,
            refused=RefusedOut.of(frame.refused),
            rssi_dbm=uplink.rssi_dbm,
            snr_db=uplink.snr_db,
            spreading_factor=uplink.spreading_factor or None,
            gateway=uplink.gateway,
            gateways=uplink.gateways,
        )


@ROUTER.get("/refusals", summary="Refused frames, newest first")
async def read_refusals(
    site: SiteOf,
    caller: CallerOf,
    device: Annotated[str, Query(**ONE_DEVICE)] = "",
    limit: Annotated[int, Query(ge=1, le=MOST_AT_ONCE)] = 100,
) -> RefusalsOut:
    check_reads_all(caller)
    fleet = site.platform.fleet
    chosen = await fleet.list_refusals(caller, hardware_id_of(device))
    counts = await fleet.frames.count_refusals(caller.tenant)
    refusals = [
        RefusalOut(
            id=one.id,
            at=format_instant(one.at),
            reason=one.reason,
            detail=one.detail,
            device=one.device or one.topic,
            f_port=None if one.uplink is None else one.uplink.f_port,
            payload_hex=(one.payload if one.uplink is None else one.uplink.payload).hex(),
        )
        for one in chosen[:limit]
    ]
    return RefusalsOut(counts={reason.value: count for reason, count in counts.items()}, refusals=refusals)


@ROUTER.post("/refusals/retry", summary="Try refused frames again")
async def retry_refusals(given: RetryIn, site: SiteOf, caller: CallerOf) -> RetriedOut:
    check_writes(caller)
    results = await site.platform.fleet.retry(caller, given.ids)
    return RetriedOut(results={one: RefusedOut.of(refused) for one, refused in results.items()})


@ROUTER.get("/quarantine", summary="Unknown devices, and how many of their frames wait")
async def read_quarantine(
    site: SiteOf, caller: CallerOf, limit: Annotated[int, Query(ge=1, le=MOST_AT_ONCE)] = 100
) -> list[WaitingOut]:
    """The one heard last comes first. Register a device, and its frames are adopted in the order in which they came."""
    check_reads_all(caller)
    return [WaitingOut.of(one) for one in (await site.platform.fleet.list_waiting(caller))[:limit]]


@ROUTER.delete("/quarantine/{hardware_id}", summary="Forget what waits of an unknown device")
async def discard_waiting(hardware_id: HardwareId, site: SiteOf, caller: CallerOf) -> DiscardedOut:
    check_writes(caller)
    return DiscardedOut(frames=await site.platform.fleet.discard_waiting(caller, hardware_id))


@ROUTER.get("/devices/{hardware_id}/frames", summary="The last frames of a device, newest first")
async def read_frames(hardware_id: HardwareId, site: SiteOf, caller: CallerOf) -> list[FrameOut]:
    """As they came, what they were decoded to, and why one was refused."""
    check_reads(caller)
    device = await site.platform.fleet.get_device(caller, hardware_id)
    return [FrameOut.of(one) for one in await site.platform.fleet.list_frames(caller, device.hardware_id)]
