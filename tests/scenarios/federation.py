"""Nodes of a federation: each an installation of its own, in a process of its own, with keys."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import httpx

from tests.system_tools import free_port

ROOT: Final = Path(__file__).resolve().parents[2]
STOP_WITHIN_S: Final = 30
TERMS: Final = '<https://parvis.eu/ngsi-ld/context/v1.jsonld>; rel="http://www.w3.org/ns/json-ld#context"'
Document = dict[str, Any]


class Node:
    """It has the same address after each start. `allow` are the networks whose brokers it may call."""

    def __init__(self, folder: Path, store: str, allow: str) -> None:
        self._folder, self._store = folder, store
        self._port = free_port()
        self._process: subprocess.Popen[str] | None = None
        self.address = f"http://127.0.0.1:{self._port}"
        folder.mkdir(parents=True)
        (folder / "territory.toml").write_text(allow, encoding="utf-8")

    def key(self, label: str, role: str) -> str:
        """A new one, as `parvis api-key create` prints it."""
        made = self._parvis("api-key", "create", "--label", label, "--role", role)
        printed, _ = made.communicate(timeout=STOP_WITHIN_S)
        return printed.split()[-1]

    def client(self, key: str) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            base_url=f"{self.address}/ngsi-ld/v1",
            headers={"Authorization": f"Bearer {key}", "Link": TERMS},
            trust_env=False,
            timeout=20,
        )

    def start(self) -> None:
        """Return once it serves."""
        port = str(self._port)
        self._process = self._parvis("up", "--port", port, "--mqtt-port", "0", "--log-level", "warning")
        assert self._process.stdout is not None
        told = []
        for line in self._process.stdout:
            told.append(line)
            if re.search(r"Parvis is at http", line):
                return
        raise AssertionError("".join(told))

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate(timeout=STOP_WITHIN_S)
            self._process = None

    def _parvis(self, *command: str) -> "subprocess.Popen[str]":
        mine = {name: value for name, value in os.environ.items() if not name.startswith("PARVIS_")}
        mine |= {"PYTHONUNBUFFERED": "1", "PARVIS_STORE_URL": self._store}
        return subprocess.Popen(
            [sys.executable, "-m", "parvis", *command, "--data", str(self._folder)],
            cwd=ROOT,
            env=mine,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
