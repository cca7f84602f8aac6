"""Which devices there are: NGSI-LD entities of type Device, and an index of them by how they name themselves.

Terms are those of the Smart Data Models Device (dataModel.Device); `hardwareId` and `deviceProfile` are Parvis' own.
"""

import asyncio
import re
from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from parvis.broker.broker import Broker
from parvis.broker.jsonld.geojson import check_geometry
from parvis.broker.model.change import Change, Event, EventKind, Mode, Outcome
from parvis.broker.model.entity import Entity, Instance, Iri, Json, Kind
from parvis.broker.query.tree import EntityQuery, TypeIs
from parvis.fleet.devices import HEALTH_EVERY, Device, SeenFrames
from parvis.fleet.profiles import DeviceProfile
from parvis.kernel.errors import BadRequestData, ResourceNotFound
from parvis.kernel.identity import Caller, system_caller

_PAGE = 2000
_HARDWARE_ID = re.compile(r"[0-9a-z][0-9a-z._-]{3,63}")


class DeviceRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A device to register, with the asset it observes.

    `hardware_id` is how the device names itself: DevEUI, IMEI, Sigfox identifier, serial number, in any case.
    `location` is a GeoJSON geometry; `attributes` are static attributes of the asset, by term, with plain values.
    Without `entity_type` the asset is of its profile's type.
    """

    hardware_id: str
    profile: str
    entity_id: str
    name: str = ""
    entity_type: str = ""
    location: dict[str, Json] | None = None
    attributes: dict[str, Json] = {}


class Registry:
    def __init__(self, broker: Broker, profiles: Mapping[str, DeviceProfile], *, is_shared: bool = False) -> None:
        """`is_shared`: other processes store frames of the same devices."""
        self.profiles = profiles
        self._is_shared = is_shared
        self._broker = broker
        self._context = broker.contexts.default
        self._terms = _DeviceTerms(self._context.expand)
        self._devices: dict[tuple[str, str], Device] = {}
        self._loading: dict[str, asyncio.Task[None]] = {}

    @property
    def event_types(self) -> frozenset[Iri]:
        """The entity types whose events `follow` is about."""
        return frozenset({self._terms.device})

    def find(self, tenant: str, hardware_id: str) -> Device | None:
        return self._devices.get((tenant, hardware_id))

    def get_profile(self, profile_id: str) -> DeviceProfile:
        profile = self.profiles.get(profile_id)
        if profile is None:
            raise ResourceNotFound(f"There is no device profile {profile_id!r}.")
        return profile

    def list_devices(self, tenant: str) -> list[Device]:
        return [device for (owner, _), device in self._devices.items() if owner == tenant]

    async def load(self, tenant: str) -> None:
        """Read the tenant's devices from the broker, once."""
        loading = self._loading.get(tenant)
        if loading is None:
            loading = self._loading[tenant] = asyncio.create_task(self._load(tenant))
            loading.add_done_callback(lambda done: self._unless_loaded(tenant, done))
        if not loading.done():
            await asyncio.shield(loading)

    def _unless_loaded(self, tenant: str, loading: asyncio.Task[None]) -> None:
        """The next one tries again."""
        if loading.cancelled() or loading.exception() is not None:
            del self._loading[tenant]

    async def _load(self, tenant: str) -> None:
        caller = system_caller("fleet", tenant)
        query = EntityQuery(types=TypeIs(self._terms.device), limit=_PAGE)
        async for entity in self._broker.walk(caller, query):
            self._index(tenant, entity)

    async def reload(self) -> list[Device]:
        """Read all devices anew, for whoever has missed events; the devices that are new to the index."""
        added = []
        for tenant in list(self._loading):
            await self.load(tenant)
            before = {device.hardware_id: device for device in self.list_devices(tenant)}
            await self._load(tenant)
            now = {device.hardware_id: device for device in self.list_devices(tenant)}
            added += [device for hardware_id, device in now.items() if hardware_id not in before]
            for hardware_id, device in now.items():
                if device is before.get(hardware_id):
                    await self.refresh(tenant, device.entity_id)
        return added

    async def register(self, caller: Caller, records: Sequence[DeviceRecord]) -> list[Outcome]:
        """Write each device and its asset; the outcomes of the devices, in order.

        Raises:
            BadRequestData: an identifier, an entity id, a place or a term that cannot be one; nothing was written.
            ResourceNotFound: no such profile; nothing was written.
        """
        await self.load(caller.tenant)
        changes: list[Change] = []
        for record in records:
            changes += self._changes(record)
        outcomes = await self._broker.write(caller, changes)
        of_devices = outcomes[1::2]
        for record, asset, device in zip(records, outcomes[::2], of_devices, strict=True):
            if asset.error is None and device.error is None:
                await self.refresh(caller.tenant, device_id(record.hardware_id))
        return [
            device if asset.error is None else asset for asset, device in zip(outcomes[::2], of_devices, strict=True)
        ]

    async def refresh(self, tenant: str, entity_id: str) -> Device | None:
        """Read one device anew; None where it is none (any more)."""
        entity = await self._broker.find(system_caller("fleet", tenant), entity_id)
        if entity is None or self._terms.device not in entity.types:
            self._forget(tenant, entity_id)
            return None
        return self._index(tenant, entity)

    async def follow(self, events: Iterable[Event]) -> list[Device]:
        """Keep up with what others wrote; the devices that are new to the index."""
        added = []
        for event in events:
            if self._terms.device not in event.types or event.tenant not in self._loading:
                continue
            if self._is_shared:
                self._note_reported(event)
            if event.kind is not EventKind.DELETED and not self._concerns_registration(event):
                continue
            known = self._of_entity(event.tenant, event.entity_id)
            if known is not None and self._is_as_told(known, event):
                continue
            device = await self.refresh(event.tenant, event.entity_id)
            if device is not None and known is None:
                added.append(device)
        return added

    def _note_reported(self, event: Event) -> None:
        """Another process has stored frames of the device: those up to a minute on may be stored, and history knows.

        A device's health tells: whoever stores its frames writes it every HEALTH_EVERY.
        """
        device = self._of_entity(event.tenant, event.entity_id)
        if device is None:
            return
        for one in event.instances:
            if one.name == self._terms.last_reported and one.observed_at not in (None, device.health_at):
                assert one.observed_at is not None
                device.seen.stored_until = max(device.seen.stored_until, one.observed_at + HEALTH_EVERY)

    def _concerns_registration(self, event: Event) -> bool:
        names = {one.name for one in event.instances} | {name for name, _ in event.removed}
        return not names.isdisjoint(self._terms.registration)

    def _is_as_told(self, device: Device, event: Event) -> bool:
        """Whether the event tells what the registry wrote itself."""
        told = {one.name: one.value for one in event.instances if one.name in self._terms.registration}
        held = {
            self._terms.hardware_id: device.hardware_id,
            self._terms.profile: device.profile.id,
            self._terms.asset: device.asset_id,
            self._terms.name: device.name,
            self._terms.route: device.route,
        }
        is_there = event.kind is not EventKind.DELETED and not event.removed
        return is_there and all(held[name] == value for name, value in told.items())

    def _of_entity(self, tenant: str, entity_id: str) -> Device | None:
        return self._devices.get((tenant, entity_id.rpartition(":")[2].lower()))

    def _forget(self, tenant: str, entity_id: str) -> None:
        stale = [key for key, one in self._devices.items() if key[0] == tenant and one.entity_id == entity_id]
        for key in stale:
            del self._devices[key]

    def _index(self, tenant: str, entity: Entity) -> Device | None:
        """None, and nothing indexed, for a Device entity that no frame can belong to."""
        terms = self._terms
        hardware_id = _text(entity, terms.hardware_id).lower()
        profile = self.profiles.get(_text(entity, terms.profile))
        asset = entity.find(terms.asset)
        if not hardware_id or profile is None or asset is None or not isinstance(asset.value, str):
            return None
        earlier = self._devices.get((tenant, hardware_id))
        last_reported = self._last_reported(entity)
        device = Device(
            tenant=tenant,
            hardware_id=hardware_id,
            entity_id=entity.id,
            name=_text(entity, terms.name),
            route=_text(entity, terms.route),
            profile=profile,
            asset_id=asset.value,
            asset_types=_object_types(asset) or (profile.entity_type,),
            seen=earlier.seen if earlier else SeenFrames(last_reported + HEALTH_EVERY if last_reported else 0),
            health_at=earlier.health_at if earlier else last_reported,
        )
        self._devices[tenant, hardware_id] = device
        return device

    def _last_reported(self, entity: Entity) -> int:
        reported = entity.find(self._terms.last_reported)
        return (reported.observed_at or 0) if reported else 0

    def _changes(self, record: DeviceRecord) -> tuple[Change, Change]:
        hardware_id = record.hardware_id.lower()
        if not _HARDWARE_ID.fullmatch(hardware_id):
            raise BadRequestData(
                f"{record.hardware_id!r} is no hardware identifier: write the DevEUI, IMEI or serial number,"
                " 4 to 64 letters, digits, dots, dashes and underscores."
            )
        if ":" not in record.entity_id:
            raise BadRequestData(
                f"{record.entity_id!r} is no entity id: write a URI such as urn:ngsi-ld:WasteContainer:1."
            )
        if record.location is not None:
            check_geometry(record.location, "location")
        profile = self.get_profile(record.profile)
        asset_type = self._context.expand(record.entity_type) if record.entity_type else profile.entity_type
        return self._asset_change(record, asset_type), self._device_change(record, hardware_id, profile, asset_type)

    def _asset_change(self, record: DeviceRecord, asset_type: Iri) -> Change:
        expand = self._context.expand
        static = [Instance(expand(term), Kind.PROPERTY, value) for term, value in record.attributes.items()]
        instances = (*static, *self._shared(record))
        return Change(record.entity_id, Mode.UPSERT_UPDATE, instances, (asset_type,))

    def _device_change(self, record: DeviceRecord, hardware_id: str, profile: DeviceProfile, asset_type: Iri) -> Change:
        terms = self._terms
        observed = [self._context.compact(name) for name in profile.fields.names]
        instances = (
            Instance(terms.hardware_id, Kind.PROPERTY, hardware_id),
            Instance(terms.profile, Kind.PROPERTY, profile.id),
            Instance(terms.asset, Kind.RELATIONSHIP, record.entity_id, extra={"objectType": asset_type}),
            Instance(terms.category, Kind.PROPERTY, ["sensor"]),
            Instance(terms.controlled_property, Kind.PROPERTY, observed),
            *self._shared(record),
        )
        return Change(device_id(hardware_id), Mode.UPSERT_UPDATE, instances, (terms.device,))

    def _shared(self, record: DeviceRecord) -> list[Instance]:
        instances = []
        if record.name:
            instances.append(Instance(self._terms.name, Kind.PROPERTY, record.name))
        if record.location is not None:
            instances.append(Instance(self._terms.location, Kind.GEO_PROPERTY, record.location))
        return instances


def device_id(hardware_id: str) -> str:
    return f"urn:ngsi-ld:Device:{hardware_id.lower()}"


class _DeviceTerms:
    def __init__(self, expand: Callable[[str], Iri]) -> None:
        self.device: Iri = expand("Device")
        self.hardware_id: Iri = expand("hardwareId")
        self.profile: Iri = expand("deviceProfile")
        self.asset: Iri = expand("controlledAsset")
        self.category: Iri = expand("category")
        self.controlled_property: Iri = expand("controlledProperty")
        self.name: Iri = expand("name")
        self.location: Iri = expand("location")
        self.last_reported: Iri = expand("dateLastValueReported")
        self.route: Iri = expand("downlinkRoute")
        self.registration = frozenset({self.hardware_id, self.profile, self.asset, self.name, self.route})


def _object_types(relationship: Instance) -> tuple[Iri, ...]:
    """Anybody may write a Device entity: one type, several, or none."""
    told = (relationship.extra or {}).get("objectType")
    return tuple(one for one in (told if isinstance(told, list) else [told]) if isinstance(one, str))


def _text(entity: Entity, name: Iri) -> str:
    instance = entity.find(name)
    return instance.value if instance is not None and isinstance(instance.value, str) else ""
