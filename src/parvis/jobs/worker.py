"""The inside of a worker process: `python -m parvis.jobs.worker`, told on its standard input what to do.

Within its limits from the first line of foreign code on; it ends when the platform does, however that ends.
"""

import ctypes
import importlib
import os
import resource
import signal
import sys
import threading
import time
import traceback
from collections.abc import Mapping
from typing import Any, BinaryIO

import msgspec

from parvis.jobs.messages import LONGEST_LINE, Answer, Failure, Progress, Result, Start, storable
from parvis.kernel.jobs import LONGEST_ERROR, LONGEST_MESSAGE, WorkFailed

NICENESS = 10
OUT_OF_MEMORY = "out-of-memory"
RESULT_TOO_LARGE = "result-too-large"
_TELL_EVERY_S = 0.2
_PR_SET_PDEATHSIG = 1


class Context:
    """The JobContext of work in a worker process. It is never asked to stop: its process is ended."""

    cancelled = False

    def __init__(self, start: Start, answers: BinaryIO) -> None:
        self.tenant = start.tenant
        self.arguments: Mapping[str, Any] = start.arguments
        self.attempt = start.attempt
        self._answers = answers
        self._told_at_s = 0.0

    def report(self, progress: float, message: str = "") -> None:
        now_s = time.monotonic()
        if now_s - self._told_at_s >= _TELL_EVERY_S:
            self._told_at_s = now_s
            tell(self._answers, Progress(min(1.0, max(0.0, progress)), storable(message, LONGEST_MESSAGE)))


def tell(answers: BinaryIO, answer: Answer) -> None:
    line = msgspec.json.encode(answer) + b"\n"
    if len(line) > LONGEST_LINE:
        line = msgspec.json.encode(Failure(RESULT_TOO_LARGE, is_final=True)) + b"\n"
    answers.write(line)
    answers.flush()


def run(start: Start, answers: BinaryIO) -> None:
    try:
        module, _, name = start.function.partition(":")
        function = getattr(importlib.import_module(module), name)
        tell(answers, Result(function(Context(start, answers))))
    except MemoryError:
        tell(answers, Failure(OUT_OF_MEMORY))
    except WorkFailed as failure:
        tell(answers, Failure(storable(failure.detail, LONGEST_ERROR), is_final=True))
    except Exception:
        tell(answers, Failure(storable(traceback.format_exc()[-LONGEST_ERROR:], LONGEST_ERROR)))


def keep_within(memory_mb: int, cpu_s: int) -> None:
    """Where the system allows less, that counts."""
    os.nice(NICENESS)
    limits = (
        (resource.RLIMIT_AS, memory_mb << 20, memory_mb << 20),
        (resource.RLIMIT_CPU, cpu_s, cpu_s + 1),
        (resource.RLIMIT_CORE, 0, 0),
    )
    for what, soft, hard in limits:
        _, allowed = resource.getrlimit(what)
        most = hard if allowed == resource.RLIM_INFINITY else min(hard, allowed)
        resource.setrlimit(what, (min(soft, most), most))


def end_with_the_platform() -> None:
    """By the kernel where it can (Linux); everywhere else when the standard input ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)

    def wait() -> None:
        sys.stdin.buffer.read(1)
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def main() -> None:
    """What the work prints goes to the standard error: the standard output is for answers."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    try:
        start = msgspec.json.decode(sys.stdin.buffer.readline(), type=Start)
        sys.path[:] = start.import_path
        end_with_the_platform()
        keep_within(start.memory_mb, start.cpu_s)
        run(start, answers)
    except BaseException:
        os.write(2, traceback.format_exc().encode("utf-8", "replace"))
        os._exit(1)
    os._exit(0)


if __name__ == "__main__":
    main()
