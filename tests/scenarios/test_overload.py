"""A crowd that never waits: refused in words, nothing accepted is lost (`benchmarks/overload.py` measures a minute)."""

from pathlib import Path

import pytest

from benchmarks.harness.platform import serving
from benchmarks.overload import MOST_GROWTH, overload

SECONDS = 3.0


@pytest.mark.slow
async def test_a_crowd_is_refused_with_a_time_to_come_back_and_loses_nothing(tmp_path: Path) -> None:
    with serving(tmp_path) as served:
        verdict = await overload(served, SECONDS)
    assert verdict.is_whole, verdict
    assert verdict.without_retry_after == 0
    assert set(verdict.statuses) <= {201, 204, 429, 503}
    assert verdict.refused > 0, f"it was no overload: {verdict}"
    assert verdict.growth < MOST_GROWTH, verdict
    print(verdict)
