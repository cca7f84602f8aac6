"""The whole process in the test's own: a real port, real HTTP, a real store."""

import asyncio
import resource
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import httpx
import pytest
from prometheus_client import CollectorRegistry
from starlette.responses import PlainTextResponse

from parvis.access.access import COMMAND_LINE
from parvis.bootstrap import open_platform
from parvis.bootstrap.stores import DataInUse, NotOpened, Opening
from parvis.kernel.settings import InvalidSettings, Settings
from parvis.kernel.settings_reader import load_settings
from parvis.stores.sqlite.store import SqliteStore
from parvis.stores.sqlite.writer import StoreFailed
from parvis.web.health import Doorstep
from parvis.web.server import Running, allow_many_connections, serving
from parvis.web.siblings import Exposition, Siblings
from parvis.web.sockets import AddressTaken, bind
from tests.fakes.terms import PARVIS_TERMS

BUILDING = {"id": "urn:ngsi-ld:Building:hall", "type": "Building", "name": {"type": "Property", "value": "Hall"}}


def settings(directory: Path, **more: object) -> Settings:
    given = {"server.port": 0, "mqtt.port": 0, "access.public_types": ("Building",)}
    return load_settings(directory, {}, given | {name.replace("__", "."): value for name, value in more.items()})


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    async with serving(settings(tmp_path)) as running:
        yield running


async def test_health_readiness_and_counts_need_no_identity(running: Running) -> None:
    async with httpx.AsyncClient(base_url=running.address) as http:
        assert (await http.get("/healthz")).status_code == 200
        assert (await http.get("/readyz")).status_code == 200
        await http.get("/ngsi-ld/v1/entities?type=Building")
        counts = (await http.get("/metrics")).text
    assert 'parvis_http_requests_total{method="GET",status="200"} 1.0' in counts
    for name in ("parvis_uplinks_stored_total", "parvis_store_pending_changes 0.0", "parvis_outbox_newest_event"):
        assert name in counts


async def test_public_entities_are_read_without_signing_in_but_written_by_nobody_unknown(running: Running) -> None:
    _, key = running.platform.access.keys.create(COMMAND_LINE, "test", "operator")
    url = "/ngsi-ld/v1/entities"
    async with httpx.AsyncClient(base_url=running.address) as http:
        refused = await http.post(url, json=BUILDING)
        created = await http.post(url, json=BUILDING, headers={"authorization": f"Bearer {key}", **PARVIS_TERMS})
        read = await http.get(f"{url}/{BUILDING['id']}", headers=PARVIS_TERMS)
    assert refused.status_code == 401
    assert created.status_code == 201
    assert read.json()["name"]["value"] == "Hall"


async def test_what_was_acknowledged_is_there_after_the_next_start(tmp_path: Path) -> None:
    for status in (201, 409):
        async with serving(settings(tmp_path, access__auth=False)) as running, httpx.AsyncClient() as http:
            response = await http.post(running.address + "/ngsi-ld/v1/entities", json=BUILDING)
            assert response.status_code == status


async def test_the_doorstep_asks_for_patience_while_the_territory_is_loaded() -> None:
    doorstep = Doorstep(Exposition((CollectorRegistry(),)))
    paths = ("/healthz", "/readyz", "/console")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(doorstep), base_url="http://parvis.test") as http:
        before = [(await http.get(path)).status_code for path in paths]
        doorstep.app = PlainTextResponse("the console")
        after = [(await http.get(path)).status_code for path in paths]
    assert (before, after) == ([200, 503, 503], [200, 200, 200])


async def test_a_platform_whose_store_can_no_longer_write_is_not_ready(running: Running) -> None:
    writer = cast(SqliteStore, running.platform.broker.outbox)._writer
    async with httpx.AsyncClient(base_url=running.address) as http:
        assert (await http.get("/readyz")).status_code == 200
        with pytest.raises(StoreFailed):
            await writer.run(lambda connection: connection.close())  # as a lost disk would: not even a rollback works
        await asyncio.to_thread(writer._thread.join)
        answers = {path: await http.get(path) for path in ("/healthz", "/readyz")}
    assert answers["/healthz"].status_code == 200
    assert answers["/readyz"].status_code == 503
    assert "store: The store can no longer write" in answers["/readyz"].text


_ENDS_BY_ITSELF = """
import asyncio, sys
from pathlib import Path
import uvicorn
from parvis.kernel.settings_reader import load_settings
from parvis.web.server import ServerEnded, run
from tests.fakes.terms import PARVIS_TERMS

async def tick(server, counter):
    raise OSError("no more memory")

async def main(running, end):
    uvicorn.Server.on_tick = tick
    await asyncio.wait_for(end.wait(), 10)

try:
    run(load_settings(Path(sys.argv[1]), {}, {"server.port": 0, "mqtt.port": 0}), main)
except ServerEnded as ended:
    print("ended:", ended.__cause__)
"""


def test_a_server_that_ends_by_itself_ends_the_process(tmp_path: Path) -> None:
    """In a process of its own: the loop of `run` is not the one the tests run on."""
    command = [sys.executable, "-c", _ENDS_BY_ITSELF, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)

    assert "ended: no more memory" in done.stdout
    assert "the server ended by itself" in done.stderr


async def test_a_taken_port_is_said_with_what_to_do(tmp_path: Path) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        with pytest.raises(AddressTaken, match="--port"):
            async with serving(settings(tmp_path, server__port=holder.getsockname()[1])):
                pass
        with pytest.raises(InvalidSettings, match="--mqtt-port"):
            async with serving(settings(tmp_path, mqtt__port=holder.getsockname()[1])):
                pass


async def test_two_processes_cannot_hold_one_data_directory(tmp_path: Path) -> None:
    async with open_platform(settings(tmp_path), listen=False):
        with pytest.raises(DataInUse):
            async with open_platform(settings(tmp_path), listen=False):
                pass
    async with open_platform(settings(tmp_path), listen=False):
        pass


def test_as_many_files_may_be_open_as_the_machine_allows() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, hard))
    try:
        allow_many_connections()
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] > 1024
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("exposed", [{"server__host": "0.0.0.0"}, {"mqtt__host": "192.0.2.1"}, {"server__host": "::"}])
async def test_without_authentication_nothing_listens_beyond_this_machine(
    tmp_path: Path, exposed: dict[str, str]
) -> None:
    with pytest.raises(InvalidSettings, match="--auth off"):
        async with serving(settings(tmp_path, access__auth=False, **exposed)):
            pass


async def test_a_start_before_the_database_answers_waits_and_says_why(tmp_path: Path, free_port: int) -> None:
    absent = settings(tmp_path, store__url=f"postgresql://nobody:secret@127.0.0.1:{free_port}/none", server__port=0)
    siblings, opening = Siblings(http=bind(absent.server)), Opening()
    assert siblings.http is not None
    address = f"http://127.0.0.1:{siblings.http.getsockname()[1]}"
    async with httpx.AsyncClient(base_url=address) as http:
        start = asyncio.create_task(_serve_once(absent, opening, siblings))
        while not opening.reason:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        healthy, ready = await http.get("/healthz"), await http.get("/readyz")
        opening.given_up.set()
        with pytest.raises(NotOpened):
            await start
    assert (healthy.status_code, ready.status_code) == (200, 503)
    assert "PostgreSQL does not answer" in ready.text
    assert "secret" not in ready.text


async def _serve_once(settings: Settings, opening: Opening, siblings: Siblings) -> None:
    async with serving(settings, opening=opening, siblings=siblings):
        raise AssertionError("there is no database")


async def test_links_read_the_same_in_parvis_own_terms(running: Running) -> None:
    _, key = running.platform.access.keys.create(COMMAND_LINE, "test", "operator")
    async with httpx.AsyncClient(base_url=running.address) as http:
        await http.post(
            "/ngsi-ld/v1/entities", json=BUILDING, headers={"authorization": f"Bearer {key}", **PARVIS_TERMS}
        )
        read = await http.get(f"/data/v1/entities?type={BUILDING['type']}&format=simplified&limit=1&count=true")
        written = await http.post("/data/v1/entities", json=BUILDING, headers={"authorization": f"Bearer {key}"})
    assert read.json()[0]["name"] == "Hall"
    assert written.status_code in (404, 405)
