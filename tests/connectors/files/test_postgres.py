"""The same on PostgreSQL: the step that moves the consumer is in the transaction that writes."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from parvis.bootstrap import Platform, open_platform
from parvis.connectors.files import passage
from parvis.connectors.files.imports import IMPORT, UNDO, Imports
from parvis.kernel.jobs import JobState
from parvis.kernel.settings import AccessSettings, MqttSettings, Settings, StoreSettings
from tests.connectors.files.test_imports import BINS, count, done, received, told
from tests.connectors.files.test_imports import imports as imports


@pytest.fixture
async def platform(tmp_path: Path, postgres_url: str) -> AsyncIterator[Platform]:
    given = Settings(
        tmp_path / "data",
        access=AccessSettings(auth=False),
        mqtt=MqttSettings(enabled=False),
        store=StoreSettings(url=postgres_url),
    )
    async with open_platform(given, listen=False) as platform, platform.jobs.running():
        yield platform


@pytest.mark.parametrize("is_committed", [False, True])
async def test_a_step_that_was_broken_off_is_done_once(
    platform: Platform, tmp_path: Path, imports: Imports, monkeypatch: pytest.MonkeyPatch, is_committed: bool
) -> None:
    monkeypatch.setattr(passage, "BATCH", 2)
    one = received(
        imports, tmp_path, BINS, "ref,place,size\n" + "".join(f"{number},,{number}\n" for number in range(9))
    )
    write, writes = platform.broker.write, 0

    async def dying(*args: object) -> object:
        nonlocal writes
        writes += 1
        if writes != 3:
            return await write(*args)  # type: ignore[arg-type]
        if is_committed:
            await write(*args)  # type: ignore[arg-type]
        raise RuntimeError("killed")

    monkeypatch.setattr(platform.broker, "write", dying)
    one, job = await done(imports, one, IMPORT)

    assert (job.state, job.attempt) == (JobState.DONE, 2), job.error
    assert job.result["verdicts"] == {"created": 9}
    assert [line["row"] for line in told(imports, one)] == [str(number) for number in range(2, 11)]
    assert await count(platform.broker) == 9
    monkeypatch.setattr(platform.broker, "write", write)
    _, undone = await done(imports, one, UNDO)
    assert undone.result == {"entities": 9, "series": 0, "kept": 0}
    assert await count(platform.broker) == 0
