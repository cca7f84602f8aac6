"""What waits of an unknown device is adopted once, in order and whole, however often whoever adopts it is killed."""

import random
import subprocess
import sys
import time
from pathlib import Path

from parvis.bootstrap import open_platform
from parvis.broker.query.tree import TemporalQuery
from tests.scenarios.adopting import CALLER, ROOM, frame, settings

FRAMES = 1_000
KILLS = 4


async def test_waiting_frames_are_adopted_once_across_kills(tmp_path: Path) -> None:
    async with open_platform(settings(tmp_path), listen=False) as platform:
        for start in range(0, FRAMES, 250):
            await platform.fleet.take(CALLER, [frame(number) for number in range(start, start + 250)])
        (waiting,) = await platform.fleet.list_waiting(CALLER)
        assert waiting.frames == FRAMES

    source = random.Random(4)
    were_killed = [adopting_is_killed(tmp_path, source.uniform(0.0, 0.25)) for _ in range(KILLS)]

    async with open_platform(settings(tmp_path), listen=False) as platform:
        await platform.fleet.held.sweep()
        assert await platform.fleet.list_waiting(CALLER) == []
        assert await platform.fleet.list_refusals(CALLER) == []
        history = await platform.broker.history(CALLER, ROOM, TemporalQuery(last_n=10 * FRAMES))
        (values,) = history.instances.values()
        assert [one.observed_at for one in values] == [frame(number).received_at for number in range(FRAMES)]
    assert any(were_killed), "every process was done before it was killed"


def adopting_is_killed(data_dir: Path, after_s: float) -> bool:
    """Whether the process was in the middle of it."""
    command = [sys.executable, "-m", "tests.scenarios.adopting", str(data_dir)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        time.sleep(after_s)
        process.kill()
        return "done" not in process.stdout.read()
