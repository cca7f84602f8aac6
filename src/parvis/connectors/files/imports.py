"""Imports as jobs: a file is received, checked, imported, and perhaps taken back."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from shutil import disk_usage, move
from typing import Any

import msgspec

from parvis.broker.broker import Broker
from parvis.connectors.files.config import InvalidMapping, Mapping
from parvis.connectors.files.folders import Folders, Import, Origin, Phase, Position, Reading
from parvis.connectors.files.guess import Guess
from parvis.connectors.files.passage import Passage, consumer_of
from parvis.connectors.files.undoing import Undoing
from parvis.connectors.files.wanted import Wanted
from parvis.jobs.kinds import Worker
from parvis.jobs.process import WorkerEnded, run_in_process
from parvis.kernel.errors import Forbidden, Overloaded, ParvisError
from parvis.kernel.identity import Caller, Right, system_caller
from parvis.kernel.jobs import Job, JobContext, JobDoor, WorkFailed, WrongState
from parvis.kernel.time import DAY, Clock, system_clock

CHECK = "files.check"
IMPORT = "files.import"
UNDO = "files.undo"
KEEP_DAYS = 90
MOST_IMPORTS = 1_000
LEAST_FREE_BYTES = 512 << 20
_READING_MEMORY_MB = 2048
_READING_S = 4 * 3600
_LOOKING_S = 30
_STRAY_S = 24 * 3600.0
_MOST_LOOKING = 2
_LONGEST_S = 24 * 3600.0
ATTEMPTS = 10
_READING_SHARE = 0.4
_BY = "by"
_WHOLE = Right.READ | Right.WRITE


class _Looking(msgspec.Struct, frozen=True):
    """What the worker process is told of a look: all of it is given."""

    tenant: str
    arguments: dict[str, Any] = {}
    attempt: int = 1


class Imports:
    """Those of all tenants. Folders are in the data directory, which processes on several machines must share."""

    def __init__(self, broker: Broker, data_dir: Path, jobs: JobDoor, clock: Clock = system_clock) -> None:
        self.folders = Folders(data_dir)
        self._data_dir = data_dir
        self._broker = broker
        self._jobs = jobs
        self._lookers = asyncio.Semaphore(_MOST_LOOKING)
        self._clock = clock
        options: dict[str, Any] = {
            "attempts": ATTEMPTS,
            "timeout_s": _LONGEST_S,
            "at_most": 2,
            "right": Right.WRITE,
            "back_off_s": 1.0,
        }
        jobs.kind(CHECK, self._check, **options)
        jobs.kind(IMPORT, self._import, **options)
        jobs.kind(UNDO, self._undo, **options)

    def receive(self, caller: Caller, name: str, origin: Origin) -> Import:
        """A folder for a file that is to come; `keep` it when it is there.

        Raises:
            Forbidden: the caller may not read and write everything.
            InvalidMapping: it is of no kind that can be read.
            Overloaded: the disk is nearly full.
        """
        check_imports(caller)
        self._data_dir.mkdir(parents=True, exist_ok=True)
        if disk_usage(self._data_dir).free < LEAST_FREE_BYTES:
            raise Overloaded("The disk of the platform is nearly full: no file is taken.", retry_after_s=3600)
        return self.folders.create(caller.tenant, name, origin, caller.subject, self._clock())

    def keep(self, one: Import) -> Import:
        """The file is there, whole."""
        size = self.folders.source(one).stat().st_size
        return self.folders.save(msgspec.structs.replace(one, size_bytes=size))

    def take(self, caller: Caller, path: Path, origin: Origin) -> Import:
        """Move a file in. Raises as `receive`."""
        one = self.receive(caller, path.name, origin)
        move(path, self.folders.source(one))
        return self.keep(one)

    def choose(self, one: Import, mapping: Mapping, mapping_name: str = "") -> Import:
        """By which mapping it is read from now on."""
        return self.folders.save(msgspec.structs.replace(one, mapping=mapping, mapping_name=mapping_name))

    async def look(self, one: Import, zone: str, mapping: Mapping | None = None, wanted: Wanted | None = None) -> Guess:
        """What the file may mean; with `mapping`, what it shows by that, or what is proposed anew where something else
        is `wanted` of its rows. Raises InvalidMapping."""
        given = {
            "folder": str(self.folders.folder(one).path),
            "name": one.name,
            "zone": zone,
            "mapping": msgspec.to_builtins(mapping),
            "wanted": msgspec.to_builtins(wanted),
        }
        worker = Worker("parvis.connectors.files.reading:look", _READING_MEMORY_MB, _LOOKING_S, given)
        try:
            async with self._lookers, asyncio.timeout(_LOOKING_S):
                told = await run_in_process(worker, _Looking(one.tenant), lambda _part, _word: None)
        except (WorkFailed, WorkerEnded) as refusal:
            raise InvalidMapping(refusal.detail) from refusal
        except TimeoutError as refusal:
            raise InvalidMapping(f"{one.name} cannot be looked at in {_LOOKING_S} s.") from refusal
        return msgspec.convert(told, Guess)

    async def start(self, caller: Caller, one: Import, kind: str) -> Import:
        """One of CHECK, IMPORT and UNDO. Raises Forbidden, WrongState, InvalidMapping, Overloaded."""
        check_imports(caller)
        job = await self.find_job(one)
        if job is not None and not job.state.has_ended:
            raise WrongState(f"The import {one.id} is at work: wait for its end, or cancel it.")
        if one.mapping is None:
            raise InvalidMapping("Say first what the columns mean.")
        if (kind == UNDO) != (one.phase is Phase.IMPORTED):
            raise WrongState(f"The import {one.id} is {one.phase.value}.")
        added = await self._jobs.submit(caller, kind, {"import": one.id, _BY: caller.subject})
        current = self.folders.get(one.tenant, one.id)  # the job may have come to its end by now
        return self.folders.save(msgspec.structs.replace(current, job_id=added.id))

    async def find_job(self, one: Import) -> Job | None:
        """The one asked for last, while it is kept."""
        return None if one.job_id is None else await self._jobs.queue.find(one.tenant, one.job_id)

    async def remove(self, caller: Caller, one: Import) -> None:
        """The folder only: what was imported stays. Raises Forbidden, WrongState."""
        check_imports(caller)
        job = await self.find_job(one)
        if job is not None and not job.state.has_ended:
            raise WrongState(f"The import {one.id} is at work: wait for its end, or cancel it.")
        await self._broker.outbox.retire(consumer_of(one))
        self.folders.remove(one)

    async def tidy(self) -> None:
        """Forget imports that are old, and let go of events that broken-off ones would still be told."""
        for tenant in list(self.folders.tenants()):
            await asyncio.to_thread(self.folders.clear_strays, tenant, _STRAY_S)
            found = self.folders.list_imports(tenant, most=MOST_IMPORTS * 2)
            for number, one in enumerate(found):
                job = await self.find_job(one)
                if job is not None and not job.state.has_ended:
                    continue
                if await self._broker.outbox.position(consumer_of(one)):
                    await self._settle(one)
                if number >= MOST_IMPORTS or one.created_at < self._clock() - KEEP_DAYS * DAY:
                    self.folders.remove(one)

    async def run_here(self, kind: str, context: JobContext) -> Any:
        """Without a queue, for the command line."""
        works = {CHECK: self._check, IMPORT: self._import, UNDO: self._undo}
        return await works[kind](context)

    async def _check(self, context: JobContext) -> Any:
        one, mapping = self._asked(context)
        reading = await self._read(context, one, mapping)
        position = await self._pass(context, one, mapping, is_dry=True)
        self._move_on(one, Phase.CHECKED)
        return _told(reading, position)

    async def _import(self, context: JobContext) -> Any:
        one, mapping = self._asked(context)
        if one.phase in (Phase.IMPORTED, Phase.UNDONE):
            return {"phase": one.phase.value}
        reading = await self._read(context, one, mapping)
        async with self.folders.alone(one.tenant):
            position = await self._pass(context, one, mapping, is_dry=False)
        self._move_on(one, Phase.IMPORTED)
        await self._settle(one)
        self.folders.folder(one).drop("records.jsonl", "check.csv")
        return _told(reading, position)

    async def _undo(self, context: JobContext) -> Any:
        one, _ = self._asked(context)
        undoing = Undoing(self._broker, self._asker(context, one), one.ended_at or self._clock())

        def tell(part: float) -> None:
            self._asker(context, one)
            context.report(part, "undoing")

        undone = await undoing.run(self.folders.folder(one).made, tell)
        self._move_on(one, Phase.UNDONE)
        return msgspec.to_builtins(undone)

    async def _read(self, context: JobContext, one: Import, mapping: Mapping) -> Reading:
        """In a process of its own, once for each mapping."""
        folder = self.folders.folder(one)
        reading = folder.find("reading", Reading)
        if reading is not None and reading.mapping == mapping and folder.records.exists():
            return reading
        if not self.folders.source(one).exists():
            raise WorkFailed("The file is no longer here: bring it again.")
        await self._broker.outbox.retire(consumer_of(one))
        given = {"folder": str(folder.path), "name": one.name, "mapping": msgspec.to_builtins(mapping)}
        worker = Worker("parvis.connectors.files.reading:read", _READING_MEMORY_MB, _READING_S, given)
        await run_in_process(worker, context, lambda part, word: context.report(part * _READING_SHARE, word))
        reading = folder.find("reading", Reading)
        if reading is None:
            raise WorkFailed("no-reading")
        return reading

    async def _pass(self, context: JobContext, one: Import, mapping: Mapping, *, is_dry: bool) -> Position:
        caller = self._asker(context, one)
        passage = Passage(self._broker, caller, one, mapping, self.folders.folder(one), is_dry=is_dry)
        word = "comparing" if is_dry else "writing"

        def tell(part: float) -> None:
            self._asker(context, one)
            context.report(_READING_SHARE + part * (1 - _READING_SHARE), word)

        return await passage.run(tell)

    async def _settle(self, one: Import) -> None:
        """Keep how far it is, then leave the outbox."""
        folder = self.folders.folder(one)
        pending = folder.find("pending", Position)
        kept = folder.find("position", Position) or Position()
        event = await self._broker.outbox.position(consumer_of(one))
        if pending is not None and event and pending.event == event and pending.offset > kept.offset:
            folder.keep("position", pending)
        folder.drop("pending.json")
        await self._broker.outbox.retire(consumer_of(one))

    def _asker(self, context: JobContext, one: Import) -> Caller:
        """In whose name it is done: of whoever asked for it, with the rights they have by now. Raises WorkFailed."""
        subject = str(context.arguments.get(_BY, one.created_by))
        if self._broker.find_owner is None:
            return system_caller("import", one.tenant)
        caller = self._broker.find_owner(subject, one.tenant)
        if caller is None or not may_import(caller):
            raise WorkFailed("Whoever asked for this import may not import any more.")
        return caller

    def _asked(self, context: JobContext) -> tuple[Import, Mapping]:
        try:
            one = self.folders.get(context.tenant, str(context.arguments.get("import", "")))
        except ParvisError as refusal:
            raise WorkFailed(refusal.detail) from refusal
        if one.mapping is None:
            raise WorkFailed("The import has no mapping.")
        return one, one.mapping

    def _move_on(self, one: Import, phase: Phase) -> None:
        current = self.folders.get(one.tenant, one.id)
        ended_at = current.ended_at if phase is Phase.UNDONE else self._clock()
        self.folders.save(msgspec.structs.replace(current, phase=phase, ended_at=ended_at))

    def report_lines(self, one: Import) -> Iterator[bytes]:
        """The report as CSV, each line of the file with what became of it, in the file's order."""
        from parvis.connectors.files.telling import merged_report

        return merged_report(self.folders.folder(one))


def may_import(caller: Caller) -> bool:
    return _WHOLE in caller.everywhere


def check_imports(caller: Caller) -> None:
    """A file may speak of anything, and is compared with what is there. Raises Forbidden."""
    if not may_import(caller):
        raise Forbidden("Imports are for those who may read and write everything.")


def _told(reading: Reading, position: Position) -> dict[str, Any]:
    return {"rows": reading.counts.rows, "rejected": reading.counts.faults, "verdicts": position.verdicts}
