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

import uvicorn
import uvloop
from prometheus_client import REGISTRY, CollectorRegistry
from starlette.types import ASGIApp, Receive, Scope, Send

from parvis.bootstrap import NOTHING_MORE, Additions, Platform, check_exposure, open_platform
from parvis.broker.api.app import NgsiLdApi
from parvis.kernel.errors import ParvisError
from parvis.kernel.logs import configure_logs
from parvis.kernel.settings import ServerSettings, Settings
from parvis.web.app import create_app
from parvis.web.front import Front
from parvis.web.health import Doorstep
from parvis.web.http import BoundedHttp
from parvis.web.metrics import PlatformGauges, RequestMetrics

logger = logging.getLogger(__name__)

SWITCH_INTERVAL_S = 0.0002
"""The store's writer thread and the event loop hand over the interpreter often; with Python's default of 5 ms each
waits long for the other (measured under contention: 62 us a row against 9)."""
GC_THRESHOLDS = (100_000, 20, 50)
"""A batch makes tens of thousands of objects that live until its commit: with Python's default of 700 each is looked at
over and over (measured: batch upserts are a fifth faster so)."""
API_ROOT = "/ngsi-ld/v1"
_BACKLOG = 2048
_OPEN_FILES = 65_536


class AddressTaken(ParvisError):
    title = "The address is taken"


class ServerEnded(ParvisError):
    title = "The server ended by itself"


@dataclass(frozen=True, slots=True)
class Running:
    """`address` is where the pages are; `serve` ends before it is told to only by a fault."""

    platform: Platform
    address: str
    serve: "asyncio.Task[None]"


class _Server(uvicorn.Server):
    """Signals are handled here: uvicorn would raise them again before the store is closed."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def serving(settings: Settings, additions: Additions = NOTHING_MORE) -> AsyncIterator[Running]:
    """The platform, open and answering. The port answers /healthz while the territory is still being loaded.

    Raises:
        AddressTaken, InvalidSettings, or what the store raises when its file cannot be used; ServerEnded, at the
        latest when leaving, where nothing answers any more.
    """
    check_exposure(settings)
    listener = bind(settings.server)
    registry = CollectorRegistry()
    doorstep = Doorstep(registry, REGISTRY)
    server = _Server(_uvicorn_config(settings.server, doorstep))
    serve = asyncio.create_task(server.serve([listener]))
    try:
        async with open_platform(settings, additions) as platform:
            doorstep.app, doorstep.is_writing = assemble(platform, registry), platform.is_writing
            gc.collect()
            gc.freeze()
            gc.set_threshold(*GC_THRESHOLDS)
            try:
                _check_serves(serve)
                yield Running(platform, address_of(settings.server, listener), serve)
                _check_serves(serve)
            finally:
                platform.stopping.set()
                await _stop(server, serve)
    finally:
        await _stop(server, serve)
        listener.close()


async def _stop(server: uvicorn.Server, serve: "asyncio.Task[None]") -> None:
    if not serve.done():
        server.should_exit = True
        await serve


def _check_serves(serve: "asyncio.Task[None]") -> None:
    if serve.done():
        fault = None if serve.cancelled() else serve.exception()
        logger.error("the server ended by itself", exc_info=fault)
        raise ServerEnded("The server ended by itself: the log says why. Start Parvis again.") from fault


def assemble(platform: Platform, registry: CollectorRegistry) -> ASGIApp:
    """Pages and APIs behind what every request passes first."""
    metrics = RequestMetrics()
    registry.register(metrics)
    registry.register(PlatformGauges(platform.gauges))
    limit = platform.settings.server.body_limit_bytes
    app = Crossroads(NgsiLdApi(platform.broker, limit), create_app(platform))
    return Front(app, platform.access.gate, metrics, limit)


class Crossroads:
    """Sends the API's requests past the pages' router, which would cost them more than their own."""

    def __init__(self, api: ASGIApp, pages: ASGIApp) -> None:
        self._api = api
        self._pages = pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"].startswith(API_ROOT + "/"):
            scope["root_path"] = API_ROOT
            await self._api(scope, receive, send)
        else:
            await self._pages(scope, receive, send)


def bind(settings: ServerSettings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
    except OSError as error:
        listener.close()
        raise AddressTaken(
            f"Cannot listen on {settings.host} port {settings.port} ({error.strerror}): choose another with --port."
        ) from error
    listener.listen(_BACKLOG)
    listener.setblocking(False)
    return listener


def address_of(settings: ServerSettings, listener: socket.socket) -> str:
    if settings.public_url:
        return settings.public_url.rstrip("/")
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"http://{host}:{listener.getsockname()[1]}"


def _uvicorn_config(settings: ServerSettings, app: ASGIApp) -> uvicorn.Config:
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


def run(settings: Settings, main: Main, additions: Additions = NOTHING_MORE) -> None:
    """Serve, with `main` beside it, until SIGINT or SIGTERM sets the event that `main` gets, or `main` ends.

    Raises:
        As `serving`; the event is set, too, when the server ends by itself.
    """
    configure_logs(settings.log.level, settings.log.format)
    allow_many_connections()
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    uvloop.run(_run(settings, main, additions))


def allow_many_connections() -> None:
    """Shells and service managers often allow 1024 open files: fewer than there may be devices, and then not even the
    store can open its own."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(_OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


async def _run(settings: Settings, main: Main, additions: Additions) -> None:
    end = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, end.set)
    async with serving(settings, additions) as running:
        running.serve.add_done_callback(lambda _serve: end.set())
        logger.info("serving", extra={"address": running.address, "data": str(settings.data_dir)})
        await main(running, end)
        logger.info("stopping")
