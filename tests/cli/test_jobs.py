"""`parvis jobs`, beside a running platform and without one."""

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from parvis.cli import commands
from parvis.cli.jobs import NOT_DONE
from parvis.kernel.jobs import Failed
from parvis.stores.sqlite.jobs import opened_queue
from parvis.stores.sqlite.store import SqliteStore
from tests.cli.test_processes import parvis


def call(data: Path, *words: object) -> Result:
    return CliRunner().invoke(commands, ["jobs", str(words[0]), "--data", str(data), *map(str, words[1:])])


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory in which Parvis was started once."""

    async def start_once() -> None:
        await (await SqliteStore.open(tmp_path / "parvis.db")).close()

    asyncio.run(start_once())
    return tmp_path


def test_a_running_platform_does_what_is_asked_for(tmp_path: Path) -> None:
    with parvis("up", "--data", tmp_path, "--port", 0, "--mqtt-port", 0, "--auth", "off"):
        done = call(tmp_path, "run", "store.check", "--wait")
        assert (done.exit_code, done.output) == (0, "Job 1 is waiting.\nJob 1 is done.\n")
        listed = call(tmp_path, "list", "--state", "done").output
        assert listed.split()[:4] == ["1", "done", "100%", "1/1"]
        assert listed.split()[-1] == "store.check"
        told = json.loads(call(tmp_path, "show", 1).output)
        assert told["state"] == "done"
        assert told["result"]["bytes"] > 0
        assert told["created_by"] == "system:command-line"
        assert [one["outcome"] for one in told["attempts"]] == ["done"]


def test_without_a_platform_jobs_wait_and_can_be_cancelled(data: Path) -> None:
    assert call(data, "run", "jobs.prune").output == "Job 1 is waiting.\n"
    assert call(data, "cancel", 1).output == "Job 1 is cancelled.\n"
    assert call(data, "retry", 1).output == "Job 1 is waiting.\n"
    assert "There are no such jobs." in call(data, "list", "--kind", "store.check").output


async def break_the_next(path: Path) -> None:
    """Whoever waits for the next check hears that it failed."""
    with opened_queue(path) as queue:
        for _ in range(500):
            if (claimed := await queue.claim("test", {"store.check": 0}, 30)) is not None:
                await queue.end(claimed.run, Failed("faults-found\nrow 7 is missing"))
                return
            await asyncio.sleep(0.02)


def test_a_job_that_was_not_done_shows_in_the_exit_code(data: Path) -> None:
    with ThreadPoolExecutor(1) as thread:
        breaking = thread.submit(asyncio.run, break_the_next(data / "parvis.db"))
        result = call(data, "run", "store.check", "--wait")
        breaking.result()
    assert result.exit_code == NOT_DONE
    assert result.output.endswith("Job 1 is failed. faults-found\nrow 7 is missing\n")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("show", 4711), "There is no job 4711."),
        (("run", "nothing"), "There is no kind of job 'nothing'."),
        (("run", "store.check", "--tenant", "nowhere"), "concern all tenants"),
        (("run", "store.check", "-a", "novalue"), "is not NAME=VALUE"),
    ],
)
def test_what_cannot_be_done_is_a_sentence(data: Path, words: tuple[object, ...], sentence: str) -> None:
    result = call(data, *words)
    assert result.exit_code != 0
    assert sentence in (result.output + str(result.exception))


def test_where_there_is_no_store_it_is_said(tmp_path: Path) -> None:
    result = call(tmp_path, "list")
    assert "There is no store" in str(result.exception)
    assert list(tmp_path.iterdir()) == []
