"""Codecs nobody vouches for run in processes of their own."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from parvis.broker.jsonld.contexts import Contexts
from parvis.fleet.codecs.apart import CodecsApart, _Worker
from parvis.fleet.codecs.codec import CodecFailure, CodecFault, Decoded, Downlink
from parvis.fleet.codecs.worker import Request
from parvis.fleet.devices.records import DeviceRecord
from parvis.fleet.model.uplink import Uplink
from parvis.fleet.profiles.profile import load_profile, where_codecs_run
from parvis.kernel.identity import ADMINISTRATOR, Caller
from tests.fleet.conftest import Village

ECHO = """
function decodeUplink(i) { if (i.bytes[0] === 66) while (true) {} return {data: {v: i.bytes[0]}, warnings: ["w"]}; }
function encodeDownlink(i) { return {fPort: 2, bytes: [i.data.v]}; }
"""
PROFILE = """
attribute = []
[profile]
id = "brought"
name = "Brought by a tenant"
entity_type = "DeviceMeasurement"
tenant = "village"
"""


def frames(*firsts: int) -> list[Uplink]:
    return [Uplink("0101", bytes([first]), 1, 0, 0) for first in firsts]


@pytest.fixture
async def apart() -> AsyncIterator[CodecsApart]:
    apart = CodecsApart()
    yield apart
    await apart.close()


def worker_of(apart: CodecsApart, owner: str) -> _Worker:
    return apart._workers[owner]


async def test_frames_are_decoded_and_commands_encoded_as_in_the_process_itself(apart: CodecsApart) -> None:
    results = await apart.decode("village", ECHO, frames(1, 66, 2))
    assert results[0] == Decoded({"v": 1}, ("w",))
    assert isinstance(results[1], CodecFailure)
    assert results[1].fault is CodecFault.TIMED_OUT
    assert results[2] == Decoded({"v": 2}, ("w",))
    assert await apart.encode_downlink("village", ECHO, {"v": 9}) == Downlink(2, b"\x09")
    many = await apart.decode("village", ECHO, frames(*[5] * 150))
    assert many == [Decoded({"v": 5}, ("w",))] * 150


async def test_a_result_that_cannot_be_carried_fails_its_frame_only(apart: CodecsApart) -> None:
    source = "function decodeUplink(i) { return {data: {v: i.bytes[0] === 9 ? 1e20 : 1}}; }"
    results = await apart.decode("village", source, frames(1, 9, 2))
    assert [isinstance(one, Decoded) for one in results] == [True, False, True]
    assert isinstance(results[1], CodecFailure)
    assert results[1].fault is CodecFault.BAD_RESULT


async def test_a_codec_that_cannot_start_fails_its_frames_only(apart: CodecsApart) -> None:
    (result,) = await apart.decode("village", "function (", frames(1))
    assert isinstance(result, CodecFailure)
    assert "SyntaxError" in result.detail
    assert await apart.decode("village", ECHO, frames(3)) == [Decoded({"v": 3}, ("w",))]


async def test_a_process_that_hangs_is_killed_and_another_takes_its_place(apart: CodecsApart) -> None:
    await apart.decode("village", ECHO, frames(1))
    worker = worker_of(apart, "village")
    worker._longest_wait_s = 0.3
    assert worker._process is not None
    os.kill(worker._process.pid, signal.SIGSTOP)  # as an engine that no limit reaches any more
    others = asyncio.create_task(apart.decode("town", ECHO, frames(4)))
    (result,) = await apart.decode("village", ECHO, frames(1))
    assert isinstance(result, CodecFailure)
    assert result.fault is CodecFault.TIMED_OUT
    assert await others == [Decoded({"v": 4}, ("w",))]
    assert await apart.decode("village", ECHO, frames(2)) == [Decoded({"v": 2}, ("w",))]


async def test_a_process_that_dies_is_told_and_another_takes_its_place(apart: CodecsApart) -> None:
    await apart.decode("village", ECHO, frames(1))
    process = worker_of(apart, "village")._process
    assert process is not None
    process.kill()
    await process.wait()
    assert await apart.decode("village", ECHO, frames(2)) == [Decoded({"v": 2}, ("w",))]


async def test_no_other_tenants_devices_use_what_a_tenant_brought(village: Village) -> None:
    folder = village.data_dir / "profiles" / "brought"
    folder.mkdir()
    (folder / "profile.toml").write_text(PROFILE)
    (folder / "codec.js").write_text(ECHO)
    await village.store.add_tenant("village")
    fleet = village.reopened()
    for tenant in ("default", "village"):
        caller = Caller(tenant, "admin", ADMINISTRATOR)
        await fleet.register(caller, [DeviceRecord("70b3d5e75e000001", "brought", "urn:ngsi-ld:DeviceMeasurement:1")])
    assert fleet.registry.find("default", "70b3d5e75e000001") is None
    assert fleet.registry.find("village", "70b3d5e75e000001") is not None


async def test_a_codec_whose_process_ends_again_and_again_rests() -> None:
    now_s = [100.0]
    worker = _Worker(lambda: now_s[0], 1.0)
    for _ in range(3):
        worker._count_fault(ECHO)
    answer = await worker.ask(Request(ECHO))
    assert isinstance(answer, CodecFailure)
    assert answer.fault is CodecFault.RESTING
    now_s[0] += 61
    assert not isinstance(await worker.ask(Request(ECHO)), CodecFailure)
    await worker.stop()


async def test_there_are_never_many_processes(apart: CodecsApart) -> None:
    for owner in ("a", "b", "c", "d", "e"):
        await apart.decode(owner, ECHO, frames(1))
    assert list(apart._workers) == ["b", "c", "d", "e"]


async def test_many_owners_at_once_take_turns(apart: CodecsApart) -> None:
    asked = [apart.decode(f"owner {n % 6}", ECHO, frames(n)) for n in range(18)]
    assert await asyncio.gather(*asked) == [[Decoded({"v": n}, ("w",))] for n in range(18)]
    assert len(apart._workers) == 4
    assert all(not worker.users for worker in apart._workers.values())


async def test_the_process_can_open_nothing_and_knows_nothing(
    apart: CodecsApart, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARVIS_STORE_URL", "postgresql://secret")
    await apart.decode("village", ECHO, frames(1))
    process = worker_of(apart, "village")._process
    assert process is not None
    here = Path("/proc") / str(process.pid)
    assert b"PARVIS" not in (here / "environ").read_bytes()
    limits = (here / "limits").read_text()
    assert {line[:26].strip(): line[26:].split()[:2] for line in limits.splitlines()[1:]}["Max open files"] == [
        "3",
        "3",
    ]
    assert sorted(one.name for one in (here / "fd").iterdir()) == ["0", "1", "2"]


async def test_the_codec_of_a_profile_that_a_tenant_brought_never_runs_in_the_platform(
    tmp_path: Path, apart: CodecsApart
) -> None:
    folder = tmp_path / "brought"
    folder.mkdir()
    (folder / "profile.toml").write_text(PROFILE)
    (folder / "codec.js").write_text(ECHO)
    expand = Contexts().parvis.expand
    profile = load_profile(folder, expand, where_codecs_run("brought", apart))
    assert profile.codec is None
    assert await profile.decode(frames(7)) == [Decoded({"v": 7}, ("w",))]
    assert await profile.encode_downlink({"v": 7}) == Downlink(2, b"\x07")
    assert list(apart._workers) == ["village"]
    assert load_profile(folder, expand, where_codecs_run("none", apart)).codec is not None
