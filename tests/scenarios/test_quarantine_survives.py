"""What waits of an unknown device is adopted once, in order and whole, however often whoever adopts it is killed."""

import asyncio
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from parvis.bootstrap import open_platform
from parvis.broker.query.tree import TemporalQuery
from tests.scenarios.adopting import CALLER, RECORD, ROOM, frame, settings

FRAMES = 1_000
KILLED_AFTER_S = {"sqlite": (0.0, 0.01, 0.02, 0.05), "postgres": (0.05, 0.1, 0.2, 0.4)}


@pytest.mark.slow
@pytest.mark.parametrize("store", ["sqlite", "postgres"])
async def test_waiting_frames_are_adopted_once_across_kills(
    tmp_path: Path, store: str, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue("postgres_url") if store == "postgres" else ""
    async with open_platform(settings(tmp_path, url), listen=False) as platform:
        for start in range(0, FRAMES, 250):
            await platform.fleet.take(CALLER, [frame(number) for number in range(start, start + 250)])
        (waiting,) = await platform.fleet.list_waiting(CALLER)
        assert waiting.frames == FRAMES

    were_killed = [adopting_is_killed(tmp_path, url, after_s) for after_s in KILLED_AFTER_S[store]]

    if url:
        let_claims_end(url)
    async with open_platform(settings(tmp_path, url), listen=False) as platform:
        await platform.fleet.register(CALLER, [RECORD])
        async with asyncio.timeout(20):
            while await platform.fleet.list_waiting(CALLER):  # noqa: ASYNC110 (its own sweep may be at it)
                await asyncio.sleep(0.05)
        assert await platform.fleet.list_refusals(CALLER) == []
        history = await platform.broker.history(CALLER, ROOM, TemporalQuery(last_n=10 * FRAMES))
        (values,) = history.instances.values()
        assert [one.observed_at for one in values] == [frame(number).received_at for number in range(FRAMES)]
    assert any(were_killed), "every process was done before it was killed"


def let_claims_end(url: str) -> None:
    """As a minute does."""
    with psycopg.connect(url) as connection:
        connection.execute("SELECT set_config('parvis.tenant', '0', true)")
        connection.execute("UPDATE refusal SET claimed_until = '-infinity'")


def adopting_is_killed(data_dir: Path, url: str, after_s: float) -> bool:
    """Whether the process was in the middle of it."""
    command = [sys.executable, "-m", "tests.scenarios.adopting", str(data_dir), url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        time.sleep(after_s)
        process.kill()
        return "done" not in process.stdout.read()
