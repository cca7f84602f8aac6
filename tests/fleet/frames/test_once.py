"""A frame has its effect once, and spoils no other, whatever happens on its way."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from parvis.broker.model.change import Change, Mode, Outcome
from parvis.broker.query.tree import EntityQuery
from parvis.fleet.fleet import Fleet, open_fleet
from parvis.fleet.model.events import DeviceJoined
from parvis.fleet.model.refusal import RefusalReason
from parvis.fleet.model.uplink import NO_COUNTER, Uplink
from parvis.fleet.network.reactions import Reactions
from parvis.kernel.errors import Overloaded
from parvis.kernel.time import SECOND
from tests.fleet.conftest import BIN, CALLER, CODEC, DEVICE, EUI, NOON, RECORD, Village, uplink, write_profile
from tests.fleet.frames.test_uplinks import reasons

DUPLICATE = RefusalReason.DUPLICATE

WARM_PROFILE = """
[profile]
id = "warm-bin-sensor"
name = "Fill level and warmth"
entity_type = "WasteContainer"
[[attribute]]
field = "fill"
name = "fillingLevel"
scale = 0.01
[[attribute]]
field = "warmth"
name = "temperature"
"""


class LostAtTheCommit(Overloaded):
    may_be_stored = True


async def test_one_frame_over_two_gateways_in_one_delivery_counts_once(village: Village) -> None:
    await village.fleet.register(CALLER, [RECORD])
    frames = [uplink(1, 40, at=NOON), uplink(1, 40, at=NOON + 3000), uplink(2, 41, at=NOON + SECOND)]
    assert reasons(await village.fleet.take(CALLER, frames)) == [None, DUPLICATE, None]
    assert await village.values(BIN, "fillingLevel") == [0.4, 0.41]


async def test_a_sender_that_hangs_up_and_sends_again_is_stored_once(
    village: Village, monkeypatch: pytest.MonkeyPatch
) -> None:
    await village.fleet.register(CALLER, [RECORD])
    healthy, began, may_go_on = village.store.write, asyncio.Event(), asyncio.Event()

    async def write(tenant: str, changes: Sequence[Change], *_more: object) -> list[Outcome]:
        """The store writes what it was given, whether or not anybody waits for it."""
        began.set()
        await may_go_on.wait()
        return await healthy(tenant, changes)

    async def in_the_background(*given: Any) -> list[Outcome]:
        return await asyncio.shield(asyncio.create_task(write(*given)))

    monkeypatch.setattr(village.store, "write", in_the_background)
    hung_up = asyncio.create_task(village.fleet.take(CALLER, [uplink(1, 40)]))
    await began.wait()
    hung_up.cancel()
    await asyncio.sleep(0)
    again = asyncio.create_task(village.fleet.take(CALLER, [uplink(1, 40)]))
    await asyncio.sleep(0.01)
    may_go_on.set()
    assert reasons(await again) == [DUPLICATE]
    assert await village.values(BIN, "fillingLevel") == [0.4]


async def test_what_was_stored_though_the_store_said_it_was_not_is_stored_once(
    village: Village, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection may break after the commit and before its answer."""
    await village.fleet.register(CALLER, [RECORD])
    healthy = village.store.write

    async def write(tenant: str, changes: Sequence[Change], *_more: object) -> list[Outcome]:
        await healthy(tenant, changes)
        raise LostAtTheCommit("the connection is lost")

    with monkeypatch.context() as broken:
        broken.setattr(village.store, "write", write)
        with pytest.raises(Overloaded):
            await village.fleet.take(CALLER, [uplink(1, 40)])
    assert reasons(await village.fleet.take(CALLER, [uplink(1, 40)])) == [DUPLICATE]
    assert await village.values(BIN, "fillingLevel") == [0.4]


async def test_fields_that_are_no_json_spoil_no_other_frame(village: Village) -> None:
    await village.fleet.register(CALLER, [RECORD])
    odd = Uplink(EUI, b"?", 0, NO_COUNTER, NOON, fields={"fill": 1, "text": "\ud800"})
    results = await village.fleet.take(CALLER, [odd, uplink(1, 40)])
    assert results[1] is None


async def test_a_frame_of_before_a_join_that_comes_again_after_it_counts_once(village: Village) -> None:
    await village.fleet.register(CALLER, [RECORD])
    reactions = Reactions(village.broker, village.fleet.registry)
    await village.fleet.take(CALLER, [uplink(1, 40, at=NOON)])
    await reactions.take(CALLER, [DeviceJoined(EUI, NOON + SECOND)])
    assert reasons(await village.fleet.take(CALLER, [uplink(1, 40, at=NOON)])) == [DUPLICATE]


async def test_a_device_that_is_removed_while_its_frame_is_stored_does_not_come_back(
    village: Village, monkeypatch: pytest.MonkeyPatch
) -> None:
    await village.fleet.register(CALLER, [RECORD])
    healthy = village.store.write

    async def write(tenant: str, changes: Sequence[Change], progress: Any = None, *more: Any) -> list[Outcome]:
        await healthy(tenant, [Change(DEVICE, Mode.DELETE)], None)
        return await healthy(tenant, changes, progress, *more)

    monkeypatch.setattr(village.store, "write", write)
    assert await village.fleet.take(CALLER, [uplink(1, 40)]) == [None]
    page = await village.broker.query(CALLER, EntityQuery(ids=(DEVICE,), limit=1))
    assert page.entities == ()


async def test_a_device_that_is_removed_does_not_come_back_by_what_its_network_tells(village: Village) -> None:
    await village.fleet.register(CALLER, [RECORD])
    reactions = Reactions(village.broker, village.fleet.registry)
    await village.broker.write(CALLER, [Change(DEVICE, Mode.DELETE)])
    await reactions.take(CALLER, [DeviceJoined(EUI, NOON)])
    assert (await village.broker.query(CALLER, EntityQuery(ids=(DEVICE,), limit=1))).entities == ()


async def test_a_device_that_is_registered_anew_is_told_what_was_told_of_the_one_before(village: Village) -> None:
    reactions = Reactions(village.broker, village.fleet.registry)
    for _ in range(2):
        await village.fleet.register(CALLER, [RECORD])
        await reactions.take(CALLER, [DeviceJoined(EUI, NOON)])
        assert await village.value(DEVICE, "dateLastJoined") is not None
        await village.fleet.remove(CALLER, EUI)


async def test_a_frame_that_two_processes_are_given_in_the_same_moment_is_stored_once(village: Village) -> None:
    """Both have asked history before either has written."""
    await village.fleet.register(CALLER, [RECORD])
    fleets = [open_fleet(village.broker, village.store.frames, village.data_dir, is_shared=True) for _ in range(2)]
    frames = [uplink(number, 40 + number) for number in range(3)]
    both = await asyncio.gather(*(fleet.take(CALLER, frames) for fleet in fleets))
    assert sorted(map(str, zip(*map(reasons, both), strict=True))) == [str((None, DUPLICATE))] * 3
    assert await village.values(BIN, "fillingLevel") == [0.4, 0.41, 0.42]
    assert len(await village.values(DEVICE, "dateLastValueReported")) == 3


async def test_a_frame_whose_clock_two_processes_correct_differently_is_stored_once(village: Village) -> None:
    """Its clock was never set, and one process heard it two seconds after the other."""
    await village.fleet.register(CALLER, [RECORD])
    fleets = [open_fleet(village.broker, village.store.frames, village.data_dir, is_shared=True) for _ in range(2)]
    frames = [uplink(1, 40, at=NOON + later * SECOND, measured_at=1_000 * SECOND) for later in (0, 2)]
    taking = [fleet.take(CALLER, [frame]) for fleet, frame in zip(fleets, frames, strict=True)]
    both = [reasons(one) for one in await asyncio.gather(*taking)]
    assert sorted(both, key=str) == [[DUPLICATE], [None]]
    assert await village.values(BIN, "fillingLevel") == [0.4]


@pytest.mark.parametrize("is_shared", [False, True])
async def test_what_a_device_tells_of_one_moment_in_two_frames_is_all_stored(village: Village, is_shared: bool) -> None:
    """The second frame repeats what the first one told; another process, or the same one started anew, is given it."""
    write_profile(village.data_dir, "warm-bin-sensor", WARM_PROFILE, CODEC)

    def process() -> Fleet:
        return open_fleet(village.broker, village.store.frames, village.data_dir, is_shared=is_shared)

    await process().register(CALLER, [replace(RECORD, profile="warm-bin-sensor")])
    part, whole = (
        Uplink(EUI, b"", 0, NO_COUNTER, NOON, fields=fields) for fields in ({"fill": 40}, {"fill": 40, "warmth": 21})
    )
    told = [reasons(await process().take(CALLER, [frame])) for frame in (part, whole, whole)]
    assert told == [[None], [None], [DUPLICATE]]
    assert await village.values(BIN, "fillingLevel") == [0.4]
    assert await village.values(BIN, "temperature") == [21]
