"""`parvis up` with a second door that asks nobody who they are: the same process and the same store, to be compared.

There is no such door in Parvis: it is built here, in front of the very broker that the first one serves.
"""

import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import uvicorn
from starlette.types import Scope

from benchmarks.harness.platform import Served, free_port, stop
from parvis.access.access import COMMAND_LINE, Access
from parvis.access.roles.model import Assignment
from parvis.broker.api.app import NgsiLdApi
from parvis.cli.options import settings_of
from parvis.kernel.identity import ADMINISTRATOR, DEFAULT_TENANT, Caller
from parvis.web.front import Front
from parvis.web.http import BoundedHttp
from parvis.web.metrics import RequestMetrics
from parvis.web.server import Answering, Crossroads, Running, run
from parvis.web.sockets import bind

_EVERYBODY = Caller(DEFAULT_TENANT, "everyone", ADMINISTRATOR)
_NEVER_TOO_MANY = {"PARVIS_LIMITS_IDENTITY_PER_S": "1000000", "PARVIS_LIMITS_IDENTITY_BURST": "1000000"}
"""Counted all the same: one key sends what many would."""


class Doors(msgspec.Struct, frozen=True):
    """Ports, and keys for the guarded one: of an operator, and of somebody whose role ends at one type of entities."""

    guarded: int
    unguarded: int
    operator: str
    narrow: str


class UnguardedFront(Front):
    """Without authentication, tenants, limits and rights; everything else as it is."""

    def _with_caller(self, scope: Scope, headers: dict[bytes, bytes]) -> Scope:
        scope.setdefault("state", {})["caller"] = _EVERYBODY
        return scope


@contextlib.contextmanager
def two_doors(type_: str) -> Iterator[tuple[Served, Doors]]:
    """Until the block ends."""
    with TemporaryDirectory(prefix="parvis-bench-") as folder:
        process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.harness.two_doors", folder, type_],
            env={**os.environ, **_NEVER_TOO_MANY, "PARVIS_LOG_LEVEL": "warning"},
            stdout=subprocess.PIPE,
        )
        assert process.stdout is not None
        said = process.stdout.readline()
        served = Served(process, 0, 0, Path(folder))
        try:
            doors = msgspec.json.decode(said, type=Doors)
            served = Served(process, doors.unguarded, 0, Path(folder))
            yield served, doors
        finally:
            stop(served)
            process.stdout.close()


def main(folder: str, type_: str) -> None:
    settings = settings_of(Path(folder), port=free_port(), mqtt_port=free_port())

    async def beside(running: Running, end: asyncio.Event) -> None:
        platform, server = running.platform, running.platform.settings.server
        listener = bind(replace(server, port=0))
        api = NgsiLdApi(platform.broker, server.body_limit_bytes)
        front = UnguardedFront(
            Crossroads(api, api), platform.access.gate, RequestMetrics(), server.body_limit_bytes, platform.stopping
        )
        config = uvicorn.Config(
            front, http=BoundedHttp, ws="none", lifespan="off", access_log=False, log_config=None, server_header=False
        )
        answering = Answering(config, listener)
        answering.start()
        doors = Doors(server.port, listener.getsockname()[1], *_keys(platform.access, type_))
        print(msgspec.json.encode(doors).decode(), flush=True)
        await end.wait()
        await answering.stop()
        listener.close()

    run(settings, beside)


def _keys(access: Access, type_: str) -> tuple[str, str]:
    _, operator = access.keys.create(COMMAND_LINE, "an operator", "operator")
    key, narrow = access.keys.create(COMMAND_LINE, "somebody", "resident")
    held = Assignment("", f"key:{key.id}", DEFAULT_TENANT, "domain-manager", 0, types=(type_,))
    access.gate.roles.assign(COMMAND_LINE, held)
    return operator, narrow


if __name__ == "__main__":
    main(*sys.argv[1:])
