"""Frames that came before their device was registered, and those that could not be stored."""

from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from parvis.fleet.fleet import Fleet, open_fleet
from parvis.fleet.model.frame import Room
from parvis.fleet.model.refusal import Refusal, RefusalReason, Refused
from parvis.fleet.ports import FrameStore
from parvis.kernel.errors import Overloaded
from parvis.kernel.identity import Caller, Right
from parvis.kernel.time import DAY
from tests.fleet.conftest import BIN, CALLER, EUI, NOON, RECORD, Village, uplink

OTHER_EUI = "70b3d5499e0000aa"


class Killed(Exception):
    """The process ends here."""


def with_room(village: Village, room: Room, **more: Any) -> Fleet:
    return open_fleet(village.broker, village.store.frames, village.data_dir, room=room, **more)


def killed_before_forgetting(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    async def settle(tenant: str, stored: Sequence[int], refused: Sequence[Refusal]) -> None:
        raise Killed

    monkeypatch.setattr(fleet.frames, "settle", settle)


async def test_frames_of_an_unknown_device_are_adopted_in_order_with_nothing_lost(village: Village) -> None:
    fleet = village.fleet
    results = await fleet.take(CALLER, [uplink(number, number % 90) for number in range(450)])
    assert {one.reason for one in results if one is not None} == {RefusalReason.UNKNOWN_DEVICE}
    (waiting,) = await fleet.list_waiting(CALLER)
    assert (waiting.hardware_id, waiting.frames) == (EUI, 450)
    assert waiting.newest == uplink(449, 449 % 90)

    await fleet.register(CALLER, [RECORD])

    assert await fleet.list_waiting(CALLER) == []
    values = await village.values(BIN, "fillingLevel")
    assert values == [pytest.approx(number % 90 / 100) for number in range(450)]
    assert await village.value(BIN, "fillingLevel") == pytest.approx(449 % 90 / 100)


async def test_what_was_adopted_when_the_process_died_is_stored_once(
    village: Village, monkeypatch: pytest.MonkeyPatch
) -> None:
    await village.fleet.take(CALLER, [uplink(number, number) for number in range(5)])
    with monkeypatch.context() as until_killed:
        killed_before_forgetting(village.fleet, until_killed)
        with pytest.raises(Killed):
            await village.fleet.register(CALLER, [RECORD])
    assert len(await village.values(BIN, "fillingLevel")) == 5, "they were stored, and wait all the same"

    again = village.reopened()
    await again.held.sweep()

    assert await again.list_waiting(CALLER) == []
    assert len(await village.values(BIN, "fillingLevel")) == 5


async def test_what_another_process_adopted_while_this_one_stood_still_is_stored_once(
    village: Village, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A claim holds for a minute; a virtual machine that is moved may stand still for longer."""
    fleet, other = (open_fleet(village.broker, village.store.frames, village.data_dir, is_shared=True) for _ in "ab")
    frames = [uplink(number, number) for number in range(5)]
    await fleet.take(CALLER, frames)
    healthy = village.store.frames.claim

    async def claim(tenant: str, refusal_ids: Iterable[int]) -> list[Refusal]:
        claimed = await healthy(tenant, refusal_ids)
        assert await other.take(CALLER, frames) == [None] * 5
        return claimed

    await other.registry.register(CALLER, [RECORD])
    monkeypatch.setattr(village.store.frames, "claim", claim)
    await fleet.register(CALLER, [RECORD])
    assert await fleet.list_waiting(CALLER) == []
    assert len(await village.values(BIN, "fillingLevel")) == 5


async def test_what_a_process_that_died_has_left_is_adopted_by_the_next(village: Village) -> None:
    await village.fleet.take(CALLER, [uplink(1, 40)])
    await village.fleet.registry.register(CALLER, [RECORD])
    again = village.reopened()
    await again.held.sweep()
    assert await village.value(BIN, "fillingLevel") == 0.4
    assert await again.list_waiting(CALLER) == []


async def test_more_than_there_is_room_for_is_refused_and_counted(village: Village) -> None:
    fleet = with_room(village, Room(waiting_of_device=2))
    results = await fleet.take(CALLER, [uplink(number, 40) for number in range(3)])
    assert [one.reason for one in results if one is not None] == [
        RefusalReason.UNKNOWN_DEVICE,
        RefusalReason.UNKNOWN_DEVICE,
        RefusalReason.QUARANTINE_FULL,
    ]
    (waiting,) = await fleet.list_waiting(CALLER)
    assert waiting.frames == 2


async def test_an_adopted_frame_that_cannot_be_stored_says_why_from_now_on(village: Village) -> None:
    await village.fleet.take(CALLER, [uplink(1, 255), uplink(2, 40), uplink(3, 40, f_port=9)])
    await village.fleet.register(CALLER, [RECORD])
    left = await village.fleet.list_refusals(CALLER, EUI)
    assert [one.reason for one in left] == [RefusalReason.CODEC_REPORTED_ERRORS, RefusalReason.MAPPING_FAILED]
    assert await village.fleet.list_waiting(CALLER) == []


async def test_what_passes_by_leaves_an_adopted_frame_waiting(
    village: Village, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet = village.fleet
    await fleet.take(CALLER, [uplink(1, 40)])
    await fleet.registry.register(CALLER, [RECORD])

    async def resting(caller: Caller, uplinks: Sequence[object]) -> list[Refused | None]:
        return [Refused(RefusalReason.CODEC_RESTING) for _ in uplinks]

    with monkeypatch.context() as for_a_while:
        for_a_while.setattr(fleet.held, "_take", resting)
        await fleet.held.sweep()
    assert [one.frames for one in await fleet.list_waiting(CALLER)] == [1]
    await fleet.held.sweep()
    assert await village.value(BIN, "fillingLevel") == 0.4


async def test_a_frame_is_not_acknowledged_before_it_waits_durably(
    village: Village, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(refusals: Sequence[Refusal], room: Room) -> list[bool]:
        raise Overloaded("The disk is full.")

    frames: FrameStore = village.fleet.frames
    with monkeypatch.context() as for_a_while:
        for_a_while.setattr(frames, "keep", full)
        with pytest.raises(Overloaded):
            await village.fleet.take(CALLER, [uplink(1, 40)])
    (refused,) = await village.fleet.take(CALLER, [uplink(1, 40)])
    assert refused is not None
    assert len(await village.fleet.list_refusals(CALLER)) == 1


async def test_what_waits_too_long_expires(village: Village) -> None:
    now = [NOON]
    fleet = open_fleet(village.broker, village.store.frames, village.data_dir, clock=lambda: now[0], waiting_days=30)
    await fleet.take(CALLER, [uplink(1, 40)])
    await fleet.held.sweep()
    assert len(await fleet.list_waiting(CALLER)) == 1
    now[0] += 31 * DAY
    await fleet.held.sweep()
    assert await fleet.list_waiting(CALLER) == []


async def test_waiting_frames_can_be_forgotten_by_who_may_write(village: Village) -> None:
    await village.fleet.take(CALLER, [uplink(1, 40), uplink(1, 40, hardware_id=OTHER_EUI)])
    with pytest.raises(Exception, match="write"):
        await village.fleet.discard_waiting(Caller("default", "key:r", Right.READ), EUI)
    assert await village.fleet.discard_waiting(CALLER, EUI.upper()) == 1
    assert [one.hardware_id for one in await village.fleet.list_waiting(CALLER)] == [OTHER_EUI]


async def test_a_key_of_one_device_delivers_for_no_other(village: Village) -> None:
    await village.fleet.register(CALLER, [RECORD])
    bound = Caller("default", "key:bin", Right.INGEST, EUI)
    foreign, own, later = await village.fleet.take(
        bound, [uplink(1, 10, hardware_id=OTHER_EUI), uplink(2, 40), uplink(3, 50)]
    )
    assert foreign is not None
    assert foreign.reason is RefusalReason.OTHER_DEVICE
    assert (own, later) == (None, None)
    assert await village.fleet.list_refusals(CALLER) == []
    assert await village.fleet.take(replace(bound, device="none"), [uplink(4, 60)]) == [
        Refused(RefusalReason.OTHER_DEVICE, "the key is of none")
    ]
