from pathlib import Path

import pytest

from parvis.fleet import refusal, refusals
from parvis.fleet.refusal import Refusal, RefusalReason, Refused
from parvis.fleet.refusals import Refusals
from tests.fleet.conftest import uplink

UNKNOWN = Refused(RefusalReason.UNKNOWN_DEVICE, "nobody")


def make(kept: Refusals, count: int, tenant: str = "default") -> list[Refusal]:
    return [kept.make(tenant, UNKNOWN, uplink(n, 40)) for n in range(count)]


async def test_refusals_survive_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "refused.jsonl"
    kept = Refusals(path)
    made = make(kept, 3)
    await kept.keep(made)
    await kept.resolve("default", [made[1].id])
    assert await Refusals(path).list_refusals("default") == [made[2], made[0]]


async def test_a_line_cut_short_by_a_crash_loses_only_itself(tmp_path: Path) -> None:
    path = tmp_path / "refused.jsonl"
    kept = Refusals(path)
    first, second = make(kept, 2)
    await kept.keep([first])
    with path.open("ab") as file:
        file.write(b'\n{"kept":{"id":5')
    again = Refusals(path)
    await again.keep([second])
    assert await Refusals(path).list_refusals("default") == [second, first]


async def test_only_the_newest_are_kept_in_memory_and_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refusals, "KEPT", 10)
    monkeypatch.setattr(refusals, "_LINES_BEFORE_REWRITE", 40)
    path = tmp_path / "refused.jsonl"
    kept = Refusals(path)
    made = make(kept, 205)
    for start in range(0, 205, 5):
        await kept.keep(made[start : start + 5])
    listed = await kept.list_refusals("default")
    assert 10 <= len(listed) <= 20
    assert listed == made[: -len(listed) - 1 : -1]
    assert len(path.read_bytes().splitlines()) <= 41
    assert (await Refusals(path).list_refusals("default"))[:10] == listed[:10]


async def test_one_chattering_device_does_not_push_out_all_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refusals, "KEPT", 10)
    monkeypatch.setattr(refusals, "MOST_OF_ONE_DEVICE", 4)
    kept = Refusals(None)
    quiet = kept.make("default", UNKNOWN, uplink(1, 40, hardware_id="70b3d5499e0000aa"))
    chatter = make(kept, 20)
    await kept.keep([quiet, *chatter])
    assert await kept.list_refusals("default") == [*reversed(chatter[-4:]), quiet]


async def test_a_huge_message_is_kept_by_its_beginning() -> None:
    kept = Refusals(None)
    refused = kept.make("default", Refused(RefusalReason.MALFORMED_MESSAGE), None, "t" * 60_000, b"x" * 100_000)
    assert len(refused.payload) == refusal.LARGEST_PAYLOAD_BYTES
    assert len(refused.topic) == refusal.LONGEST_TOPIC
