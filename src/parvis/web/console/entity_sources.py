"""Where an entity's values come from: the device that measured, its frame, the codec that read it, the rule that named
what it said."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from parvis.broker.model.entity import Entity, Instance
from parvis.fleet.devices.device import Device
from parvis.fleet.devices.records import hardware_id_of
from parvis.fleet.model.frame import LoggedFrame
from parvis.fleet.model.uplink import NO_COUNTER
from parvis.fleet.profiles.mapping import AttributeRule, MappingFailure
from parvis.kernel.identity import Caller, Right
from parvis.kernel.time import Instant
from parvis.web.console.codecs import href_of as bench_of
from parvis.web.site import Site
from parvis.web.views import DEVICE_TYPE
from parvis.web.wording import MINUS, Wording

MOST_DEVICES = 10


@dataclass(frozen=True, slots=True)
class ValueSource:
    """`frame_href` is empty where the frame that made the value is no longer in the device's log."""

    device: str
    device_href: str
    profile: str
    bench_href: str
    rule: str
    frame_href: str = ""
    frame_at: Instant | None = None
    counter: int | None = None


async def list_sources(
    site: Site, caller: Caller, entity: Entity, feeding: Sequence[str], t: Wording
) -> Mapping[str, Sequence[ValueSource]]:
    """By term; `feeding` are the ids of the devices that observe the entity. For those who may see devices."""
    if not caller.may(Right.READ):
        return {}
    own = [entity.id] if DEVICE_TYPE in map(site.reader.compact, entity.types) else []
    found: dict[str, list[ValueSource]] = {}
    for device in await _list_devices(site, caller, [*own, *feeding][:MOST_DEVICES]):
        frames = await site.platform.fleet.list_frames(caller, device.hardware_id)
        for term, source in _sources_of(site, device, entity, frames, t):
            found.setdefault(term, []).append(source)
    return found


async def _list_devices(site: Site, caller: Caller, ids: Iterable[str]) -> list[Device]:
    registry = site.platform.fleet.registry
    await registry.load(caller.tenant)
    found = (registry.find(caller.tenant, hardware_id_of(one)) for one in ids)
    return [device for device in found if device is not None]


def _sources_of(
    site: Site, device: Device, entity: Entity, frames: Sequence[LoggedFrame], t: Wording
) -> Iterable[tuple[str, ValueSource]]:
    for rule in device.profile.rules:
        instance = entity.find(site.reader.expand(rule.name))
        if instance is not None and instance.observed_at is not None:
            yield rule.name, _source(device, rule, t, _find_frame(device, instance, frames))


def _source(device: Device, rule: AttributeRule, t: Wording, frame: LoggedFrame | None) -> ValueSource:
    href = f"/console/devices/{quote(device.hardware_id, safe='')}"
    header = device.profile.header
    name = header.name_in(t.language)
    source = (device.hardware_id, href, name, bench_of(device.profile.id), formula_of(rule))
    if frame is None:
        return ValueSource(*source)
    at, counter = frame.uplink.received_at, frame.uplink.f_cnt
    return ValueSource(*source, f"{href}?frames=all#frame-{at}", at, None if counter == NO_COUNTER else counter)


def _find_frame(device: Device, instance: Instance, frames: Sequence[LoggedFrame]) -> LoggedFrame | None:
    """The one that says this of this moment."""
    return next((frame for frame in frames if _made(device, instance, frame)), None)


def _made(device: Device, instance: Instance, frame: LoggedFrame) -> bool:
    if frame.refused is not None or not frame.data:
        return False
    try:
        mapped = device.profile.fields.map(frame.data, frame.uplink.at)
    except MappingFailure:
        return False
    told = (instance.name, instance.observed_at, instance.value)
    return any((one.name, one.observed_at, one.value) == told for one in (*mapped.asset, *mapped.device))


def formula_of(rule: AttributeRule) -> str:
    """ "level × 0.01 + 2"."""
    scaled = rule.field if rule.scale == 1 else f"{rule.field} × {rule.scale:g}"
    if rule.offset == 0:
        return scaled
    return f"{scaled} {'+' if rule.offset > 0 else MINUS} {abs(rule.offset):g}"
