"""What the platform does with what network servers tell beside frames."""

from collections.abc import Iterable, Sequence
from typing import assert_never

from parvis.broker.broker import Broker
from parvis.broker.model.change import Change, Mode
from parvis.broker.model.entity import Entity, Instance, Json, Kind
from parvis.fleet import metrics
from parvis.fleet.commands.downlink import Commands
from parvis.fleet.devices.device import Device
from parvis.fleet.devices.registry import Registry
from parvis.fleet.model.events import (
    DeliveryReport,
    DeviceEvent,
    DeviceFault,
    DeviceJoined,
    DeviceLocated,
    DeviceStatus,
    GatewayStats,
    NetworkEvent,
)
from parvis.fleet.model.uplink import Uplink
from parvis.fleet.network.gateways import Gateways
from parvis.kernel.errors import Forbidden, ParvisError
from parvis.kernel.identity import Caller, system_caller
from parvis.kernel.time import Clock, Instant, format_instant, system_clock


class Reactions:
    def __init__(
        self, broker: Broker, registry: Registry, commands: Commands | None = None, clock: Clock = system_clock
    ) -> None:
        """Without `commands` nothing is sent down, and nobody waits for what became of it."""
        self._broker = broker
        self._registry = registry
        self._commands = commands
        self._clock = clock
        self._gateways = Gateways(broker, clock)
        self._terms = _Terms(broker)

    async def hear(self, caller: Caller, uplinks: Sequence[Uplink]) -> None:
        """Which gateways hear, and by which way each device is heard: a network server knows, a device by itself does
        not. What cannot be written now is told again."""
        if uplinks and not caller.device:
            await self._gateways.take(caller.tenant, uplinks)
            await self._note_routes(caller.tenant, uplinks)

    async def take(self, caller: Caller, events: Sequence[NetworkEvent]) -> None:
        """Do what each asks for; returns once it is durable.

        Raises:
            Forbidden: the caller may not deliver frames, or may for one device only.
            Overloaded: the same may be given again.
        """
        if not events:
            return
        if not caller.may_deliver or caller.device:
            metrics.NETWORK_EVENTS.labels("forbidden").inc(len(events))
            raise Forbidden(f"{caller.subject} is no network server of tenant {caller.tenant}.")
        tenant = caller.tenant
        await self._registry.load(tenant)
        stats: list[GatewayStats] = []
        changes: list[Change] = []
        told: list[tuple[Device, DeviceEvent]] = []
        for event in events:
            if isinstance(event, GatewayStats):
                stats.append(event)
            elif isinstance(event, DeliveryReport):
                await self._report(tenant, event)
            elif (device := self._find(tenant, event)) is not None and not _is_known(device, event):
                changes += await self._changes(tenant, device, event)
                told.append((device, event))
        if stats:
            await self._gateways.take(tenant, (), stats)
        if changes:
            await self._broker.write(system_caller("fleet", tenant), changes)
        for device, event in told:
            device.running.told[type(event)] = _what_repeats(event)

    async def _report(self, tenant: str, event: DeliveryReport) -> None:
        is_ours = self._commands is not None and await self._commands.report(tenant, event)
        metrics.NETWORK_EVENTS.labels("taken" if is_ours else "unknown_command").inc()

    def _find(self, tenant: str, event: DeviceEvent) -> Device | None:
        device = self._registry.find(tenant, event.hardware_id)
        metrics.NETWORK_EVENTS.labels("unknown_device" if device is None else "taken").inc()
        return device

    async def _changes(self, tenant: str, device: Device, event: DeviceEvent) -> list[Change]:
        at = min(event.at, self._clock())
        match event:
            case DeviceStatus():
                return self._about(device, self._terms.status(event, at))
            case DeviceJoined():
                device.seen = device.seen.begin_anew()
                return self._about(device, self._terms.joined(at))
            case DeviceLocated():
                return await self._moved(tenant, device, self._terms.located(event, at))
            case DeviceFault():
                return self._about(device, self._terms.fault(event, at))
            case _:
                assert_never(event)

    async def _moved(self, tenant: str, device: Device, place: list[Instance]) -> list[Change]:
        """A place that somebody gave by hand is better than any that is told by radio. The thing observed moves with
        its device only where its profile says that it moves."""
        changes = []
        caller = system_caller("fleet", tenant)
        if _may_move(await self._broker.find(caller, device.entity_id), self._terms.location):
            changes += self._about(device, place)
        if self._terms.location in device.profile.fields.names:
            changes.append(
                Change(device.asset_id, Mode.UPSERT_UPDATE, tuple(place), device.asset_types, keep_newest=True)
            )
        return changes

    def _about(self, device: Device, instances: Iterable[Instance]) -> list[Change]:
        told = tuple(instances)
        if not told:
            return []
        return [Change(device.entity_id, Mode.APPEND, told, keep_newest=True)]

    async def _note_routes(self, tenant: str, uplinks: Sequence[Uplink]) -> None:
        moved: dict[str, tuple[Device, str]] = {}
        for uplink in uplinks:
            if not uplink.route:
                continue
            device = self._registry.find(tenant, uplink.hardware_id)
            route = f"{uplink.way}:{uplink.route}"
            if device is not None and device.route != route:
                moved[device.entity_id] = (device, route)
        if not moved:
            return
        changes = [change for device, route in moved.values() for change in self._about(device, self._route(route))]
        try:
            await self._broker.write(system_caller("fleet", tenant), changes)
        except ParvisError:
            return
        for device, route in moved.values():
            device.route = route

    def _route(self, route: str) -> list[Instance]:
        return [Instance(self._terms.route, Kind.PROPERTY, route)]


def _is_known(device: Device, event: DeviceEvent) -> bool:
    """Some networks repeat with every frame what they last heard of a device's battery, or where it stands."""
    return device.running.told.get(type(event)) == _what_repeats(event)


def _what_repeats(event: DeviceEvent) -> object:
    if isinstance(event, DeviceLocated):
        return (event.longitude, event.latitude)
    return event.at


def _may_move(entity: Entity | None, location: str) -> bool:
    """Whether its place, where it has one, was observed too."""
    held = None if entity is None else entity.find(location)
    return held is None or held.observed_at is not None


class _Terms:
    def __init__(self, broker: Broker) -> None:
        expand = broker.contexts.parvis.expand
        self.route = expand("downlinkRoute")
        self.location = expand("location")
        self._accuracy = expand("locationAccuracy")
        self._battery, self._margin = expand("batteryLevel"), expand("linkMargin")
        self._external_power = expand("externalPower")
        self._joined, self._fault = expand("dateLastJoined"), expand("networkFault")

    def status(self, event: DeviceStatus, at: Instant) -> list[Instance]:
        told = []
        if event.battery_level is not None:
            told.append(Instance(self._battery, Kind.PROPERTY, event.battery_level, "", at))
        if event.has_external_power:
            told.append(Instance(self._external_power, Kind.PROPERTY, True, "", at))
        if event.margin_db is not None:
            told.append(Instance(self._margin, Kind.PROPERTY, event.margin_db, "", at, "2N"))
        return told

    def joined(self, at: Instant) -> list[Instance]:
        return [Instance(self._joined, Kind.PROPERTY, {"@type": "DateTime", "@value": format_instant(at)}, "", at)]

    def located(self, event: DeviceLocated, at: Instant) -> list[Instance]:
        point: Json = {"type": "Point", "coordinates": [event.longitude, event.latitude]}
        told = [Instance(self.location, Kind.GEO_PROPERTY, point, "", at)]
        if event.accuracy_m is not None:
            told.append(Instance(self._accuracy, Kind.PROPERTY, event.accuracy_m, "", at, "MTR"))
        return told

    def fault(self, event: DeviceFault, at: Instant) -> list[Instance]:
        said = f"{event.code}: {event.detail}" if event.detail else event.code
        return [Instance(self._fault, Kind.PROPERTY, said, "", at)]
