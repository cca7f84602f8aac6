"""The command on a small checkout of our own, with a real Robot Framework and real instances."""

import contextlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import click.testing
import pytest

from parvis.cli import conformance as command
from parvis.conformance import defects
from parvis.conformance.defects import Defect
from parvis.conformance.mqtt import find_mosquitto
from parvis.conformance.report import JSON_FILE, PAGE_FILE
from tests import system_tools

CHECKOUT = Path(__file__).parent / "checkout"


@pytest.fixture(autouse=True)
def _robot() -> None:
    if importlib.util.find_spec("robot") is None:
        system_tools.refuse("robotframework")


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    """A copy: Robot Framework leaves byte code beside libraries that it reads from another folder."""
    return Path(shutil.copytree(CHECKOUT, tmp_path / "checkout"))


def run(suite: Path, out: Path, *words: str) -> click.testing.Result:
    return click.testing.CliRunner().invoke(command.conformance, ["--suite", str(suite), "--out", str(out), *words])


def cases(out: Path, group: str) -> dict[str, str]:
    report = json.loads((out / JSON_FILE).read_text())
    return {case["id"]: case["status"] for one in report["groups"] if one["group"] == group for case in one["cases"]}


def test_it_tells_what_passes_what_fails_and_what_the_standard_contradicts(
    suite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known: Sequence[Defect] = [Defect("900_01_03", "5.7.1", "The clause says <otherwise>.")]
    monkeypatch.setattr(command, "documented_defects", lambda: known)
    out = tmp_path / "out"

    ended = run(suite, out, "--robot-option=--suite=900_01", "CommonBehaviours")

    assert ended.exit_code == 1, ended.output
    assert cases(out, "CommonBehaviours") == {
        "900_01_01": "PASS",
        "900_01_02": "FAIL",
        "900_01_03": "FAIL",
        "900_01_04": "SKIP",
    }
    score = json.loads((out / JSON_FILE).read_text())["score"]
    assert (score["passed"], score["total"], score["setApart"], score["corrected"]) == (1, 4, 1, 0.3333)
    page = (out / PAGE_FILE).read_text()
    assert "&lt;b&gt;nothing&lt;/b&gt; holds" in page
    assert "The clause says &lt;otherwise&gt;." in page
    assert "5.7.1" in page

    robot = suite / "TP/NGSI-LD/CommonBehaviours/900_01.robot"
    robot.write_text(robot.read_text().replace("Fail    a defect", "Log    as it should be"))
    again = run(suite, out, "--robot-option=--suite=900_01", "CommonBehaviours")
    assert [line for line in again.output.splitlines() if " before, " in line] == [
        "FAIL before, PASS now: 900_01_03 What The Standard Does Not Ask For (TP/NGSI-LD/CommonBehaviours/900_01.robot)"
    ]


def test_groups_have_instances_of_their_own_and_the_share_decides(suite: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"

    ended = run(
        suite,
        out,
        "--at-least",
        "0.2",
        "--store",
        "memory",
        "CommonBehaviours",
        "IOP",
        "--robot-option=--exclude=5_7_1",
    )

    assert ended.exit_code == 0, ended.output
    assert cases(out, "IOP") == {"IOP_900_03_01": "PASS"}
    if find_mosquitto() is not None:
        assert cases(out, "CommonBehaviours")["900_02_01"] == "PASS"
    assert sorted(path.name for path in (out / "IOP").glob("parvis-*.log")) == [f"parvis-{n}.log" for n in range(1, 6)]
    assert list(suite.rglob("__pycache__")) == []


def test_on_postgresql_each_instance_has_a_database_that_is_gone_afterwards(
    suite: Path, tmp_path: Path, postgresql: str
) -> None:
    import psycopg

    ended = run(suite, tmp_path / "out", "--store", postgresql, "--robot-option=--test=900_01_01*", "CommonBehaviours")

    assert cases(tmp_path / "out", "CommonBehaviours") == {"900_01_01": "PASS"}, ended.output
    with psycopg.connect(postgresql) as server:
        left = server.execute("SELECT datname FROM pg_database WHERE datname LIKE 'parvis_conformance_%'").fetchall()
    assert left == []
    assert postgresql not in (tmp_path / "out" / JSON_FILE).read_text()


def test_a_group_that_this_checkout_lacks_and_one_that_takes_too_long_are_faults(suite: Path, tmp_path: Path) -> None:
    (suite / "TP/NGSI-LD/jsonldContext").mkdir()
    (suite / "TP/NGSI-LD/jsonldContext/1.robot").write_text("*** Test Cases ***\nSlow\n    Sleep    60s\n")

    ended = run(suite, tmp_path / "out", "--at-least", "0", "--timeout", "1", "Snapshot", "jsonldContext")

    assert ended.exit_code == 1
    assert "This checkout has no tests of this group." in ended.output
    assert "had not ended after 1 s" in ended.output


def test_who_is_told_to_end_leaves_nothing_running(suite: Path, tmp_path: Path) -> None:
    (suite / "TP/NGSI-LD/jsonldContext").mkdir()
    (suite / "TP/NGSI-LD/jsonldContext/1.robot").write_text("*** Test Cases ***\nSlow\n    Sleep    60s\n")
    console = tmp_path / "out/jsonldContext/console.txt"
    words = ["--suite", str(suite), "--out", str(tmp_path / "out"), "jsonldContext"]
    command_line = [sys.executable, "-m", "parvis", "conformance", *words]
    with subprocess.Popen(command_line, env=os.environ | {"TMPDIR": str(tmp_path)}, stderr=subprocess.PIPE) as process:
        while not console.exists():
            assert process.poll() is None
            time.sleep(0.05)
        process.terminate()
        _, said = process.communicate(timeout=30)

    assert process.returncode == 1
    assert said == b"parvis: Interrupted before the suite had ended.\n"
    assert [line for line in command_lines() if str(tmp_path) in line] == []


def command_lines() -> Iterator[str]:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            yield path.read_text(errors="replace")


def test_what_is_no_checkout_is_said(tmp_path: Path) -> None:
    ended = run(tmp_path, tmp_path / "out")
    assert isinstance(ended.exception, Exception)
    assert "resources/variables.py" in str(ended.exception)


def test_the_packaged_defects_can_be_read() -> None:
    for one in defects.documented_defects():
        assert one.test
        assert one.clause
        assert len(one.reason) > 20
