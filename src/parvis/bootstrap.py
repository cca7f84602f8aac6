"""The composition root: from settings to a running platform. The only module that imports stores."""

import asyncio
import fcntl
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from parvis.access.access import Access, build_access
from parvis.broker.broker import Broker
from parvis.broker.jsonld.contexts import Contexts
from parvis.broker.ports.integrity import Fault
from parvis.broker.ports.store import Store
from parvis.connectors.chirpstack.plugin import ChirpStack
from parvis.connectors.mqtt.config import listener_config
from parvis.connectors.mqtt.listener import MqttListener
from parvis.fleet.fleet import Fleet, open_fleet
from parvis.kernel.base_map import BaseMap
from parvis.kernel.errors import ParvisError
from parvis.kernel.hosts import is_loopback
from parvis.kernel.identity import DEFAULT_TENANT, Caller
from parvis.kernel.outbound import OutboundHttp
from parvis.kernel.settings import InvalidSettings, Settings
from parvis.kernel.time import HOUR
from parvis.outbound.client import GuardedClient
from parvis.stores.sqlite.access import SqliteAccessStore
from parvis.stores.sqlite.integrity import find_damage, find_faults, repair
from parvis.stores.sqlite.store import SqliteStore

STORE_FILE = "parvis.db"
ACCESS_FILE = "access.db"
LOCK_FILE = "parvis.lock"
_CONTEXT_TYPES = ("application/ld+json", "application/json", "text/plain")


class DataInUse(ParvisError):
    title = "The data directory is in use"


@dataclass(frozen=True, slots=True)
class Gauge:
    """A number worth watching, read when asked for."""

    description: str
    read: Callable[[], float]


@dataclass(frozen=True, slots=True)
class Additions:
    """What a demonstration brings along: folders of device profiles, and a ground for the map."""

    profiles: tuple[Path, ...] = ()
    base_map: BaseMap | None = None


NOTHING_MORE = Additions()


@dataclass(frozen=True, slots=True)
class Platform:
    """Everything a way in or a page needs. `stopping` is set when open answers should come to an end.

    `is_writing` turns False for good once the store can no longer write.
    """

    settings: Settings
    broker: Broker
    access: Access
    fleet: Fleet
    chirpstack: ChirpStack
    outbound: OutboundHttp
    mqtt: MqttListener | None
    base_map: BaseMap | None
    gauges: Mapping[str, Gauge]
    is_writing: Callable[[], bool]
    stopping: asyncio.Event = field(default_factory=asyncio.Event)


@asynccontextmanager
async def open_platform(
    settings: Settings, additions: Additions = NOTHING_MORE, *, listen: bool = True
) -> AsyncIterator[Platform]:
    """The platform at work on its data directory; with `listen` devices may connect.

    Raises:
        InvalidSettings, DataInUse, InvalidProfile, or what the store raises when its file cannot be used.
    """
    check_exposure(settings)
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    async with AsyncExitStack() as stack:
        stack.enter_context(holding(settings.data_dir))
        access = open_access(settings)
        stack.callback(access.store.close)
        outbound = await stack.enter_async_context(GuardedClient(settings.outbound))
        store = await open_store(settings)
        stack.push_async_callback(store.close)
        broker = build_broker(settings, store, outbound)
        fleet = await _open_fleet(settings, broker, additions.profiles, stack)
        chirpstack = ChirpStack(fleet)
        mqtt = await _open_mqtt(settings, chirpstack, access, stack) if listen and settings.mqtt.enabled else None
        gauges = _gauges(store)
        yield Platform(
            settings,
            broker,
            access,
            fleet,
            chirpstack,
            outbound,
            mqtt,
            additions.base_map,
            gauges,
            is_writing=lambda: store.is_writing,
        )


def _gauges(store: SqliteStore) -> dict[str, Gauge]:
    return {
        "parvis_store_pending_changes": Gauge("Changes that wait for their commit.", lambda: store.pending_changes),
        "parvis_outbox_newest_event": Gauge("Number of the newest committed event.", lambda: store.newest_event),
    }


async def _open_fleet(settings: Settings, broker: Broker, more: Sequence[Path], stack: AsyncExitStack) -> Fleet:
    future_limit = round(settings.fleet.future_limit_h * HOUR)
    fleet = open_fleet(broker, settings.data_dir, more, future_limit=future_limit)
    await fleet.registry.load(DEFAULT_TENANT)
    stack.push_async_callback(_cancel, asyncio.create_task(fleet.follow(), name="fleet follows the outbox"))
    return fleet


async def _open_mqtt(settings: Settings, chirpstack: ChirpStack, access: Access, stack: AsyncExitStack) -> MqttListener:
    def authenticate(client_id: str, username: str | None, password: bytes | None) -> Caller | None:
        return access.gate.authenticate_device(password or b"")

    listener = MqttListener(listener_config(settings.mqtt), chirpstack.routes(), authenticate, access.gate.is_in_force)
    try:
        await listener.start()
    except OSError as error:
        raise InvalidSettings(
            f"Cannot listen on {settings.mqtt.host} port {settings.mqtt.port} for MQTT ({error.strerror}):"
            " choose another with --mqtt-port."
        ) from error
    stack.push_async_callback(listener.stop)
    return listener


async def _cancel(task: "asyncio.Task[None]") -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


@contextmanager
def holding(data_dir: Path) -> Iterator[None]:
    """One process at a time writes in a data directory; the hold ends with the process, however it ends."""
    with (data_dir / LOCK_FILE).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise DataInUse(
                f"Another Parvis is running on {data_dir}: stop it first, or give another --data."
            ) from error
        yield


def build_broker(settings: Settings, store: Store, outbound: OutboundHttp) -> Broker:
    async def fetch_context(url: str) -> bytes:
        return (await outbound.get(url, accept=_CONTEXT_TYPES)).body

    contexts = Contexts(fetch_context)
    public_types = frozenset(contexts.default.expand(name) for name in settings.access.public_types)
    return Broker(store, contexts, public_types)


def open_access(settings: Settings) -> Access:
    return build_access(SqliteAccessStore(settings.data_dir / ACCESS_FILE), settings.access)


async def open_store(settings: Settings) -> SqliteStore:
    return await SqliteStore.open(store_path(settings))


def store_path(settings: Settings) -> Path:
    """Raises InvalidSettings for a store this version has no adapter for."""
    url = urlsplit(settings.store.url)
    if url.scheme in ("postgresql", "postgres"):
        raise InvalidSettings("There is no PostgreSQL store yet: leave --store out to use SQLite.")
    if url.scheme == "sqlite" and url.path:
        return Path(url.path)
    if settings.store.url:
        raise InvalidSettings("store.url must be empty or sqlite:///PATH.")
    return settings.data_dir / STORE_FILE


def check_exposure(settings: Settings) -> None:
    """Without authentication nothing listens beyond this machine."""
    exposed = [
        host
        for host, listens in ((settings.server.host, True), (settings.mqtt.host, settings.mqtt.enabled))
        if listens and not is_loopback(host)
    ]
    if not settings.access.auth and exposed:
        raise InvalidSettings(
            f"--auth off lets everyone do everything, so it is refused on {', '.join(exposed)}:"
            " bind to 127.0.0.1, or leave authentication on."
        )


def find_store_damage(settings: Settings) -> list[str]:
    """What is wrong with the files of the store and of access; nothing where they are sound or not there yet."""
    paths = [store_path(settings), settings.data_dir / ACCESS_FILE]
    return [f"{path.name}: {damage}" for path in paths if path.exists() for damage in find_damage(path)]


def find_store_faults(settings: Settings) -> list[Fault]:
    """Everything the store can know to be wrong of itself; reads all of it."""
    path = store_path(settings)
    return find_faults(path) if path.exists() else []


def repair_store(settings: Settings) -> list[Fault]:
    """Mend what follows from the rest; what was mended. Raises DataInUse while the platform runs."""
    with holding(settings.data_dir):
        path = store_path(settings)
        return repair(path) if path.exists() else []
