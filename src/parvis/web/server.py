"""One process that serves: the platform and its pages over HTTP, until a signal ends it."""

import asyncio
import contextlib
import gc
import logging
import resource
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import monotonic

import uvicorn
import uvloop
from prometheus_client import REGISTRY, CollectorRegistry
from starlette.types import ASGIApp, Receive, Scope, Send

from parvis.bootstrap import NOTHING_MORE, Additions, Platform, check_exposure, open_platform
from parvis.bootstrap.stores import Opening
from parvis.broker.api.app import NgsiLdApi
from parvis.broker.jsonld.context import link_to
from parvis.broker.jsonld.contexts import PARVIS_URL
from parvis.kernel.errors import ParvisError
from parvis.kernel.logs import configure_logs
from parvis.kernel.settings import InvalidSettings, ServerSettings, Settings
from parvis.web.app import create_app
from parvis.web.basemap import MapOrigins
from parvis.web.console.first_run import LARGER_BODIES
from parvis.web.console.imports import UPLOAD, files_of
from parvis.web.front import Front
from parvis.web.health import Doorstep
from parvis.web.http import BoundedHttp
from parvis.web.limits import Limits
from parvis.web.metrics import PlatformGauges, RequestMetrics
from parvis.web.readings import Readings, kept_current
from parvis.web.siblings import ALONE, Exposition, Siblings
from parvis.web.sockets import bind

logger = logging.getLogger(__name__)

SWITCH_INTERVAL_S = 0.0002
"""The store's writer thread and the event loop hand over the interpreter often; with Python's default of 5 ms each
waits long for the other (measured under contention: 62 us a row against 9)."""
GC_THRESHOLDS = (100_000, 20, 50)
"""A batch makes tens of thousands of objects that live until its commit: with Python's default of 700 each is looked at
over and over (measured: batch upserts are a fifth faster so)."""
API_ROOT = "/ngsi-ld/v1"
DATA_ROOT = "/data/v1"
ANY_PROXY = "*"
"""The same to read, in Parvis's own terms: for links and programs that can send no Link header."""
_OWN_TERMS = (b"link", link_to(PARVIS_URL).encode())
_OPEN_FILES = 65_536
_DRAIN_STEP_S = 0.05


class ServerEnded(ParvisError):
    title = "The server ended by itself"


@dataclass(frozen=True, slots=True)
class Running:
    """`address` is where the pages are; `serve` ends before it is told to only by a fault.

    Of several workers `is_first` is one that was there before the others.
    """

    platform: Platform
    address: str
    serve: "asyncio.Task[None]"
    is_first: bool = True


class _Server(uvicorn.Server):
    """Signals are handled here: uvicorn would raise them again before the store is closed."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def serving(
    settings: Settings,
    additions: Additions = NOTHING_MORE,
    opening: Opening | None = None,
    siblings: Siblings = ALONE,
) -> AsyncIterator[Running]:
    """The platform, open and answering. The port answers /healthz while the territory is still being loaded, or stays
    with the siblings until then.

    Raises:
        AddressTaken, InvalidSettings, NotOpened, or what the store raises when its file cannot be used; ServerEnded, at
        the latest when leaving, where nothing answers any more.
    """
    check_exposure(settings)
    opening = opening or Opening()
    listener = siblings.http or bind(settings.server)
    registry = CollectorRegistry()
    exposition = Exposition((registry, REGISTRY), siblings.folder, siblings.worker)
    readings = Readings(exposition.families)
    doorstep = Doorstep(exposition, lambda: opening.reason)
    answering = Answering(uvicorn_config(settings.server, doorstep), listener)
    if siblings.answers_while_opening:
        answering.start()
    try:
        async with (
            exposition.shared(),
            open_platform(settings, additions, opening=opening, mqtt_socket=siblings.mqtt) as platform,
            kept_current(readings),
        ):
            platform.federation.subscriber.open(address_of(settings.server, listener))
            doorstep.app, doorstep.fault = assemble(platform, registry, readings), platform.fault
            doorstep.degraded = platform.degraded
            gc.collect()
            gc.freeze()
            gc.set_threshold(*GC_THRESHOLDS)
            serve = answering.start()
            try:
                _check_serves(serve)
                yield Running(platform, address_of(settings.server, listener), serve, siblings.answers_while_opening)
                _check_serves(serve)
            finally:
                platform.stopping.set()
                await answering.stop(drain_s=siblings.drain_s)
    finally:
        await answering.stop()
        listener.close()


class Answering:
    """The server on a listener: started at most once, stopped as often as one likes."""

    def __init__(self, config: uvicorn.Config, listener: socket.socket) -> None:
        self._server = _Server(config)
        self._listener = listener
        self._serve: asyncio.Task[None] | None = None

    def start(self) -> "asyncio.Task[None]":
        if self._serve is None:
            self._serve = asyncio.create_task(self._server.serve([self._listener]))
        return self._serve

    async def stop(self, drain_s: float = 0.0) -> None:
        """With `drain_s` clients that keep their connections get so long to hear "Connection: close" in an answer:
        their next request goes to a sibling."""
        if self._serve is None or self._serve.done():
            return
        for one in getattr(self._server, "servers", []):
            one.close()
        ends_at = monotonic() + drain_s
        while self._server.server_state.connections and monotonic() < ends_at:  # noqa: ASYNC110
            await asyncio.sleep(_DRAIN_STEP_S)
        self._server.should_exit = True
        await self._serve


def _check_serves(serve: "asyncio.Task[None]") -> None:
    if serve.done():
        fault = None if serve.cancelled() else serve.exception()
        logger.error("the server ended by itself", exc_info=fault)
        raise ServerEnded("The server ended by itself: the log says why. Start Parvis again.") from fault


def assemble(platform: Platform, registry: CollectorRegistry, readings: Readings | None = None) -> ASGIApp:
    """Pages and APIs behind what every request passes first."""
    metrics = RequestMetrics()
    registry.register(metrics)
    registry.register(PlatformGauges(platform.gauges))
    limit = platform.settings.server.body_limit_bytes
    readings = readings or Readings(Exposition((registry, REGISTRY)).families)
    app = Crossroads(
        NgsiLdApi(platform.broker, limit, platform.access.writes.note), create_app(platform, readings=readings)
    )
    larger = {UPLOAD: files_of(platform).config.largest_file_mb << 20, **LARGER_BODIES}
    origins = MapOrigins(lambda: platform.at_hand.map)
    limits, with_subdomains = Limits(platform.settings.limits), platform.settings.server.tls_subdomains
    return Front(app, platform.access.gate, metrics, limit, platform.stopping, larger, origins, limits, with_subdomains)


class Crossroads:
    """Sends the API's requests past the pages' router, which would cost them more than their own."""

    def __init__(self, api: ASGIApp, pages: ASGIApp) -> None:
        self._api = api
        self._pages = pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"].startswith(API_ROOT + "/"):
            scope["root_path"] = API_ROOT
            await self._api(scope, receive, send)
        elif scope["path"].startswith(DATA_ROOT + "/") and scope["method"] == "GET":
            headers = [*scope["headers"], _OWN_TERMS]
            await self._api({**scope, "root_path": DATA_ROOT, "headers": headers}, receive, send)
        else:
            await self._pages(scope, receive, send)


def address_of(settings: ServerSettings, listener: socket.socket) -> str:
    if settings.public_url:
        return settings.public_url.rstrip("/")
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"http://{host}:{listener.getsockname()[1]}"


def uvicorn_config(settings: ServerSettings, app: ASGIApp) -> uvicorn.Config:
    """Raises InvalidSettings."""
    if ANY_PROXY in settings.trusted_proxies:
        raise InvalidSettings("server.trusted_proxies: name them: by * anybody chooses the address they are known by.")
    return uvicorn.Config(
        app,
        http=BoundedHttp,
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=list(settings.trusted_proxies),
        timeout_graceful_shutdown=round(settings.stop_timeout_s),
    )


Main = Callable[[Running, asyncio.Event], Coroutine[None, None, None]]


def run(settings: Settings, main: Main, additions: Additions = NOTHING_MORE, siblings: Siblings = ALONE) -> None:
    """Serve, with `main` beside it, until SIGINT or SIGTERM sets the event that `main` gets, or `main` ends.

    Raises:
        As `serving`; the event is set, too, when the server ends by itself.
    """
    configure_logs(settings.log.level, settings.log.format, worker=siblings.worker)
    allow_many_connections()
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    uvloop.run(_run(settings, main, additions, siblings))


def allow_many_connections() -> None:
    """Shells and service managers often allow 1024 open files: fewer than there may be devices, and then not even the
    store can open its own."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(_OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


async def _run(settings: Settings, main: Main, additions: Additions, siblings: Siblings) -> None:
    end, opening = asyncio.Event(), Opening()

    def stop() -> None:
        opening.given_up.set()
        end.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    siblings.watch_parent(loop, stop)
    async with serving(settings, additions, opening, siblings) as running:
        running.serve.add_done_callback(lambda _serve: end.set())
        logger.info("serving", extra={"address": running.address, "data": str(settings.data_dir)})
        siblings.say_ready()
        await main(running, end)
        logger.info("stopping")
