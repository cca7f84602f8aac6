"""Who is killed takes its processes along: those that remember and draw, busy or idle, and the devices'."""

import signal
import subprocess
import sys
import time
from pathlib import Path

ENDS_WITHIN_S = 10.0
PARENT = """
import os, sys, time
import subprocess
from parvis.demo.picture.atelier import Atelier
from parvis.demo.remembering import start_process

idle, busy, atelier = start_process(0), start_process(2), Atelier(7)
pids = [idle.submit(os.getpid).result(), busy.submit(os.getpid).result(), atelier.hired().submit(os.getpid).result()]
busy.submit(time.sleep, 600)
words = ["-m", "parvis.demo.play.player", "--on-cue", "--folder", sys.argv[1], "--port", "9"]
player = subprocess.Popen([sys.executable, *words], stdin=subprocess.PIPE, start_new_session=True)
print(*pids, player.pid, flush=True)
time.sleep(600)
"""


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_nothing_stays_behind_a_parent_that_was_killed(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT, tmp_path], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        children = [int(pid) for pid in parent.stdout.readline().split()]
        assert len(children) == 4
        assert all(map(is_alive, children))
        parent.send_signal(signal.SIGKILL)

    deadline = time.monotonic() + ENDS_WITHIN_S
    while time.monotonic() < deadline and any(map(is_alive, children)):
        time.sleep(0.05)
    assert [pid for pid in children if is_alive(pid)] == []
