"""Heavy work in processes of its own, within its limits, ended with its job."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from parvis.jobs.jobs import Jobs
from parvis.jobs.kinds import Worker
from parvis.jobs.process import run_in_process
from parvis.kernel.identity import ADMINISTRATOR, DEFAULT_TENANT, Caller
from parvis.kernel.jobs import Job, JobState
from tests.jobs.conftest import ended, in_state

ADA = Caller(DEFAULT_TENANT, "account:ada", ADMINISTRATOR)
ROOT = Path(__file__).resolve().parent.parent.parent
GONE_WITHIN_S = 5.0


def work(name: str, **limits: Any) -> Worker:
    return Worker(f"tests.jobs.work:{name}", **limits)


async def outcome(jobs: Jobs, name: str, arguments: dict[str, Any] | None = None, **options: Any) -> Job:
    limits = {key: options.pop(key) for key in ("memory_mb", "cpu_s", "given") if key in options}
    jobs.kind(name, work(name, **limits), **{"attempts": 1, "back_off_s": 0.01, **options})
    async with jobs.running():
        return await ended(jobs, await jobs.submit(ADA, name, arguments or {}))


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def assert_gone(pids: list[int]) -> None:
    deadline = time.monotonic() + GONE_WITHIN_S
    while time.monotonic() < deadline and any(map(is_alive, pids)):
        time.sleep(0.02)
    assert [pid for pid in pids if is_alive(pid)] == []


async def test_a_process_gets_arguments_and_gives_a_result(jobs: Jobs) -> None:
    done = await outcome(jobs, "add", {"numbers": [1, 2]}, given={"numbers": [20, 22]})
    assert done.result == {"sum": 42, "tenant": "default", "attempt": 1}, "what the installation gives comes last"
    assert done.arguments == {"numbers": [1, 2]}


async def test_it_is_another_process_and_a_modest_one(jobs: Jobs) -> None:
    done = await outcome(jobs, "say_where")
    assert done.result["pid"] != os.getpid()
    assert done.result["niceness"] >= 10


@pytest.mark.parametrize(
    ("name", "options", "error"),
    [
        ("eat_memory", {"memory_mb": 256}, "out-of-memory"),
        ("burn", {"cpu_s": 1}, "out-of-cpu-time"),
        ("burn", {"timeout_s": 0.5}, "timed-out"),
        ("crash", {}, "process-died\nsignal 6\nthe solver gave up"),
        ("refuse", {"attempts": 5}, "There is nothing to add."),
        ("answer_too_much", {"attempts": 5}, "result-too-large"),
        ("leave_a_child_behind", {}, "process-died\nsignal 6"),
        ("leave_a_twin_behind", {}, "process-died\nsignal 6"),
        ("name_a_file", {}, "caf?"),
    ],
    ids=["memory", "CPU time", "time", "crash", "of no use", "too long an answer", "a child", "a twin", "a name"],
)
async def test_what_exceeds_its_bounds_fails_clearly(
    jobs: Jobs, name: str, options: dict[str, Any], error: str
) -> None:
    failed = await outcome(jobs, name, **options)
    assert (failed.state, failed.error, failed.attempt) == (JobState.FAILED, error, 1)


async def test_an_error_says_where(jobs: Jobs) -> None:
    failed = await outcome(jobs, "raise_an_error")
    assert failed.error.startswith("Traceback")
    assert failed.error.rstrip().endswith("ValueError: seven is no colour")


async def test_what_is_no_json_says_so(jobs: Jobs) -> None:
    failed = await outcome(jobs, "give_no_json")
    assert failed.error.rstrip().endswith("type object is unsupported")


def test_where_the_system_allows_less_that_counts() -> None:
    code = "import resource; resource.setrlimit(resource.RLIMIT_CPU, (5, 5)); " + ORPHANED.format(
        name="say_where", arguments={}
    ).replace("\n", "; ").strip("; ")
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


async def test_a_crash_is_tried_again(jobs: Jobs) -> None:
    done = await outcome(jobs, "crash_once", attempts=2)
    assert (done.state, done.result, done.attempt) == (JobState.DONE, "second time lucky", 2)


def read_note(path: Path) -> list[int]:
    return [int(pid) for pid in path.read_text().split()] if path.exists() else []


async def noted(path: Path) -> list[int]:
    """The processes of `work.sleep`, once they are there."""
    for _ in range(500):
        if len(pids := read_note(path)) == 2:
            return pids
        await asyncio.sleep(0.02)
    raise TimeoutError(path.name)


async def test_cancelling_ends_the_process_and_what_it_started(jobs: Jobs, tmp_path: Path) -> None:
    note = tmp_path / "pids"
    jobs.kind("sleep", work("sleep"))
    async with jobs.running():
        job = await jobs.submit(ADA, "sleep", {"note": str(note)})
        pids = await noted(note)
        assert all(map(is_alive, pids))
        await jobs.cancel(ADA, job.id)
        assert (await ended(jobs, job)).state is JobState.CANCELLED
        assert_gone(pids)


async def test_stopping_ends_the_process_and_gives_the_job_back(jobs: Jobs, tmp_path: Path) -> None:
    note = tmp_path / "pids"
    jobs.kind("sleep", work("sleep"))
    async with jobs.running():
        job = await jobs.submit(ADA, "sleep", {"note": str(note)})
        pids = await noted(note)
    assert_gone(pids)
    assert (await in_state(jobs, job, JobState.WAITING)).attempts_allowed == 4


async def test_so_many_processes_and_no_more(jobs: Jobs, tmp_path: Path) -> None:
    notes = [tmp_path / "first", tmp_path / "second"]
    jobs.kind("sleep", work("sleep"))
    async with jobs.running():
        first, second = [await jobs.submit(ADA, "sleep", {"note": str(note)}) for note in notes]
        await noted(notes[0])
        assert (await in_state(jobs, second, JobState.WAITING)).attempt == 0
        await jobs.cancel(ADA, first.id)
        await noted(notes[1])


ORPHANED = """
import asyncio, sys
from parvis.jobs.kinds import Worker
from parvis.jobs.process import run_in_process
from tests.jobs.test_process import job
asyncio.run(run_in_process(Worker("tests.jobs.work:{name}"), job({arguments!r}), lambda *told: None))
"""


def job(arguments: dict[str, Any]) -> Job:
    state = JobState.RUNNING
    return Job(1, "t", "k", None, arguments, state, 0, 1, 1, 0, "", None, "", "", 0, 0, None, "a", False)


def test_a_killed_platform_leaves_no_worker_behind(tmp_path: Path) -> None:
    note = tmp_path / "pids"
    code = ORPHANED.format(name="sleep", arguments={"note": str(note)})
    platform = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stderr=subprocess.DEVNULL)
    worker, grandchild = asyncio.run(noted(note))
    platform.kill()
    platform.wait()
    assert_gone([worker])
    os.kill(grandchild, signal.SIGKILL)


async def test_progress_comes_through(tmp_path: Path) -> None:
    told: list[tuple[float, str]] = []
    await run_in_process(work("add"), job({"numbers": []}), lambda *one: told.append(one))
    assert told == [(0.5, "adding")]
