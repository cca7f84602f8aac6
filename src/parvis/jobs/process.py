"""A worker process from the outside: started for one job, ended with it."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, assert_never

import msgspec

from parvis.jobs.kinds import Worker
from parvis.jobs.messages import LONGEST_LINE, Answer, Failure, Progress, Result, Start
from parvis.kernel.errors import ParvisError
from parvis.kernel.jobs import LONGEST_ERROR, Task, WorkFailed

PROCESS_DIED = "process-died"
OUT_OF_CPU_TIME = "out-of-cpu-time"
_COMMAND = (sys.executable, "-P", "-m", "parvis.jobs.worker")
_TAIL_BYTES = 2_000
_LOOK_EVERY_S = 0.2
_ANSWER = msgspec.json.Decoder(Answer)


class WorkerEnded(ParvisError):
    """The worker process failed, was ended by a limit, or died."""

    title = "The worker process ended without a result"


async def run_in_process(worker: Worker, job: Task, report: Callable[[float, str], None]) -> Any:
    """The function's result. Where this is cancelled the process is killed.

    Raises:
        WorkFailed: trying again is of no use.
        WorkerEnded
    """
    async with _started(_start(worker, job)) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        tail = asyncio.create_task(_tail_of(process.stderr))
        try:
            while line := await process.stdout.readline():
                answer = _ANSWER.decode(line)
                match answer:
                    case Progress(progress, message):
                        report(progress, message)
                    case Result(value):
                        return value
                    case Failure(error, is_final):
                        raise WorkFailed(error) if is_final else WorkerEnded(error)
                    case _:
                        assert_never(answer)
            raise WorkerEnded(_cause(await process.wait(), await tail))
        finally:
            tail.cancel()


def _start(worker: Worker, job: Task) -> Start:
    return Start(
        function=worker.function,
        tenant=job.tenant,
        arguments={**job.arguments, **worker.given},
        attempt=job.attempt,
        memory_mb=worker.memory_mb,
        cpu_s=worker.cpu_s,
        import_path=sys.path,
    )


@asynccontextmanager
async def _started(start: Start) -> AsyncIterator[asyncio.subprocess.Process]:
    """In a session of its own, so that what the work itself started is ended with it."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *_COMMAND, stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True, limit=2 * LONGEST_LINE
    )
    watching = asyncio.create_task(_end_what_outlives(process))
    try:
        assert process.stdin is not None
        process.stdin.write(msgspec.json.encode(start) + b"\n")
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            await process.stdin.drain()
        yield process
    finally:
        watching.cancel()
        _kill(process)
        await process.wait()


async def _end_what_outlives(process: asyncio.subprocess.Process) -> None:
    """What the work started holds the pipes open, and for asyncio a process lasts as long as they do."""
    while process.returncode is None:  # noqa: ASYNC110
        await asyncio.sleep(_LOOK_EVERY_S)
    _kill(process)


def _kill(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


async def _tail_of(stream: asyncio.StreamReader) -> str:
    """The end of what the process said on its standard error."""
    tail = b""
    while part := await stream.read(_TAIL_BYTES):
        tail = (tail + part)[-_TAIL_BYTES:]
    return tail.decode("utf-8", "replace").strip()


def _cause(return_code: int, tail: str) -> str:
    if return_code == -signal.SIGXCPU:
        return OUT_OF_CPU_TIME
    ended_by = f"signal {-return_code}" if return_code < 0 else f"exit code {return_code}"
    return f"{PROCESS_DIED}\n{ended_by}\n{tail}".strip()[:LONGEST_ERROR]
