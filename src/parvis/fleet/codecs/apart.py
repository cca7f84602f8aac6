"""Codecs nobody vouches for, in processes of their own: one for each owner, killed when it hangs.

A codec is held to its limits there as here. Beyond them, a fault of the engine itself harms its owner's codecs only.
"""

import asyncio
import sys
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from time import monotonic
from typing import Any

import msgspec

from parvis.fleet.codecs.codec import CodecFailure, CodecFault, CodecResult, Downlink
from parvis.fleet.codecs.worker import (
    LONGEST_MESSAGE_BYTES,
    Answered,
    Frame,
    Request,
    as_result,
    framed,
    length_of,
)
from parvis.fleet.model.uplink import Uplink

LONGEST_WAIT_S = 3.0
"""For one portion; the codec's own limits end far below."""
MOST_WORKERS = 4
_FRAMES_AT_ONCE = 64
_START_LIMIT_S = 20.0
_FAULTS_BEFORE_REST = 3
_REST_S = 60.0
_HEAD_BYTES = 4
_read_answer = msgspec.msgpack.Decoder(Answered).decode


class CodecsApart:
    """Starts a process when it is first needed, and stops the one that waited longest when there are too many."""

    def __init__(self, ticks_s: Callable[[], float] = monotonic, longest_wait_s: float = LONGEST_WAIT_S) -> None:
        self._ticks_s = ticks_s
        self._longest_wait_s = longest_wait_s
        self._workers: OrderedDict[str, _Worker] = OrderedDict()
        self._idle = asyncio.Condition()

    async def decode(
        self, owner: str, source: str, frames: Sequence[Uplink], *, normalizes: bool = False
    ) -> list[CodecResult]:
        """One result for each frame, in order."""
        results: list[CodecResult] = []
        for start in range(0, len(frames), _FRAMES_AT_ONCE):
            part = tuple(
                Frame(one.f_port, one.received_at, one.payload) for one in frames[start : start + _FRAMES_AT_ONCE]
            )
            answer = await self._ask(owner, Request(source, normalizes, part))
            if isinstance(answer, CodecFailure):
                results += [answer] * len(part)
            else:
                results += [as_result(*one) for one in answer.decoded]
        return results

    async def encode_downlink(self, owner: str, source: str, data: Mapping[str, Any]) -> Downlink | CodecFailure:
        answer = await self._ask(owner, Request(source, data=dict(data)))
        if isinstance(answer, CodecFailure):
            return answer
        if answer.fault:
            return CodecFailure(CodecFault[answer.fault], answer.detail)
        return Downlink(answer.f_port, answer.payload, answer.warnings)

    async def close(self) -> None:
        for worker in self._workers.values():
            await worker.stop()
        self._workers.clear()

    async def _ask(self, owner: str, request: Request) -> Answered | CodecFailure:
        worker = await self._take_worker(owner)
        try:
            return await worker.ask(request)
        finally:
            worker.users -= 1
            async with self._idle:
                self._idle.notify_all()

    async def _take_worker(self, owner: str) -> "_Worker":
        """Where there are as many as may be, the one that was idle longest makes room, as soon as one is."""
        async with self._idle:
            while owner not in self._workers and len(self._workers) >= MOST_WORKERS:
                idle = next((name for name, one in self._workers.items() if not one.users), None)
                if idle is None:
                    await self._idle.wait()
                else:
                    await self._workers.pop(idle).stop()
            worker = self._workers.get(owner) or _Worker(self._ticks_s, self._longest_wait_s)
            self._workers[owner] = worker
            self._workers.move_to_end(owner)
            worker.users += 1
            return worker


class _Worker:
    """One process, one request at a time; `users` are those that ask, or are about to."""

    def __init__(self, ticks_s: Callable[[], float], longest_wait_s: float) -> None:
        self._ticks_s = ticks_s
        self._longest_wait_s = longest_wait_s
        self.users = 0
        self._turn = asyncio.Lock()
        self._process: asyncio.subprocess.Process | None = None
        self._faults: dict[str, int] = {}
        self._rests_until_s: dict[str, float] = {}

    async def ask(self, request: Request) -> Answered | CodecFailure:
        """What the codec answers; a codec whose process had to end again and again is left alone for a while."""
        if self._ticks_s() < self._rests_until_s.get(request.source, 0.0):
            return CodecFailure(CodecFault.RESTING, "the codec's process had to be ended again and again")
        async with self._turn:
            answer = await self._exchange(request)
        if isinstance(answer, CodecFailure):
            self._count_fault(request.source)
        else:
            self._faults.pop(request.source, None)
        return answer

    async def stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with suppress(ProcessLookupError):
            process.kill()
        if process.stdin is not None:
            process.stdin.close()
        await process.communicate()

    async def _exchange(self, request: Request) -> Answered | CodecFailure:
        try:
            async with asyncio.timeout(_START_LIMIT_S):
                process = await self._started()
            async with asyncio.timeout(self._longest_wait_s):
                return await _say(process, request)
        except TimeoutError:
            await self.stop()
            return CodecFailure(CodecFault.TIMED_OUT, f"longer than {self._longest_wait_s:g} s: its process was ended")
        except (OSError, asyncio.IncompleteReadError, msgspec.DecodeError):
            await self.stop()
            return CodecFailure(CodecFault.OUT_OF_MEMORY, "the codec's process ended")
        except BaseException:
            await self.stop()  # an answer that nobody waits for would be taken for that of the next request
            raise

    async def _started(self) -> asyncio.subprocess.Process:
        if self._process is None or self._process.returncode is not None:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-I",
                "-m",
                "parvis.fleet.codecs.worker",
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                env={},  # what the platform knows by its environment is none of a codec's business
            )
            # Its first answer tells that it runs: starting is slow and no fault of the codec.
            await _say(self._process, Request(""))
        return self._process

    def _count_fault(self, source: str) -> None:
        self._faults[source] = self._faults.get(source, 0) + 1
        if self._faults[source] >= _FAULTS_BEFORE_REST:
            del self._faults[source]
            self._rests_until_s = {one: until for one, until in self._rests_until_s.items() if until > self._ticks_s()}
            self._rests_until_s[source] = self._ticks_s() + _REST_S


async def _say(process: asyncio.subprocess.Process, request: Request) -> Answered:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(framed(msgspec.msgpack.encode(request)))
    await process.stdin.drain()
    length = length_of(await process.stdout.readexactly(_HEAD_BYTES))
    if length > LONGEST_MESSAGE_BYTES:
        raise msgspec.DecodeError("too long an answer")
    return _read_answer(await process.stdout.readexactly(length))
