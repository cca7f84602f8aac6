"""Several processes on one machine: a small parent that binds the ports, starts the workers, and begins anew what ends.

A worker is the same command with the parent's sockets. Each worker has a line to the parent: over it the worker says
that it serves, and its end tells the worker that the parent is gone.
"""

import asyncio
import logging
import os
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from parvis.kernel.logs import configure_logs
from parvis.kernel.settings import InvalidSettings, Settings
from parvis.web.siblings import READY, Siblings
from parvis.web.sockets import bind, bind_mqtt

VARIABLE = "PARVIS_SIBLINGS"
READY_WITHIN_S = 60.0
STOP_GRACE_S = 10.0
STEADY_AFTER_S = 30.0
LONGEST_PAUSE_S = 10.0

_log = logging.getLogger(__name__)


class _Told(msgspec.Struct, frozen=True):
    """What the parent tells a worker: numbers of sockets it inherits, and where to meet the siblings."""

    worker: int
    http: int
    mqtt: int | None
    parent: int
    folder: str
    answers_while_opening: bool


def find_siblings(environment: Mapping[str, str]) -> Siblings | None:
    """None in a process that no parent has started."""
    text = environment.get(VARIABLE)
    if not text:
        return None
    told = msgspec.json.decode(text, type=_Told)
    mqtt = None if told.mqtt is None else socket.socket(fileno=told.mqtt)
    return Siblings(
        told.worker,
        socket.socket(fileno=told.http),
        mqtt,
        socket.socket(fileno=told.parent),
        Path(told.folder),
        told.answers_while_opening,
    )


def check_can_share(settings: Settings) -> None:
    """Raises InvalidSettings."""
    if urlsplit(settings.store.url).scheme not in ("postgresql", "postgres"):
        raise InvalidSettings(
            f"{settings.server.workers} workers need a store on PostgreSQL (--store postgresql://...): a SQLite file"
            " has one writer, which is one process. Leave --workers out, or move to PostgreSQL."
        )


@dataclass(eq=False, slots=True)
class Worker:
    number: int
    process: asyncio.subprocess.Process
    began_s: float
    ready: "asyncio.Task[bool]"
    line: socket.socket
    is_leaving: bool = False

    @property
    def is_ready(self) -> bool:
        return self.ready.done() and not self.ready.cancelled() and self.ready.result()

    def hang_up(self) -> None:
        self.ready.cancel()
        self.line.close()


@dataclass(slots=True)
class Ports:
    http: socket.socket
    mqtt: socket.socket | None
    folder: Path


@dataclass(slots=True)
class Parent:
    """Keeps one worker at each number; `failures` counts those that ended soon after they began.

    `alive` are all that run, those too that are being replaced.
    """

    settings: Settings
    command: Sequence[str]
    ports: Ports
    workers: dict[int, Worker] = field(default_factory=dict)
    alive: "set[Worker]" = field(default_factory=set)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    rolling: asyncio.Lock = field(default_factory=asyncio.Lock)
    failures: dict[int, int] = field(default_factory=dict)
    tasks: "set[asyncio.Task[None]]" = field(default_factory=set)

    async def run(self) -> int:
        """Until told to stop: the exit code."""
        first = await self._begin(1, answers_while_opening=True)
        if not await self._is_ready(first, None):
            return 0 if self.stopping.is_set() else 1
        for number in range(2, self.settings.server.workers + 1):
            await self._begin(number)
        await self.stopping.wait()
        for task in list(self.tasks):
            task.cancel()
        await asyncio.gather(*(self._end(worker) for worker in list(self.alive)))
        return 0

    def stop(self) -> None:
        self.stopping.set()
        for worker in self.alive:
            _tell(worker, signal.SIGTERM)

    def renew(self) -> None:
        self._do(self._renew())

    async def _renew(self) -> None:
        """One worker after the other: the next only once the new one serves and the old one has ended."""
        async with self.rolling:
            for number in sorted(self.workers):
                old = self.workers[number]
                new = await self._begin(number)
                if not await self._is_ready(new, READY_WITHIN_S):
                    _log.error("a new worker does not come up: the old ones stay", extra={"worker": number})
                    self._reinstate(old)
                    await self._end(new)
                    return
                await self._end(old)
            _log.info("all workers have begun anew")

    def _reinstate(self, worker: Worker) -> None:
        """Where it has ended meanwhile, another takes its place all the same."""
        self.workers[worker.number] = worker
        worker.is_leaving = False
        if worker not in self.alive:
            self._do(self._replace(worker))

    async def _begin(self, number: int, *, answers_while_opening: bool = False) -> Worker:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        shared = [one for one in (self.ports.http, self.ports.mqtt, theirs) if one is not None]
        told = _Told(
            number,
            self.ports.http.fileno(),
            None if self.ports.mqtt is None else self.ports.mqtt.fileno(),
            theirs.fileno(),
            str(self.ports.folder),
            answers_while_opening,
        )
        process = await asyncio.create_subprocess_exec(
            *self.command,
            env={**os.environ, VARIABLE: msgspec.json.encode(told).decode()},
            stdin=asyncio.subprocess.DEVNULL,
            pass_fds=[one.fileno() for one in shared],
        )
        theirs.close()
        loop = asyncio.get_running_loop()
        worker = Worker(number, process, loop.time(), loop.create_task(_hear_ready(ours)), ours)
        earlier = self.workers.get(number)
        if earlier is not None:
            earlier.is_leaving = True
        self.workers[number] = worker
        self.alive.add(worker)
        self._do(self._watch(worker))
        if self.stopping.is_set():
            _tell(worker, signal.SIGTERM)
        return worker

    async def _is_ready(self, worker: Worker, within_s: float | None) -> bool:
        ended = asyncio.create_task(worker.process.wait())
        await asyncio.wait((worker.ready, ended), timeout=within_s, return_when=asyncio.FIRST_COMPLETED)
        return worker.is_ready

    async def _watch(self, worker: Worker) -> None:
        await worker.process.wait()
        worker.hang_up()
        self.alive.discard(worker)
        if not self.stopping.is_set() and not worker.is_leaving:
            await self._replace(worker)

    async def _replace(self, worker: Worker) -> None:
        """Another in its place, after a pause that grows while they end soon."""
        if not worker.is_ready and len(self.workers) == 1 and not self.failures:
            return  # the very first: its message says what is wrong
        lasted_s = asyncio.get_running_loop().time() - worker.began_s
        failures = self.failures[worker.number] = (
            0 if lasted_s > STEADY_AFTER_S else self.failures.get(worker.number, 0) + 1
        )
        pause_s = min(0.1 * 2 ** min(failures, 10), LONGEST_PAUSE_S)
        told = {"worker": worker.number, "code": worker.process.returncode, "again_in_s": round(pause_s, 1)}
        _log.error("a worker has ended", extra=told)
        await asyncio.sleep(pause_s)
        async with self.rolling:
            if self.workers.get(worker.number) is worker and not self.stopping.is_set():
                await self._begin(worker.number)

    async def _end(self, worker: Worker) -> None:
        worker.is_leaving = True
        _tell(worker, signal.SIGTERM)
        try:
            async with asyncio.timeout(self.settings.server.stop_timeout_s + STOP_GRACE_S):
                await worker.process.wait()
        except TimeoutError:
            _log.error("a worker did not end in time and was killed", extra={"worker": worker.number})
            _tell(worker, signal.SIGKILL)
            await worker.process.wait()
        worker.hang_up()

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)


async def _hear_ready(line: socket.socket) -> bool:
    try:
        return await asyncio.get_running_loop().sock_recv(line, len(READY)) == READY
    except OSError:
        return False


def _tell(worker: Worker, number: signal.Signals) -> None:
    if worker.process.returncode is None:
        worker.process.send_signal(number)


async def supervise(settings: Settings, command: Sequence[str]) -> int:
    """Serve with `settings.server.workers` processes of `command` until SIGINT or SIGTERM; SIGHUP renews them.

    Raises:
        AddressTaken, InvalidSettings.
    """
    configure_logs(settings.log.level, settings.log.format)
    http = bind(settings.server)
    mqtt = bind_mqtt(settings.mqtt) if settings.mqtt.enabled else None
    folder = Path(tempfile.mkdtemp(prefix="parvis-"))
    parent = Parent(settings, (sys.executable, "-m", "parvis", *command), Ports(http, mqtt, folder))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, parent.stop)
    loop.add_signal_handler(signal.SIGHUP, parent.renew)
    try:
        return await parent.run()
    finally:
        http.close()
        if mqtt is not None:
            mqtt.close()
        shutil.rmtree(folder, ignore_errors=True)
