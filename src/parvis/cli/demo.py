"""`parvis demo`: the demonstration territory, alive."""

import asyncio
import logging
import os
import secrets
import signal
import socket
import sys
import threading
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

import parvis.demo
from parvis.access.access import COMMAND_LINE, Access
from parvis.bootstrap import Additions
from parvis.broker.ports.archive import day_of
from parvis.cli.options import data_option, serving_options, settings_of
from parvis.cli.serve import say_where
from parvis.demo.devices.kinds import Kind, traits_of
from parvis.demo.first_start import FirstStart
from parvis.demo.happenings import DemoStory, running_clock
from parvis.demo.land.geometry import lon_lat
from parvis.demo.land.territory import DEFAULT_SEED, NAME
from parvis.demo.past import DAYS
from parvis.demo.picture.basemap import BaseMap
from parvis.demo.remembering import Rememberer
from parvis.demo.services.server import address_of, open_door
from parvis.demo.services.stations import settings_of as open_data_settings
from parvis.demo.story.kept import KeptStory
from parvis.demo.story.line import own_line
from parvis.kernel.identity import DEFAULT_TENANT, system_caller
from parvis.kernel.settings import TERRITORY_FILE, MqttSettings, Settings
from parvis.kernel.territory_file import render_territory_file
from parvis.kernel.time import DAY, HOUR, SECOND, system_clock
from parvis.web.server import Running, run

logger = logging.getLogger(__name__)
PROFILES = Path(parvis.demo.__file__).parent / "codecs"
STORY_FOLDER = "demo"
OCPP = "ocpp"
FEEDS = "feeds"
_LOOPBACK = "127.0.0.1"
KEY_LABEL = "demonstration: network server"
_BRIDGE_STOP_S = 5.0


@click.command()
@data_option("data/demo")
@serving_options
@click.option(
    "--seed",
    type=int,
    default=DEFAULT_SEED,
    show_default=True,
    help="Grows the territory; another seed, another place.",
)
@click.option(
    "--speed",
    type=click.FloatRange(0.01, 1000),
    default=1.0,
    show_default=True,
    help="How much faster than real time its devices live.",
)
@click.option(
    "--past",
    "past_hours",
    type=click.FloatRange(0, 24 * 31),
    default=3.0,
    show_default=True,
    help="Hours of past readings to begin with.",
)
@click.option(
    "--days",
    type=click.IntRange(0, 400),
    default=DAYS,
    show_default=True,
    help="Days of history that the first start begins with.",
)
def demo(data_dir: Path, seed: int, speed: float, past_hours: float, days: int, **options: Any) -> None:
    """Start with a demonstration territory whose devices speak like real ones: LoRaWAN, MQTT, HTTP, OCPP."""
    _write_territory(data_dir)
    settings = _with_charging(_with_free_mqtt_port(settings_of(data_dir, **options)))
    door = None if FEEDS in settings.connectors else open_door()
    settings = _at_speed(speed, settings if door is None else _with_open_data(settings, door))
    folder = data_dir / STORY_FOLDER
    kept = KeptStory.open(folder, seed, system_clock() / SECOND)
    story = DemoStory(kept, own_line(), running_clock(system_clock, speed))
    with (
        closing(BaseMap(seed, data_dir / "base-map.mbtiles", folder)) as base_map,
        closing(Rememberer(seed, folder)) as rememberer,
    ):
        if days and kept.told_until < day_of(system_clock()):
            rememberer.get_ready()
        past = FirstStart(rememberer, kept, story, days, click.echo)
        play = _Play(_Plan(seed, speed, past_hours, folder, door), base_map, rememberer, past)
        run(settings, play.until_told, Additions((PROFILES,), base_map, story))


def _write_territory(data_dir: Path) -> None:
    """Written once; what somebody changes in it stays."""
    path = data_dir / TERRITORY_FILE
    if path.exists():
        return
    data_dir.mkdir(parents=True, exist_ok=True)
    given = {
        "territory.name": NAME,
        "territory.centre": lon_lat(0, 0),
        "territory.zoom": 11.0,
        "access.public_types": tuple(sorted({traits_of(kind).entity_type for kind in Kind})),
    }
    path.write_text(render_territory_file(given), encoding="utf-8")


def _with_free_mqtt_port(settings: Settings) -> Settings:
    """The usual port is often taken by another MQTT server; the demonstration's devices find any."""
    if settings.mqtt != MqttSettings():
        return settings
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.mqtt.host, settings.mqtt.port))
        except OSError:
            return replace(settings, mqtt=replace(settings.mqtt, port=0))
    return settings


def _at_speed(speed: float, settings: Settings) -> Settings:
    """Faster than real time, devices live ahead of the clock."""
    if speed <= 1:
        return settings
    tables = {
        name: {**table, "future_limit_s": 0} if name == FEEDS else table for name, table in settings.connectors.items()
    }
    return replace(settings, fleet=replace(settings.fleet, future_limit_h=0.0), connectors=tables)


def _with_open_data(settings: Settings, door: socket.socket) -> Settings:
    """The national services of the territory: their one port is open, and nothing else."""
    address = address_of(door)
    outbound = replace(settings.outbound, allow=(*settings.outbound.allow, address))
    feeds = {FEEDS: open_data_settings(f"http://{address}")}
    return replace(settings, outbound=outbound, connectors={**settings.connectors, **feeds})


def _with_charging(settings: Settings) -> Settings:
    """Charging stations find the central system where nobody has set up one of their own."""
    if OCPP in settings.connectors or find_spec("ocpp") is None:
        return settings
    with socket.socket() as probe:
        probe.bind((_LOOPBACK, 0))
        port = probe.getsockname()[1]
    logging.getLogger("websockets.server").setLevel(logging.WARNING)  # sixty stations come and go
    table = {"host": _LOOPBACK, "port": port, "password": secrets.token_urlsafe(16), "accepts_unlisted": True}
    return replace(settings, connectors={**settings.connectors, OCPP: table})


@dataclass(frozen=True, slots=True)
class _Plan:
    """`began_s` is when the devices' time began to run `speed` times as fast, `door` where they tell open data."""

    seed: int
    speed: float
    past_hours: float
    folder: Path
    door: socket.socket | None = None
    began_s: float = field(default_factory=lambda: system_clock() / SECOND)


class _Play:
    def __init__(self, plan: _Plan, base_map: BaseMap, rememberer: Rememberer, past: FirstStart) -> None:
        self._plan = plan
        self._base_map = base_map
        self._rememberer = rememberer
        self._past = past

    async def until_told(self, running: Running, end: asyncio.Event) -> None:
        where = say_where(running)
        key = _new_key(running.platform.access)
        bridge = await self._start_bridge(running, key)
        silence = asyncio.create_task(_tell_when_silent(bridge))
        beginning = asyncio.create_task(self._begin(running, bridge, where))
        ending = asyncio.create_task(end.wait())
        try:
            await asyncio.wait((beginning, ending), return_when=asyncio.FIRST_COMPLETED)
            if beginning.done():
                beginning.result()
            await ending
        finally:
            ending.cancel()
            silence.cancel()
            beginning.cancel()
            await _stop(bridge)
            with suppress(asyncio.CancelledError):
                await beginning
            _revoke_keys(running.platform.access)

    async def _begin(self, running: Running, bridge: asyncio.subprocess.Process, where: Sequence[str]) -> None:
        """First that devices are known and speak, then the months before, then what can wait: there are few cores.

        `where` is said again at the end, for the lines about all that have taken it out of sight.
        """
        try:
            await self._register(running)
        except Exception as fault:
            self._past.give_up(fault)
            return
        _cue(bridge)
        await self._past.run(running.platform.broker)
        _say_again(running, where)
        _cue(bridge)
        await _draw_ahead(self._base_map)

    async def _register(self, running: Running) -> None:
        records = await self._rememberer.records()
        self._past.begin()
        outcomes = await running.platform.fleet.register(system_caller("demo"), records)
        failed = [one for one in outcomes if one.error is not None]
        if failed:
            raise failed[0].error or AssertionError
        click.echo(f"{len(records)} devices are registered and begin to speak.")

    async def _start_bridge(self, running: Running, key: str) -> asyncio.subprocess.Process:
        """A process of its own: it is no part of the platform, and speaks to it over TCP only."""
        mqtt = running.platform.mqtt
        if mqtt is None:
            raise click.ClickException("The demonstration needs the MQTT listener: set mqtt.enabled.")
        settings, plan = running.platform.settings, self._plan
        ocpp_url, ocpp_password = _charging(settings)
        arguments = {
            "--host": settings.mqtt.host,
            "--port": mqtt.port,
            "--username": "network-server",
            "--push-url": running.address,
            "--ocpp-url": ocpp_url,
            "--folder": plan.folder,
            "--seed": plan.seed,
            "--speed": plan.speed,
            "--began-s": plan.began_s,
            "--backfill-hours": min(plan.past_hours, _hours_since_heard(running)),
            "--sparse-hours": min(_hours_of_today(), _hours_since_heard(running)),
            "--log-level": settings.log.level,
            "--log-format": settings.log.format,
        }
        passed = () if plan.door is None else (plan.door.fileno(),)
        words = [f"{name}={value}" for name, value in arguments.items()]
        words += [f"--services-fd={number}" for number in passed]
        bridge = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "parvis.demo.play.player",
            "--on-cue",
            *words,
            stdin=asyncio.subprocess.PIPE,
            env=os.environ | {"PARVIS_BRIDGE_PASSWORD": key, "PARVIS_OCPP_PASSWORD": ocpp_password},
            pass_fds=passed,
            start_new_session=True,
        )
        if plan.door is not None:
            plan.door.close()  # who asks when that process is gone is refused, and waits for nobody
        return bridge


def _say_again(running: Running, where: Sequence[str]) -> None:
    """While nobody has opened the link."""
    somebody = running.platform.access.accounts.list_administrators(DEFAULT_TENANT)
    for line in where[:1] if somebody else where:
        click.echo(line)


def _cue(player: asyncio.subprocess.Process) -> None:
    """It may have ended, which is told elsewhere."""
    assert player.stdin is not None, "it was started with one"
    if not player.stdin.is_closing():
        player.stdin.write(b"\n")


def _charging(settings: Settings) -> tuple[str, str]:
    """Where charging stations connect, and their password; nothing where somebody has set up an own central system."""
    table = settings.connectors.get(OCPP, {})
    if not table.get("accepts_unlisted"):
        return "", ""
    return f"ws://{table['host']}:{table['port']}/ocpp", str(table["password"])


def _hours_since_heard(running: Running) -> float:
    """What of the past nobody has told yet: after a restart, only since the devices were last heard."""
    devices = running.platform.fleet.registry.list_devices(DEFAULT_TENANT)
    last_heard = max((device.health_at for device in devices), default=0)
    return max(0.0, (system_clock() - last_heard) / HOUR)


def _hours_of_today() -> float:
    """The days before today (UTC) are told at once, out of the archive."""
    return (system_clock() % DAY) / HOUR


async def _draw_ahead(base_map: BaseMap) -> None:
    """Nobody waits for it; what it does not draw is drawn when it is asked for."""
    stop = threading.Event()
    drawing = asyncio.create_task(asyncio.to_thread(base_map.warm_up, stop))
    try:
        drawn = await asyncio.shield(drawing)
    except asyncio.CancelledError:
        stop.set()
        await asyncio.wait((drawing,))
        raise
    except Exception:
        logger.exception("the map is not drawn ahead")
    else:
        logger.info("the map is drawn ahead", extra={"tiles": drawn})


async def _tell_when_silent(bridge: asyncio.subprocess.Process) -> None:
    code = await bridge.wait()
    click.echo(f"The devices have fallen silent: their process ended with code {code}. Start anew.", err=True)


async def _stop(process: asyncio.subprocess.Process) -> None:
    """With the helpers it started: it leads a session of its own."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        await asyncio.wait_for(process.wait(), _BRIDGE_STOP_S)
    except TimeoutError:
        process.kill()
        await process.wait()


def _new_key(access: Access) -> str:
    _revoke_keys(access)
    _, key = access.keys.create(COMMAND_LINE, KEY_LABEL, "device")
    return key


def _revoke_keys(access: Access) -> None:
    for key in access.keys.list_keys(COMMAND_LINE):
        if key.label == KEY_LABEL and key.revoked_at is None:
            access.keys.revoke(COMMAND_LINE, key.id)
