"""Where an entity's values come from: the device that measured, its frame, the codec that read it, the rule that named
what it said."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from parvis.broker.model.entity import Entity, Instance
from parvis.fleet.devices.device import Device
from parvis.fleet.devices.records import hardware_id_of
from parvis.fleet.model.clocks import read_instant, read_number
from parvis.fleet.model.frame import LoggedFrame
from parvis.fleet.model.uplink import NO_COUNTER
from parvis.fleet.profiles.mapping import AttributeRule, MappingFailure, dig
from parvis.fleet.profiles.profile import DeviceProfile
from parvis.kernel.identity import Caller, Right
from parvis.kernel.time import SECOND, Instant
from parvis.web.console.codecs import href_of as bench_of
from parvis.web.console.entity_values import instant_of
from parvis.web.site import Site
from parvis.web.views import DEVICE_TYPE, short_id
from parvis.web.wording import MINUS, Wording

MOST_DEVICES = 10
RAW_TIME = "measuredAt"
"""What the device said, where it is not believed."""


@dataclass(frozen=True, slots=True)
class ValueSource:
    """The frame that says the value of that moment, the codec that read it and the rule that named it."""

    device: str
    device_href: str
    profile: str
    bench_href: str
    rule: str
    frame_href: str
    counter: int | None


@dataclass(frozen=True, slots=True)
class Provenance:
    """`measured` is known from frames. `perhaps` are devices that measure such a value, none of whose frames that are
    still kept says it. Neither: it was written by somebody else."""

    measured: Sequence[ValueSource]
    perhaps: Sequence[tuple[str, str]]


async def list_sources(
    site: Site, caller: Caller, entity: Entity, feeding: Sequence[str], t: Wording
) -> Mapping[tuple[str, str], Provenance]:
    """By term and short datasetId; `feeding` are the ids of the devices that observe the entity. For those who may see
    devices."""
    if not caller.may(Right.READ):
        return {}
    own = [entity.id] if DEVICE_TYPE in map(site.reader.compact, entity.types) else []
    devices = await _list_devices(site, caller, [*own, *feeding][:MOST_DEVICES])
    logged = [(one, await site.platform.fleet.list_frames(caller, one.hardware_id)) for one in devices]
    return {
        (site.reader.compact(one.name), short_id(one.dataset)): _provenance(site, one, logged, t)
        for one in entity.instances
    }


async def _list_devices(site: Site, caller: Caller, ids: Iterable[str]) -> list[Device]:
    registry = site.platform.fleet.registry
    await registry.load(caller.tenant)
    found = (registry.find(caller.tenant, hardware_id_of(one)) for one in ids)
    devices = [device for device in found if device is not None]
    return await registry.list_within(caller.tenant, caller.reads, devices)


def _provenance(
    site: Site, instance: Instance, logged: Sequence[tuple[Device, Sequence[LoggedFrame]]], t: Wording
) -> Provenance:
    measured, perhaps = [], []
    if instance.observed_at is not None and not instance.dataset:
        for device, frames in logged:
            rules = [one for one in device.profile.rules if site.reader.expand(one.name) == instance.name]
            frame = _find_frame(site, device, instance, frames) if rules else None
            if frame is not None:
                measured.append(_source(device, rules[0], t, frame))
            elif rules:
                perhaps.append((device.hardware_id, _href_of(device)))
    return Provenance(measured, perhaps)


def _href_of(device: Device) -> str:
    return f"/console/devices/{quote(device.hardware_id, safe='')}"


def _source(device: Device, rule: AttributeRule, t: Wording, frame: LoggedFrame) -> ValueSource:
    href, counter = _href_of(device), frame.uplink.f_cnt
    return ValueSource(
        device.hardware_id,
        href,
        device.profile.header.name_in(t.language),
        bench_of(device.profile.id),
        formula_of(rule),
        f"{href}?frames=all#frame-{frame.uplink.received_at}",
        None if counter == NO_COUNTER else counter,
    )


def _find_frame(site: Site, device: Device, instance: Instance, frames: Sequence[LoggedFrame]) -> LoggedFrame | None:
    """The one that says this of this moment; of one that was not believed, of the moment that the device told."""
    raw = (instance.extra or {}).get(site.reader.expand(RAW_TIME))
    said = instant_of(raw["value"]) if isinstance(raw, dict) and isinstance(raw.get("value"), dict) else None
    told = (instance.name, instance.observed_at if said is None else said, instance.value)
    return next((frame for frame in frames if _says(device.profile, frame, told)), None)


def _says(profile: DeviceProfile, frame: LoggedFrame, told: tuple[str, Instant | None, Any]) -> bool:
    try:
        mapped = [profile.fields.map(data, at) for data, at in _readings(profile, frame)]
    except (MappingFailure, ValueError):
        return False
    return any((one.name, one.observed_at, one.value) == told for all_ in mapped for one in (*all_.asset, *all_.device))


def _readings(profile: DeviceProfile, frame: LoggedFrame) -> Iterable[tuple[dict[str, Any], Instant]]:
    """The frame's own, and each of its records. Raises ValueError."""
    if frame.refused is not None or not frame.data:
        return
    data, at, rule = frame.data, frame.uplink.at, profile.records
    dated = dig(data, profile.clock.field.split(".")) if profile.clock.field else None
    at = at if dated is None else read_instant(dated)
    yield data, at
    records = None if rule is None else dig(data, rule.path.split("."))
    for record in records if isinstance(records, list) else ():
        if rule is not None and isinstance(record, dict):
            time = record.get(rule.time)
            is_age = rule.time_format == "age_s"
            yield record, at - round(read_number(time) * SECOND) if is_age else read_instant(time)


def formula_of(rule: AttributeRule) -> str:
    """ "level × 0.01 + 2"."""
    scaled = rule.field if rule.scale == 1 else f"{rule.field} × {rule.scale:g}"
    if rule.offset == 0:
        return scaled
    return f"{scaled} {'+' if rule.offset > 0 else MINUS} {abs(rule.offset):g}"
