"""The composition root: from settings to a running platform. The only package that imports stores."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from parvis.access.access import Access
from parvis.access.privacy.person.erasing import Eraser
from parvis.access.privacy.person.persons import Persons
from parvis.bootstrap.archive import ArchiveAtHand
from parvis.bootstrap.audit import build_forwarder
from parvis.bootstrap.broker import build_broker
from parvis.bootstrap.connectors import build_connectors, run_connectors, senders_of, sending_works
from parvis.bootstrap.disk import Disk
from parvis.bootstrap.federation import Federation
from parvis.bootstrap.file_faults import FileFaults
from parvis.bootstrap.gauges import Gauge, gauges_of
from parvis.bootstrap.ground import open_ground
from parvis.bootstrap.jobs import build_jobs
from parvis.bootstrap.members import keep_tenants
from parvis.bootstrap.mqtt import Doorkeeper, open_mqtt
from parvis.bootstrap.persons import add_kinds as add_persons
from parvis.bootstrap.persons import build_eraser, build_persons
from parvis.bootstrap.stores import (
    Opening,
    commands_of,
    frames_of,
    holding,
    in_time,
    is_on_postgres,
    open_access,
    open_bus,
    open_store,
)
from parvis.bootstrap.telling import build_telling
from parvis.broker.broker import Broker
from parvis.broker.leading import Leader, Work, new_holder
from parvis.broker.ports.store import Store
from parvis.broker.search.keeper import keep_index
from parvis.broker.subscriptions.notifications import Notifications
from parvis.connectors.mqtt.listener import MqttListener
from parvis.fleet.codecs.apart import CodecsApart
from parvis.fleet.commands.downlink import Commands
from parvis.fleet.fleet import Fleet, open_fleet
from parvis.fleet.frames.uplinks import Limits
from parvis.fleet.joining.claims import Claims
from parvis.fleet.joining.onboarding import REGISTER, Onboarding
from parvis.fleet.model.delivery import Outlet
from parvis.fleet.model.frame import Room
from parvis.fleet.network.reactions import Reactions
from parvis.fleet.profiles.profile import where_codecs_run
from parvis.fleet.ways.connector import Connector
from parvis.ground.choosing import Ground
from parvis.jobs.jobs import Jobs
from parvis.kernel.base_map import BaseMap
from parvis.kernel.happenings import Happenings
from parvis.kernel.hosts import is_loopback
from parvis.kernel.identity import DEFAULT_TENANT, Right
from parvis.kernel.outbound import OutboundHttp
from parvis.kernel.remembered import remember_store
from parvis.kernel.settings import InvalidSettings, Settings
from parvis.kernel.settings_at_hand import SettingsAtHand
from parvis.kernel.shelf import Shelf
from parvis.kernel.structs import prepare_structs
from parvis.kernel.time import HOUR
from parvis.outbound.client import GuardedClient

_AGAIN_AFTER_S = 5.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Additions:
    """What a demonstration brings along: folders of device profiles, a ground for the map, and a story."""

    profiles: tuple[Path, ...] = ()
    base_map: BaseMap | None = None
    happenings: Happenings | None = None


NOTHING_MORE = Additions()


@dataclass(frozen=True, slots=True)
class Platform:
    """Everything a way in or a page needs. `stopping` is set when open answers should come to an end.

    `fault` says why nothing can be written just now, `degraded` what cannot be read; they are empty while all is well.
    """

    settings: Settings
    broker: Broker
    access: Access
    notifications: Notifications
    federation: Federation
    jobs: Jobs
    fleet: Fleet
    commands: Commands
    claims: Claims
    onboarding: Onboarding
    connectors: Mapping[str, Connector]
    outbound: OutboundHttp
    mqtt: MqttListener | None
    ground: Ground
    at_hand: SettingsAtHand
    shelf: Shelf
    happenings: Happenings | None
    disk: Disk
    gauges: Mapping[str, Gauge]
    persons: Persons
    eraser: Eraser
    fault: Callable[[], str]
    degraded: Callable[[], str]
    stopping: asyncio.Event = field(default_factory=asyncio.Event)


@asynccontextmanager
async def open_platform(
    settings: Settings,
    additions: Additions = NOTHING_MORE,
    *,
    listen: bool = True,
    opening: Opening | None = None,
    mqtt_socket: socket.socket | None = None,
) -> AsyncIterator[Platform]:
    """The platform at work on its data directory; with `listen` devices may connect, on `mqtt_socket` if given.

    Raises InvalidSettings, DataInUse, InvalidProfile, NotOpened, or what the store raises when it cannot be used.
    """
    check_exposure(settings)
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    prepare_structs()
    async with AsyncExitStack() as stack:
        stack.enter_context(holding(settings))
        outbound = await stack.enter_async_context(GuardedClient(settings.outbound))
        file_faults = FileFaults(settings, lambda: store.archive)
        store, access = await _open_stores(settings, opening or Opening(), file_faults, stack)
        remember_store(settings)
        broker = _open_broker(settings, store, outbound, access, stack)
        fleet = await _open_fleet(settings, broker, additions.profiles, store, access, stack)
        claims, onboarding = Claims(fleet, store.shelf, store), Onboarding(fleet, store.shelf, access.gate.find_owner)
        jobs, people = _build_jobs(settings, store, access, broker, onboarding)
        commands, outlet, connectors = _build_ways(settings, store, access, broker, fleet, outbound, jobs)
        mqtt = None
        if listen and settings.mqtt.enabled:
            mqtt = await _listen(settings, connectors.values(), access, fleet, store, mqtt_socket, stack)
            outlet.open(mqtt.tell)
        _keep_running(stack, lambda: access.follow(mqtt.recheck if mqtt else _nothing), "access follows the others")
        notifications, federation = build_telling(settings, broker, store, outbound, stack)
        if listen:
            _keep_running(stack, file_faults.run, "looks at damaged files")
            _keep_telling(settings, store, access, notifications, federation, stack)
            await stack.enter_async_context(jobs.running())
            _keep_ways_open(settings, store, broker, connectors, commands, fleet, stack)
        yield Platform(
            settings,
            broker,
            access,
            notifications,
            federation,
            jobs,
            fleet,
            commands,
            claims,
            onboarding,
            connectors,
            outbound,
            mqtt,
            *open_ground(settings, additions.base_map, stack),
            store.shelf,
            additions.happenings,
            Disk(settings, store),
            gauges_of(store, file_faults, notifications, jobs, fleet.ways.sources),
            *people,
            fault=lambda: store.fault,
            degraded=lambda: file_faults.words,
        )


def _open_broker(
    settings: Settings, store: Store, outbound: GuardedClient, access: Access, stack: AsyncExitStack
) -> Broker:
    broker = build_broker(settings, store, outbound, access.store.append_audit, access.gate.pool.public_types)
    broker.find_owner = access.gate.find_owner
    _keep_running(stack, broker.contexts.run, "counts the uses of @contexts")
    _keep_running(stack, broker.sources.index.follow, "follows the context sources")
    _keep_running(stack, broker.transience.run, "takes away what is over")
    _keep_running(stack, lambda: keep_tenants(access, broker), "makes the tenants of members")
    return broker


def _build_jobs(
    settings: Settings, store: Store, access: Access, broker: Broker, onboarding: Onboarding
) -> tuple[Jobs, tuple[Persons, Eraser]]:
    """With who finds and erases one person's data."""
    jobs = build_jobs(settings, store.jobs, access.store, store)
    jobs.kind(REGISTER, onboarding.work, right=Right.WRITE)
    eraser = build_eraser(settings, store, access, broker)
    add_persons(jobs, settings, eraser)
    return jobs, (build_persons(settings, jobs, access), eraser)


def _build_ways(
    settings: Settings,
    store: Store,
    access: Access,
    broker: Broker,
    fleet: Fleet,
    outbound: OutboundHttp,
    jobs: Jobs,
) -> tuple[Commands, Outlet, dict[str, Connector]]:
    """The ways in, and what goes down by them."""
    commands, outlet = Commands(commands_of(store), fleet.registry, access.store.append_audit), Outlet()
    reactions = Reactions(broker, fleet.registry, commands)
    keys = (access.gate.authenticate_device, store.shelf, access.gate.is_in_force)
    connectors = build_connectors(settings, broker, fleet, outbound, reactions, outlet, jobs, *keys)
    prepare_structs()  # those of the connectors
    commands.send_by(senders_of(connectors))
    return commands, outlet, connectors


async def _listen(
    settings: Settings,
    connectors: Iterable[Connector],
    access: Access,
    fleet: Fleet,
    store: Store,
    bound: socket.socket | None,
    stack: AsyncExitStack,
) -> MqttListener:
    bus = await open_bus(settings, stack)
    routes = [route for one in connectors for route in one.routes]
    return await open_mqtt(settings, routes, Doorkeeper(access, fleet.registry), bus, store, bound, stack)


def _keep_telling(
    settings: Settings,
    store: Store,
    access: Access,
    notifications: Notifications,
    federation: Federation,
    stack: AsyncExitStack,
) -> None:
    """A log server, subscribers, and other brokers."""
    forwarder = build_forwarder(settings.audit, access.store, store.shelf)
    if forwarder is not None:
        _keep_running_once(stack, store, forwarder.run, "forwards the audit trail")
    if not settings.notifications.enabled:
        return
    _keep_running(stack, lambda: notifications.run(new_holder()), "notifies")
    if is_on_postgres(settings):
        _keep_running(stack, notifications.follow, "hears of who notifies")
    _keep_running_once(stack, store, federation.subscriber.run, "subscribes at context sources")


def _keep_ways_open(
    settings: Settings,
    store: Store,
    broker: Broker,
    connectors: Mapping[str, Connector],
    commands: Commands,
    fleet: Fleet,
    stack: AsyncExitStack,
) -> None:
    run_connectors(connectors, store, partial(_keep_running, stack))
    sending = {"sends commands": commands.run, **sending_works(connectors)}
    _keep_running_once(stack, store, partial(side_by_side, sending), "sends commands")
    _keep_running_once(stack, store, fleet.health.run, "looks at the fleet's health")
    _keep_running_once(stack, store, partial(keep_index, store, broker.take_in_words), "takes in words")
    _keep_running_once(stack, store, Disk(settings, store).keep, "measures the disk")


async def _open_stores(
    settings: Settings, opening: Opening, file_faults: FileFaults, stack: AsyncExitStack
) -> tuple[Store, Access]:
    async def access_now() -> Access:
        return open_access(settings)

    archive = ArchiveAtHand(settings, file_faults.meet)
    stack.callback(archive.close)
    store = await in_time(opening, lambda: open_store(settings, archive.read))
    stack.push_async_callback(store.close)
    access = await in_time(opening, access_now)
    stack.callback(access.store.close)
    access.accounts.bring_home()
    return store, access


async def _open_fleet(
    settings: Settings,
    broker: Broker,
    more: Sequence[Path],
    store: Store,
    access: Access,
    stack: AsyncExitStack,
) -> Fleet:
    own = settings.fleet
    limits = Limits(round(own.future_limit_h * HOUR), own.device_frames_per_s, own.device_frames_burst)
    apart = CodecsApart()
    stack.push_async_callback(apart.close)
    room = Room(own.quarantine_frames_of_device, own.quarantine_frames, last=own.last_frames)
    fleet = open_fleet(
        broker,
        frames_of(store),
        settings.data_dir,
        more,
        limits=limits,
        room=room,
        waiting_days=own.quarantine_days,
        is_shared=is_on_postgres(settings),
        audit=access.store.append_audit,
        where=where_codecs_run(settings.fleet.codecs_apart, apart),
    )
    await fleet.registry.load(DEFAULT_TENANT)
    stack.push_async_callback(fleet.log.close)
    _keep_running(stack, fleet.log.run, "fleet logs frames")
    _keep_running(stack, fleet.held.run, "fleet adopts frames")
    _keep_running(stack, fleet.follow, "fleet follows the outbox")
    stack.push_async_callback(fleet.health.save)
    _keep_running(stack, fleet.health.keep, "fleet keeps its statistics")
    return fleet


def _keep_running(stack: AsyncExitStack, work: Work, name: str) -> None:
    """Until the platform closes."""
    stack.push_async_callback(_cancel, asyncio.create_task(again_and_again(work, name), name=name))


def _keep_running_once(stack: AsyncExitStack, store: Store, work: Work, name: str) -> None:
    """Of several processes in one."""
    leader = Leader(store, name, new_holder())
    _keep_running(stack, partial(leader.run, work), name)


async def side_by_side(works: Mapping[str, Work]) -> None:
    """Each begun again by itself, until cancelled or until all have ended."""
    async with asyncio.TaskGroup() as tasks:
        for name, work in works.items():
            tasks.create_task(again_and_again(work, name), name=name)


async def again_and_again(work: Work, name: str, pause_s: float = _AGAIN_AFTER_S) -> None:
    """Until cancelled, or until the work ends by itself: nobody else would notice that it has failed."""
    while True:
        try:
            return await work()
        except Exception:
            _log.exception("work in the background failed and begins again", extra={"work": name})
            await asyncio.sleep(pause_s)


def _nothing() -> None:
    pass


async def _cancel(task: "asyncio.Task[None]") -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def check_exposure(settings: Settings) -> None:
    """Without authentication nothing listens beyond this machine."""
    exposed = [
        host
        for host, listens in (
            (settings.server.host, True),
            (settings.mqtt.host, settings.mqtt.enabled),
            (settings.mqtt.tls_host, settings.mqtt.enabled and bool(settings.mqtt.tls_certificate)),
        )
        if listens and not is_loopback(host)
    ]
    if not settings.access.auth and exposed:
        raise InvalidSettings(
            f"--auth off lets everyone do everything, so it is refused on {', '.join(exposed)}:"
            " bind to 127.0.0.1, or leave authentication on."
        )
