"""Which devices there are: NGSI-LD entities of type Device, and an index of them by how they name themselves."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from typing import TypeVar

from msgspec import structs

from parvis.broker.broker import Broker
from parvis.broker.model.change import Change, Event, EventKind, Mode, Outcome, Status
from parvis.broker.model.entity import Entity, Instance, Iri, Kind
from parvis.broker.query.tree import EntityQuery, TypeIs
from parvis.fleet.devices.device import HEALTH_EVERY, Device, Running, SeenFrames, Standing
from parvis.fleet.devices.news import news_of
from parvis.fleet.devices.reach import asked_about, within
from parvis.fleet.devices.records import DeviceRecord as DeviceRecord
from parvis.fleet.devices.records import (
    DeviceTerms,
    DeviceUpdate,
    RecordChanges,
    Replacement,
    hardware_id_of,
    number_of,
    text_of,
    words_of,
)
from parvis.fleet.devices.records import device_id as device_id
from parvis.fleet.model.uplink import Technology, plain_hardware_id
from parvis.fleet.profiles.profile import DeviceProfile
from parvis.kernel.catalogue import Catalogue
from parvis.kernel.errors import AlreadyExists, BadRequestData, ResourceNotFound
from parvis.kernel.identity import Caller, system_caller
from parvis.kernel.reach import Reach

_PAGE = 2000
_REFRESHED_AT_ONCE = 500
_NO_DEVICES: Mapping[str, Device] = {}


class Registry:
    def __init__(self, broker: Broker, profiles: Mapping[str, DeviceProfile], *, is_shared: bool = False) -> None:
        """`is_shared`: other processes store frames of the same devices."""
        self.profiles = profiles
        self.catalogue = Catalogue(profiles)
        self.is_shared = is_shared
        self._broker = broker
        self._context = broker.contexts.parvis
        self.terms = self._terms = DeviceTerms(self._context.expand)
        self.changes = RecordChanges(self._terms, self._context.expand, self._context.compact, profiles)
        self._devices: dict[str, dict[str, Device]] = {}
        """By tenant, then by hardware id."""
        self._named_otherwise: set[tuple[str, str]] = set()
        """Entities whose id does not end in their hardware id: anybody may write one."""
        self._loading: dict[str, asyncio.Task[None]] = {}

    @property
    def event_types(self) -> frozenset[Iri]:
        """The entity types whose events `follow` is about."""
        return frozenset({self._terms.device})

    @property
    def event_attributes(self) -> frozenset[Iri]:
        """The attributes whose events `follow` is about."""
        return self._terms.held | {self._terms.last_reported} if self.is_shared else self._terms.held

    def find(self, tenant: str, hardware_id: str) -> Device | None:
        return self._devices.get(tenant, _NO_DEVICES).get(hardware_id)

    def get(self, tenant: str, hardware_id: str) -> Device:
        """By its hardware id in any case, or its entity id. Raises ResourceNotFound."""
        device = self.find(tenant, hardware_id_of(hardware_id))
        if device is None:
            raise ResourceNotFound(f"There is no device {hardware_id}.")
        return device

    def profiles_of(self, tenant: str) -> dict[str, DeviceProfile]:
        """Those that its devices may use: its own copies, else the pool's."""
        return {name: one for name, one in self.catalogue.of(tenant).items() if one.is_for(tenant)}

    async def bind_again(self, tenant: str) -> None:
        """To its profiles as they are now."""
        if tenant in self._loading:
            await self._load(tenant)

    def compact(self, name: Iri) -> str:
        return self._context.compact(name)

    def list_devices(self, tenant: str) -> list[Device]:
        return list(self._devices.get(tenant, _NO_DEVICES).values())

    async def list_within(self, tenant: str, reach: Reach, devices: Sequence[Device]) -> list[Device]:
        if reach is None:
            return list(devices)
        ids = asked_about(reach, devices, self._terms.device)
        found = await self._find_all(tenant, ids)
        return within(reach, devices, {one.id: (one.types, one.scopes) for one in found})

    async def list_records(self, caller: Caller) -> list[DeviceRecord]:
        """Of every device that is known, in the order in which they were first registered."""
        await self.load(caller.tenant)
        query = EntityQuery(types=TypeIs(self._terms.device), limit=_REFRESHED_AT_ONCE)
        return [
            self.changes.record_of(device, entity)
            async for entity in self._broker.walk(caller, query)
            if (device := self._of_entity(caller.tenant, entity.id)) is not None
        ]

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
        """Write each device and its asset; the outcomes of the devices, in order. What they say already is not written
        again: the same list may come twice, or begin again after a kill.

        Raises:
            BadRequestData: an identifier, an entity id, a place or a term that cannot be one; nothing was written.
            ResourceNotFound: no such profile; nothing was written.
        """
        await self.load(caller.tenant)
        changes: list[Change] = []
        for record in records:
            asset_change, device_change = self.changes.of_record(record)
            changes += (asset_change, self._in_use_again(caller.tenant, device_change))
        outcomes = await self._write_news(caller, changes)
        pairs = list(zip(outcomes[::2], outcomes[1::2], strict=True))
        await self._refresh_all(caller.tenant, [device.entity_id for asset, device in pairs if _is_done(asset, device)])
        return [device if asset.error is None else asset for asset, device in pairs]

    async def _write_news(self, caller: Caller, changes: Sequence[Change]) -> list[Outcome]:
        """Of each device and its asset, one after the other, what is new."""
        known = {
            one.entity_id
            for pair in zip(changes[::2], changes[1::2], strict=True)
            if self._of_entity(caller.tenant, pair[1].entity_id) is not None
            for one in pair
        }
        held = {entity.id: entity for entity in await self._find_all(caller.tenant, sorted(known))}
        news: list[Change | None] = []
        for change in changes:
            new = news_of(change, held.get(change.entity_id))
            news.append(new)
            if new is not None:
                held.pop(change.entity_id, None)  # another device of the same asset may tell otherwise
        written = iter(await self._broker.write(caller, [change for change in news if change is not None]))
        return [
            next(written) if new is not None else Outcome(change.entity_id, Status.UNCHANGED)
            for change, new in zip(changes, news, strict=True)
        ]

    async def update(self, caller: Caller, hardware_id: str, update: DeviceUpdate) -> Device:
        """Raises ResourceNotFound, BadRequestData, or what the broker says of a change."""
        await self.load(caller.tenant)
        device = self.get(caller.tenant, hardware_id)
        if device.standing is Standing.REPLACED:
            raise BadRequestData(f"{device.hardware_id} was replaced: register it anew to use it again.")
        return await self._written(caller, device.entity_id, self.changes.of_update(device, update))

    async def replace(self, caller: Caller, hardware_id: str, replacement: Replacement) -> Device:
        """The new device, which has the asset of the old one from now on.

        The same replacement may be asked for again. Raises as `update`, and AlreadyExists: the old device was replaced
        by another, or the new one is registered.
        """
        await self.load(caller.tenant)
        old, new_id = self.get(caller.tenant, hardware_id), hardware_id_of(replacement.hardware_id)
        known = self.find(caller.tenant, new_id)
        entity = await self._broker.get(caller, old.entity_id)
        if known is not None and known.hardware_id != old.hardware_id:
            if text_of(entity, self._terms.replaced_by) == known.entity_id and old.standing is Standing.REPLACED:
                return known
            raise AlreadyExists(f"{new_id} is registered already.")
        if old.standing is Standing.REPLACED or known is not None:
            raise AlreadyExists(f"{old.hardware_id} cannot be replaced by {new_id}.")
        changes = self.changes.of_replacement(old, entity, replacement)
        new = await self._written(caller, changes[0].entity_id, changes)
        await self.refresh(caller.tenant, old.entity_id)
        return new

    async def remove(self, caller: Caller, hardware_id: str) -> Device:
        """Forget a device; the asset and its history stay. Raises ResourceNotFound."""
        await self.load(caller.tenant)
        device = self.get(caller.tenant, hardware_id)
        (outcome,) = await self._broker.write(caller, [Change(device.entity_id, Mode.DELETE)])
        if outcome.error is not None and not isinstance(outcome.error, ResourceNotFound):
            raise outcome.error
        self._forget(caller.tenant, device.entity_id)
        return device

    async def _written(self, caller: Caller, entity_id: str, changes: Sequence[Change]) -> Device:
        """The device once the changes are durable. Raises what one of them failed with."""
        for outcome in await self._broker.write(caller, changes):
            if outcome.error is not None:
                raise outcome.error
        device = await self.refresh(caller.tenant, entity_id)
        if device is None:
            raise ResourceNotFound(f"{entity_id} is no device any more.")
        return device

    def _in_use_again(self, tenant: str, change: Change) -> Change:
        """A device that was replaced once may be registered anew: repaired, at another place."""
        device = self.find(tenant, hardware_id_of(change.entity_id))
        if device is None or device.standing is not Standing.REPLACED:
            return change
        active = Instance(self._terms.standing, Kind.PROPERTY, Standing.ACTIVE.value)
        return structs.replace(change, instances=(*change.instances, active))

    async def _refresh_all(self, tenant: str, entity_ids: Sequence[str]) -> None:
        for entity in await self._find_all(tenant, entity_ids):
            self._index(tenant, entity)

    async def _find_all(self, tenant: str, entity_ids: Sequence[str]) -> list[Entity]:
        caller = system_caller("fleet", tenant)
        found: list[Entity] = []
        for start in range(0, len(entity_ids), _REFRESHED_AT_ONCE):
            ids = tuple(entity_ids[start : start + _REFRESHED_AT_ONCE])
            page = await self._broker.query(caller, EntityQuery(ids=ids, limit=len(ids)))
            found += page.entities
        return found

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
            if self.is_shared:
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
                device.seen.doubt(one.observed_at + HEALTH_EVERY)

    def _concerns_registration(self, event: Event) -> bool:
        names = {one.name for one in event.instances} | {name for name, _ in event.removed}
        return not names.isdisjoint(self._terms.held)

    def _is_as_told(self, device: Device, event: Event) -> bool:
        """Whether the event tells what the registry wrote itself."""
        told = {one.name: one.value for one in event.instances if one.name in self._terms.held}
        held = self._terms.held_of(device)
        is_there = event.kind is not EventKind.DELETED and not event.removed
        return is_there and all(held[name] == value for name, value in told.items())

    def _of_entity(self, tenant: str, entity_id: str) -> Device | None:
        return self.find(tenant, _told_by(entity_id))

    def _forget(self, tenant: str, entity_id: str) -> None:
        """At once for all but those named otherwise: many may go at once."""
        devices = self._devices.get(tenant, {})
        named = devices.get(_told_by(entity_id))
        if named is not None and named.entity_id == entity_id:
            del devices[named.hardware_id]
        if (tenant, entity_id) in self._named_otherwise:
            self._named_otherwise.discard((tenant, entity_id))
            for stale in [one for one in devices.values() if one.entity_id == entity_id]:
                del devices[stale.hardware_id]

    def _index(self, tenant: str, entity: Entity) -> Device | None:
        """None, and nothing indexed, for a Device entity that no frame can belong to."""
        terms = self._terms
        hardware_id = plain_hardware_id(text_of(entity, terms.hardware_id))
        profile = self.catalogue.find(tenant, text_of(entity, terms.profile))
        asset = entity.find(terms.asset)
        if not hardware_id or profile is None or asset is None or not isinstance(asset.value, str):
            return None
        if not profile.is_for(tenant):
            return None
        earlier = self.find(tenant, hardware_id)
        last_reported = self._last_reported(entity)
        device = Device(
            tenant=tenant,
            hardware_id=hardware_id,
            entity_id=entity.id,
            name=text_of(entity, terms.name),
            route=text_of(entity, terms.route),
            profile=profile,
            asset_id=asset.value,
            asset_types=_object_types(asset) or (profile.entity_type,),
            seen=earlier.seen if earlier else SeenFrames(last_reported + HEALTH_EVERY if last_reported else 0),
            health_at=earlier.health_at if earlier else last_reported,
            standing=_one_of(Standing, text_of(entity, terms.standing), Standing.ACTIVE),
            technology=_one_of(Technology, text_of(entity, terms.technology), Technology.UNKNOWN),
            groups=words_of(entity, terms.groups),
            tags=words_of(entity, terms.tags),
            expected_interval_s=number_of(entity, terms.expected_interval),
            running=earlier.running if earlier else Running(),
        )
        is_named_otherwise = hardware_id != _told_by(entity.id)
        if is_named_otherwise or (tenant, entity.id) in self._named_otherwise:
            self._forget(tenant, entity.id)
        if is_named_otherwise:
            self._named_otherwise.add((tenant, entity.id))
        self._devices.setdefault(tenant, {})[hardware_id] = device
        return device

    def _last_reported(self, entity: Entity) -> int:
        reported = entity.find(self._terms.last_reported)
        return (reported.observed_at or 0) if reported else 0


def _told_by(entity_id: str) -> str:
    return plain_hardware_id(entity_id.rpartition(":")[2])


def _object_types(relationship: Instance) -> tuple[Iri, ...]:
    """Anybody may write a Device entity: one type, several, or none."""
    told = (relationship.extra or {}).get("objectType")
    return tuple(one for one in (told if isinstance(told, list) else [told]) if isinstance(one, str))


Member = TypeVar("Member", bound=Enum)


def _one_of(members: type[Member], value: str, otherwise: Member) -> Member:
    """Anybody may write a Device entity."""
    try:
        return members(value)
    except ValueError:
        return otherwise


def _is_done(asset: Outcome, device: Outcome) -> bool:
    return asset.error is None and device.error is None
