"""How to be told of changes: what the page tells people to type works as typed."""

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests import system_tools
from tests.cli.test_processes import address_of, parvis
from tests.docs.test_howto import blocks, run_parvis, typed

PAGE = "subscribe.md"
PARVIS, RECEIVER = "http://127.0.0.1:8080", "9000"


@contextmanager
def receiver(port: int) -> Iterator[subprocess.Popen[str]]:
    (script,) = blocks(PAGE, "python")
    command = [sys.executable, "-c", script.replace(RECEIVER, str(port))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        yield process
        process.kill()


def curl_lines() -> list[str]:
    text = (Path(__file__).resolve().parents[2] / "docs/howto" / PAGE).read_text(encoding="utf-8")
    return re.findall(r"^ {4}(curl .*)$", text, re.MULTILINE)


def test_the_page_as_typed(tmp_path: Path) -> None:
    """Subscribe, write twice, be told once, change, end."""
    (settings,), (document,) = blocks(PAGE, "toml"), blocks(PAGE, "json")
    port = system_tools.free_port()
    data = tmp_path / "data"
    data.mkdir()
    (data / "territory.toml").write_text(settings, encoding="utf-8")
    (tmp_path / "full-bins.json").write_text(document.replace(RECEIVER, str(port)), encoding="utf-8")
    _, *words = shlex.split(typed(PAGE, ".venv/bin/parvis api-key"))
    key = run_parvis(tmp_path, *words).strip().split()[-1]
    up = ("up", "--data", data, "--port", 0, "--mqtt-port", 0)
    with receiver(port) as printing, parvis(*up) as (process, lines):
        address = address_of(lines)

        def type_in(line: str) -> None:
            command = shlex.split(line.replace("KEY", key).replace(PARVIS, address))
            run = subprocess.run(
                [*command, "--fail-with-body"], cwd=tmp_path, capture_output=True, text=True, check=False
            )
            assert run.returncode == 0, run.stdout + run.stderr

        *first, patch, delete = curl_lines()
        for line in first:
            type_in(line)
        assert printing.stdout is not None
        notification: dict[str, Any] = json.loads(printing.stdout.readline())
        type_in(patch)
        type_in(delete)
        process.terminate()
        assert process.wait(10) == 0

    assert notification["subscriptionId"] == json.loads(document)["id"]
    [bin_] = notification["data"]
    assert bin_["fillingLevel"] == {"value": 0.9, "previousValue": 0.3}
