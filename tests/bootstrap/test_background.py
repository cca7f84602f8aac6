"""What runs beside the requests goes on, whatever happens to it once."""

import asyncio

import pytest

from parvis.bootstrap import again_and_again


async def test_work_that_fails_begins_again_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    begun = 0

    async def work() -> None:
        nonlocal begun
        begun += 1
        if begun < 3:
            raise ValueError("nobody expected this")

    async with asyncio.timeout(5):
        await again_and_again(work, "follows", pause_s=0)
    assert begun == 3
    assert caplog.text.count("failed and begins again") == 2


async def test_it_ends_when_it_is_cancelled() -> None:
    running = asyncio.create_task(again_and_again(asyncio.Event().wait, "waits"))  # type: ignore[arg-type]
    await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
