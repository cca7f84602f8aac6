"""Devices: who there is, registering, changing, replacing."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from msgspec import convert
from pydantic import BaseModel, ConfigDict, Field

from parvis.access.model import ApiKey
from parvis.broker.model.change import Status
from parvis.fleet.devices.device import Device, Standing
from parvis.fleet.devices.records import DeviceRecord, DeviceUpdate, Replacement, device_id, hardware_id_of
from parvis.fleet.devices.rights import check_reads, check_writes
from parvis.fleet.devices.selection import DeviceFilter, Facets
from parvis.fleet.model.uplink import Technology
from parvis.kernel.errors import BadRequestData, ResourceNotFound
from parvis.kernel.time import format_instant
from parvis.web.api.shared import (
    MOST_AT_ONCE,
    ONE_DEVICE,
    CallerOf,
    SiteOf,
    check_administers,
)
from parvis.web.console.devices import DeviceView, list_devices

ROUTER = APIRouter()
HardwareId = Annotated[str, Path(**ONE_DEVICE)]


class DeviceOut(BaseModel):
    id: str
    hardware_id: str
    name: str
    profile: str
    controlled_asset: str
    battery_level: float | None = Field(default=None, description="0 to 1")
    last_seen: str | None = Field(default=None, description="ISO 8601, UTC")
    state: str = Field(description="Health, as the pages tell it; empty in an answer to a change")
    standing: Standing = Standing.ACTIVE
    technology: Technology = Technology.UNKNOWN
    groups: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    expected_interval_s: float | None = None

    @classmethod
    def of(cls, device: DeviceView, known: Device | None) -> "DeviceOut":
        view = cls(
            id=device.id,
            hardware_id="",
            name=device.name,
            profile=device.profile,
            controlled_asset=device.asset,
            battery_level=device.battery,
            last_seen=None if device.last_seen is None else format_instant(device.last_seen),
            state=device.state.word,
        )
        return view if known is None else view.model_copy(update=_registered(known))

    @classmethod
    def of_registered(cls, device: Device) -> "DeviceOut":
        return cls(
            id=device.entity_id,
            name=device.name,
            profile=device.profile.id,
            controlled_asset=device.asset_id,
            state="",
            **_registered(device),
        )


def _registered(device: Device) -> dict[str, Any]:
    return {
        "hardware_id": device.hardware_id,
        "standing": device.standing,
        "technology": device.technology,
        "groups": device.groups,
        "tags": device.tags,
        "expected_interval_s": device.expected_interval_s or None,
    }


class DeviceIn(BaseModel):
    """A device and the entity it feeds."""

    model_config = ConfigDict(extra="forbid")

    hardware_id: str = Field(pattern=r"^[0-9A-Za-z][0-9A-Za-z._-]{3,63}$", examples=["0254520112345678"])
    profile: str = Field(examples=["generic-climate"])
    entity_id: str = Field(examples=["urn:ngsi-ld:WasteContainer:market-square"])
    name: str = ""
    entity_type: str = ""
    location: dict[str, Any] | None = Field(default=None, description="A GeoJSON geometry")
    attributes: dict[str, Any] = Field(default_factory=dict, description="Static attributes of the entity, key-values")
    technology: str = Field(default="", examples=["lorawan"])
    groups: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    expected_interval_s: float = Field(
        default=0.0, ge=0, description="How often a frame is expected; 0: as its profile says"
    )
    serial_number: str = ""
    manufacturer: str = ""
    model: str = ""


class DeviceChangeIn(BaseModel):
    """What becomes different: what is left out stays, what is empty goes. `suspended` puts a device out of use."""

    model_config = ConfigDict(extra="forbid")

    profile: str | None = None
    entity_id: str | None = None
    entity_type: str | None = None
    name: str | None = None
    location: dict[str, Any] | None = None
    technology: str | None = None
    groups: tuple[str, ...] | None = None
    tags: tuple[str, ...] | None = None
    expected_interval_s: float | None = Field(default=None, ge=0)
    serial_number: str | None = None
    manufacturer: str | None = None
    model: str | None = None
    suspended: bool | None = None

    def update(self) -> DeviceUpdate:
        told = self.model_dump(exclude_unset=True)
        if faulty := [name for name, value in told.items() if value is None and name != "location"]:
            raise BadRequestData(f"{', '.join(faulty)}: leave out what stays, give an empty value for what goes.")
        return DeviceUpdate(**told)


class ReplacementIn(BaseModel):
    """The device that takes a broken one's place."""

    model_config = ConfigDict(extra="forbid")

    hardware_id: str = Field(examples=["0254520112345679"])
    profile: str = Field(default="", description="That of the broken one where it is empty")
    serial_number: str = ""
    manufacturer: str = ""
    model: str = ""


class RegisteredOut(BaseModel):
    """What became of one device; `problem` is set where it was not registered."""

    id: str
    status: str
    problem: dict[str, Any] | None = None


class FacetsOut(BaseModel):
    groups: dict[str, int]
    tags: dict[str, int]
    profiles: dict[str, int]
    technologies: dict[str, int]
    standings: dict[str, int]


class DeviceKeyIn(BaseModel):
    model_config = ConfigDict(extra="forbid")

    label: str = Field(default="", description="The device's name where it is empty")


class DeviceKeyOut(BaseModel):
    id: str
    label: str
    created_at: str
    last_used_at: str | None
    key: str = Field(default="", description="Told once, when the key is made")

    @classmethod
    def of(cls, key: ApiKey, token: str = "") -> "DeviceKeyOut":
        used = None if key.last_used_at is None else format_instant(key.last_used_at)
        return cls(id=key.id, label=key.label, created_at=format_instant(key.created_at), last_used_at=used, key=token)


@ROUTER.get("/devices", summary="Devices, most urgent first")
async def read_devices(
    site: SiteOf,
    caller: CallerOf,
    search: Annotated[str, Query(max_length=200)] = "",
    group: str = "",
    tag: str = "",
    profile: str = "",
    technology: Technology | None = None,
    standing: Standing | None = None,
    state: Annotated[str, Query(description="Health: good, stale, warn, bad")] = "",
    limit: Annotated[int, Query(ge=1, le=MOST_AT_ONCE)] = 100,
    offset: Annotated[int, Query(ge=0)] = 0,
) -> list[DeviceOut]:
    """Those that all of the conditions given fit."""
    views = await list_devices(site, caller)
    which = DeviceFilter(search, group, tag, profile, technology, standing)
    fleet = site.platform.fleet
    known = {device.entity_id: device for device in await fleet.list_devices(caller)}
    chosen = [
        DeviceOut.of(view, known.get(view.id))
        for view in views
        if (not state or view.state.word == state) and _admits(which, known.get(view.id))
    ]
    return chosen[offset : offset + limit]


def _admits(which: DeviceFilter, device: Device | None) -> bool:
    """A Device entity that no frame can belong to is shown where nothing is asked for."""
    return which == DeviceFilter() if device is None else which.admits(device)


@ROUTER.get("/devices/facets", summary="How many devices there are of each group, tag, profile, technology, standing")
async def read_facets(site: SiteOf, caller: CallerOf) -> FacetsOut:
    check_reads(caller)
    facets = Facets.of(await site.platform.fleet.list_devices(caller))
    return FacetsOut(
        groups=dict(facets.groups),
        tags=dict(facets.tags),
        profiles=dict(facets.profiles),
        technologies={one.value: count for one, count in facets.technologies.items()},
        standings={one.value: count for one, count in facets.standings.items()},
    )


@ROUTER.post("/devices", status_code=201, summary="Register devices")
async def register_devices(devices: list[DeviceIn], site: SiteOf, caller: CallerOf) -> list[RegisteredOut]:
    """Needs the right to write. Frames of these devices that came too early are adopted."""
    check_writes(caller)
    if not 0 < len(devices) <= MOST_AT_ONCE:
        raise BadRequestData(f"Register between 1 and {MOST_AT_ONCE} devices at once.")
    records = [convert(device.model_dump(), DeviceRecord) for device in devices]
    outcomes = await site.platform.fleet.register(caller, records)
    return [
        RegisteredOut(
            id=device_id(record.hardware_id),
            status=outcome.status.name.lower(),
            problem=outcome.error.problem() if outcome.status is Status.FAILED and outcome.error else None,
        )
        for record, outcome in zip(records, outcomes, strict=True)
    ]


@ROUTER.get("/devices/{hardware_id}", summary="What is registered of one device")
async def read_device(hardware_id: HardwareId, site: SiteOf, caller: CallerOf) -> DeviceOut:
    check_reads(caller)
    return DeviceOut.of_registered(await site.platform.fleet.get_device(caller, hardware_id))


@ROUTER.patch("/devices/{hardware_id}", summary="Change or suspend a device")
async def change_device(hardware_id: HardwareId, change: DeviceChangeIn, site: SiteOf, caller: CallerOf) -> DeviceOut:
    check_writes(caller)
    return DeviceOut.of_registered(await site.platform.fleet.update(caller, hardware_id, change.update()))


@ROUTER.delete("/devices/{hardware_id}", status_code=204, summary="Forget a device; its object and history stay")
async def remove_device(hardware_id: HardwareId, site: SiteOf, caller: CallerOf) -> None:
    """Its keys end as well."""
    check_writes(caller)
    device = await site.platform.fleet.remove(caller, hardware_id)
    site.platform.access.keys.end_device(caller, device.hardware_id)


@ROUTER.post("/devices/{hardware_id}/replace", status_code=201, summary="Put another device in a broken one's place")
async def replace_device(hardware_id: HardwareId, new: ReplacementIn, site: SiteOf, caller: CallerOf) -> DeviceOut:
    """The object keeps its history. What the old device still sends is refused as REPLACED, and its keys end."""
    check_writes(caller)
    old = await site.platform.fleet.get_device(caller, hardware_id)
    device = await site.platform.fleet.replace(caller, hardware_id, Replacement(**new.model_dump()))
    site.platform.access.keys.end_device(caller, old.hardware_id)
    return DeviceOut.of_registered(device)


@ROUTER.get("/devices/{hardware_id}/keys", summary="Keys that may deliver for this device alone")
async def read_device_keys(hardware_id: HardwareId, site: SiteOf, caller: CallerOf) -> list[DeviceKeyOut]:
    """For administrators."""
    check_administers(caller)
    device = await site.platform.fleet.get_device(caller, hardware_id)
    keys = site.platform.access.keys.list_device_keys(caller, device.hardware_id)
    return [DeviceKeyOut.of(key) for key in keys]


@ROUTER.post(
    "/devices/{hardware_id}/keys", status_code=201, summary="Make a key that may deliver for this device alone"
)
async def make_device_key(hardware_id: HardwareId, given: DeviceKeyIn, site: SiteOf, caller: CallerOf) -> DeviceKeyOut:
    """For administrators. An HTTP bearer token, and a password over MQTT."""
    check_administers(caller)
    device = await site.platform.fleet.get_device(caller, hardware_id)
    label = given.label or device.name or device.hardware_id
    keys = site.platform.access.keys
    return DeviceKeyOut.of(*keys.create(caller, label, "device", caller.tenant, device=device.hardware_id))


@ROUTER.delete("/devices/{hardware_id}/keys/{key_id}", status_code=204, summary="End a key of this device")
async def end_device_key(hardware_id: HardwareId, key_id: str, site: SiteOf, caller: CallerOf) -> None:
    """For administrators."""
    check_administers(caller)
    keys = site.platform.access.keys
    if key_id not in [one.id for one in keys.list_device_keys(caller, hardware_id_of(hardware_id))]:
        raise ResourceNotFound(f"{hardware_id} has no key {key_id}.")
    keys.revoke(caller, key_id)
