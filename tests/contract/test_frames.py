"""Where frames are kept: those that wait for their device, those refused, the last ones of each device."""

from collections.abc import AsyncIterator

import pytest
from msgspec.structs import replace

from parvis.broker.ports.store import Store
from parvis.fleet.model.frame import LoggedFrame, Room
from parvis.fleet.model.refusal import Refusal, RefusalReason, Refused, make_refusal
from parvis.fleet.model.uplink import Uplink
from parvis.fleet.ports import FrameStore
from parvis.stores.postgres import frames as postgres_frames
from parvis.stores.postgres.frames import PostgresFrames
from parvis.stores.postgres.store import PostgresStore
from parvis.stores.sqlite import frames as sqlite_frames
from parvis.stores.sqlite.store import SqliteStore
from tests.contract.territory import NOON, TENANT

OTHER = "neighbour"
EUI, OTHER_EUI = "70b3d5499e000001", "70b3d5499e0000aa"
UNKNOWN = Refused(RefusalReason.UNKNOWN_DEVICE, "nobody")
THREW = Refused(RefusalReason.CODEC_THREW, "line 3")
ROOM = Room()


class Opened:
    """`other` is another process's way to the same frames, where there may be one."""

    def __init__(self, frames: FrameStore, other: FrameStore) -> None:
        self.frames = frames
        self.other = other

    async def counters(self, tenant: str = TENANT) -> list[int]:
        return [one.uplink.f_cnt for one in await self.other.list_refusals(tenant) if one.uplink is not None]

    async def keep(self, *refusals: Refusal, room: Room = ROOM) -> list[bool]:
        return await self.frames.keep(refusals, room)


@pytest.fixture
async def opened(store: Store) -> AsyncIterator[Opened]:
    await store.add_tenant(TENANT)
    await store.add_tenant(OTHER)
    if isinstance(store, PostgresStore):
        yield Opened(store.frames, PostgresFrames(store.desk))
    else:
        assert isinstance(store, SqliteStore)
        yield Opened(store.frames, store.frames)


def frame(number: int, hardware_id: str = EUI) -> Uplink:
    return Uplink(hardware_id, bytes([number % 256, 0]), 1, number, NOON, session="00189440")


def waiting(number: int, tenant: str = TENANT, hardware_id: str = EUI, at: int = NOON) -> Refusal:
    return make_refusal(at, tenant, UNKNOWN, frame(number, hardware_id))


def refused(number: int, hardware_id: str = EUI) -> Refusal:
    return make_refusal(NOON, TENANT, THREW, frame(number, hardware_id))


async def test_what_one_process_keeps_all_see_the_newest_first(opened: Opened) -> None:
    malformed = make_refusal(
        NOON, TENANT, Refused(RefusalReason.MALFORMED_MESSAGE, "no JSON"), None, "a/topic", b"\x00\xff"
    )
    assert await opened.keep(waiting(1), malformed) == [True, True]
    newest, oldest = await opened.other.list_refusals(TENANT)
    assert replace(newest, id=0) == malformed
    assert oldest.uplink == frame(1)
    assert newest.id > oldest.id > 0
    assert await opened.other.list_refusals(TENANT, EUI) == [oldest]
    assert await opened.other.list_refusals(TENANT, reasons=[RefusalReason.MALFORMED_MESSAGE]) == [newest]
    assert await opened.other.list_refusals(TENANT, EUI, reasons=[RefusalReason.MALFORMED_MESSAGE]) == []
    assert await opened.other.count_refusals(TENANT) == {
        RefusalReason.UNKNOWN_DEVICE: 1,
        RefusalReason.MALFORMED_MESSAGE: 1,
    }


async def test_a_tenant_sees_and_changes_its_own_alone(opened: Opened) -> None:
    await opened.keep(waiting(1), waiting(2, OTHER))
    (theirs,) = await opened.frames.list_refusals(OTHER)
    assert await opened.counters() == [1]
    assert await opened.frames.claim(TENANT, [theirs.id]) == []
    await opened.frames.settle(TENANT, [theirs.id], [replace(theirs, reason=RefusalReason.CODEC_THREW)])
    assert await opened.frames.discard(TENANT, OTHER_EUI) == 0
    assert await opened.frames.list_refusals(OTHER) == [theirs]


async def test_of_a_tenant_that_does_not_exist_nothing_is_kept_and_it_is_told(opened: Opened) -> None:
    assert await opened.keep(waiting(1, "nobody"), waiting(2)) == [False, True]


async def test_waiting_frames_are_found_by_device_in_the_order_in_which_they_came(opened: Opened) -> None:
    await opened.keep(waiting(1), waiting(2, hardware_id=OTHER_EUI), refused(3), waiting(4), waiting(5))
    by_id = {one.id: one.uplink for one in await opened.frames.list_refusals(TENANT)}
    found = await opened.other.find_waiting(TENANT, {EUI}, 0, 2)
    assert [by_id[one] for one in found] == [frame(1), frame(4)]
    rest = await opened.other.find_waiting(TENANT, {EUI}, found[-1], 10)
    assert [by_id[one] for one in rest] == [frame(5)]


async def test_unknown_devices_are_listed_with_what_waits_of_them(opened: Opened) -> None:
    await opened.keep(waiting(1), waiting(2, hardware_id=OTHER_EUI), waiting(3, at=NOON + 5), waiting(4, OTHER))
    first, second = await opened.other.list_waiting(TENANT)
    assert (first.hardware_id, first.frames, first.first_at, first.last_at) == (EUI, 2, NOON, NOON + 5)
    assert first.newest == frame(3)
    assert (second.hardware_id, second.frames) == (OTHER_EUI, 1)
    everyone = await opened.other.list_waiting()
    assert {(one.tenant, one.hardware_id, one.frames) for one in everyone} == {
        (TENANT, EUI, 2),
        (TENANT, OTHER_EUI, 1),
        (OTHER, EUI, 1),
    }


async def test_what_was_stored_is_forgotten_and_the_rest_keeps_its_new_reason(opened: Opened) -> None:
    await opened.keep(*(waiting(number) for number in range(3)))
    ids = await opened.frames.find_waiting(TENANT, {EUI}, 0, 10)
    claimed = await opened.frames.claim(TENANT, [*ids, 12345])
    assert [one.uplink for one in claimed] == [frame(0), frame(1), frame(2)]
    await opened.frames.settle(TENANT, ids[:2], [replace(claimed[2], reason=THREW.reason, detail=THREW.detail)])
    (left,) = await opened.other.list_refusals(TENANT)
    assert (left.id, left.reason, left.detail) == (ids[2], THREW.reason, THREW.detail)
    assert await opened.other.find_waiting(TENANT, {EUI}, 0, 10) == []
    assert [one.id for one in await opened.other.claim(TENANT, [ids[2]])] == [ids[2]]


async def test_one_at_a_time_tries_a_frame_again(opened: Opened) -> None:
    await opened.keep(waiting(1), waiting(2))
    ids = await opened.frames.find_waiting(TENANT, {EUI}, 0, 10)
    assert [one.id for one in await opened.frames.claim(TENANT, ids)] == ids
    assert await opened.other.claim(TENANT, ids) == []
    await opened.frames.release(TENANT, ids[:1])
    assert [one.id for one in await opened.other.claim(TENANT, ids)] == ids[:1]
    assert await opened.counters() == [2, 1], "they are shown all the while"


async def test_too_many_waiting_frames_are_told_and_the_first_ones_stay(opened: Opened) -> None:
    room = Room(waiting_of_device=2, waiting=3)
    assert await opened.keep(*(waiting(number) for number in range(4)), room=room) == [True, True, False, False]
    others = [waiting(7, hardware_id="0001"), waiting(8, hardware_id="0002"), refused(9)]
    assert await opened.keep(*others, room=room) == [True, False, True]
    assert await opened.counters() == [9, 7, 1, 0]
    assert await opened.frames.discard(TENANT, EUI) == 2
    assert await opened.keep(waiting(10), room=room) == [True], "there is room again"


async def test_refused_frames_are_bounded_and_one_device_does_not_push_out_all_others(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (sqlite_frames, postgres_frames):
        monkeypatch.setattr(module, "TRIM_EVERY", 1)
    room = Room(refused_of_device=4, refused=10)
    quiet = refused(200, OTHER_EUI)
    await opened.keep(quiet, waiting(300), *(refused(number) for number in range(20)), room=room)
    assert await opened.counters() == [19, 18, 17, 16, 300, 200]
    for number in range(30):
        await opened.keep(refused(number, f"{number:016x}"), room=room)
    assert await opened.counters() == [*range(29, 19, -1), 300], "what waits is not pushed out"


async def test_what_waits_too_long_is_forgotten_and_counted(opened: Opened) -> None:
    await opened.keep(waiting(1), waiting(2, at=NOON + 10), refused(3))
    assert await opened.frames.expire(NOON + 5, 10) == 1
    assert await opened.frames.expire(NOON + 5, 10) == 0
    assert await opened.counters() == [3, 2]


def logged(number: int, hardware_id: str = EUI, refused: Refused | None = None) -> LoggedFrame:
    return LoggedFrame(TENANT, frame(number, hardware_id), {"fill": number}, refused)


async def test_the_last_frames_of_each_device_are_kept(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (sqlite_frames, postgres_frames):
        monkeypatch.setattr(module, "TRIM_LOG_EVERY", 5)
    room = Room(last=3)
    frames = opened.frames
    await frames.log([logged(1), logged(2, OTHER_EUI), LoggedFrame("nobody", frame(1))], room)
    await frames.log([logged(number) for number in range(3, 9)], room)
    assert await opened.other.list_logged(TENANT, EUI, 50) == [logged(8), logged(7), logged(6)]
    assert await opened.other.list_logged(TENANT, OTHER_EUI, 50) == [logged(2, OTHER_EUI)]
    assert await opened.other.list_logged(OTHER, EUI, 50) == []
    await frames.forget_logged(TENANT, EUI)
    assert await opened.other.list_logged(TENANT, EUI, 50) == []


async def test_a_frame_that_is_no_json_is_kept_without_what_it_was_read_as(opened: Opened) -> None:
    odd = replace(frame(1), fields={"name": "\ud800"})
    await opened.frames.log([LoggedFrame(TENANT, odd, {"name": "\ud800"})], ROOM)
    await opened.keep(make_refusal(NOON, TENANT, THREW, odd))
    (shown,) = await opened.other.list_logged(TENANT, EUI, 5)
    assert (shown.uplink.payload, shown.data) == (odd.payload, None)
    (kept,) = await opened.other.list_refusals(TENANT)
    assert kept.uplink is not None
    assert kept.uplink.payload == odd.payload
