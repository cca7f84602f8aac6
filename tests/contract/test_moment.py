"""What many entities showed last before a moment, from whichever form of history it lies in."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from parvis.broker.model.change import Change, Mode
from parvis.broker.model.merge import NULL
from parvis.broker.ports.store import Store
from parvis.broker.query.tree import KnownQuery
from parvis.broker.temporal.erasure import Erasure
from parvis.kernel.time import DAY, HOUR
from tests.contract.archiving import ARCHIVED_STORES, Archived
from tests.contract.territory import BIN, LEVEL, NOON, NOTE, TENANT, Ticking, bin_, bin_id, level, note

KEY = (LEVEL, "")
LONG_AGO = NOON - 40 * DAY


async def levels_at(store: Store, at: int, *numbers: int, back: int = DAY) -> dict[str, Any]:
    wanted = {bin_id(number): [KEY, (NOTE, "")] for number in numbers}
    told = await store.list_last(TENANT, wanted, at - back, at + 1)
    return {urn: {one.name: one.value for one in found} for urn, found in told.items()}


async def test_each_entity_is_told_as_it_was(store: Store) -> None:
    for number in (1, 2, 3):
        readings = [level(10 * number + hour, NOON + hour * HOUR) for hour in range(4)]
        await store.write(TENANT, [bin_(number, *readings, keep_newest=True)])

    assert await levels_at(store, NOON + 2 * HOUR, 1, 3) == {bin_id(1): {LEVEL: 12}, bin_id(3): {LEVEL: 32}}
    assert await levels_at(store, NOON + 2 * HOUR - 1, 2) == {bin_id(2): {LEVEL: 21}}


async def test_nothing_is_told_from_before_the_window_or_of_what_never_was(store: Store) -> None:
    await store.write(TENANT, [bin_(1, level(1, NOON)), bin_(2, note("new", observed_at=NOON + DAY))])

    assert await levels_at(store, NOON + 2 * DAY, 1, 2, 9) == {bin_id(2): {NOTE: "new"}}
    assert await levels_at(store, NOON - 1, 1, 2) == {}
    assert await store.list_last("nowhere", {bin_id(1): [KEY]}, 0, NOON * 2) == {}
    assert await store.list_last(TENANT, {}, 0, NOON * 2) == {}


async def test_late_readings_take_their_place(store: Store) -> None:
    await store.write(TENANT, [bin_(1, level(5, NOON + 5 * HOUR))])
    await store.write(TENANT, [bin_(1, level(3, NOON + 3 * HOUR), keep_newest=True)])

    assert await levels_at(store, NOON + 4 * HOUR, 1) == {bin_id(1): {LEVEL: 3}}
    assert await levels_at(store, NOON + 6 * HOUR, 1) == {bin_id(1): {LEVEL: 5}}


async def test_of_two_readings_of_one_instant_the_one_written_last_counts(store: Store) -> None:
    await store.write(TENANT, [bin_(1, level(1, NOON))])
    await store.write(TENANT, [bin_(1, level(2, NOON))])

    assert await levels_at(store, NOON, 1) == {bin_id(1): {LEVEL: 2}}


async def test_what_was_taken_away_is_gone_from_then_on(store: Store, clock: Ticking) -> None:
    await store.write(TENANT, [bin_(1, note("wet"), level(1, NOON))])
    before = clock.now
    await store.write(TENANT, [Change(bin_id(1), Mode.DELETE_ATTRIBUTE, removals=((NOTE, ""),))])

    assert await levels_at(store, before, 1) == {bin_id(1): {NOTE: "wet", LEVEL: 1}}
    assert await levels_at(store, clock.now, 1) == {bin_id(1): {LEVEL: 1}}


async def test_what_was_erased_is_not_told(store: Store) -> None:
    await store.write(TENANT, [bin_(1, *(level(hour, NOON + hour * HOUR) for hour in range(3)), keep_newest=True)])
    await store.erase(TENANT, Erasure(bin_id(1), since=NOON + HOUR))

    assert await levels_at(store, NOON + 3 * HOUR, 1) == {bin_id(1): {LEVEL: 0}}


async def test_those_deleted_since_are_found_by_type(store: Store, clock: Ticking) -> None:
    await store.write(TENANT, [bin_(number, level(1, NOON)) for number in (1, 2, 3)])
    await store.write(TENANT, [Change(bin_id(1), Mode.DELETE)])
    between = clock.now + 1
    await store.write(TENANT, [Change(bin_id(2), Mode.DELETE)])

    async def gone(**asked: Any) -> list[str]:
        return [one.id for one in await store.list_known(TENANT, KnownQuery(**asked))]

    assert await gone(gone_since=0) == [bin_id(1), bin_id(2)]
    assert await gone(gone_since=between) == [bin_id(2)]
    assert await gone(gone_since=0, limit=1) == [bin_id(1)]


@pytest.fixture(params=list(ARCHIVED_STORES))
async def archived(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Archived]:
    opened = await ARCHIVED_STORES[request.param](request, tmp_path, Ticking())
    yield opened
    await opened.close()


async def test_the_archive_is_asked_for_all_of_them_at_once(archived: Archived) -> None:
    store = archived.store
    for number in (1, 2):
        readings = [level(number * 100 + hour, LONG_AGO + hour * HOUR) for hour in range(48)]
        await store.write(TENANT, [bin_(number, *readings, types=(BIN,), keep_newest=True)])
    await archived.run()
    late = level(777, LONG_AGO + 10 * HOUR + 1)
    await store.write(TENANT, [bin_(1, late, keep_newest=True)])

    at = LONG_AGO + 10 * HOUR
    assert await levels_at(store, at, 1, 2, 3) == {bin_id(1): {LEVEL: 110}, bin_id(2): {LEVEL: 210}}
    assert await levels_at(store, at + 1, 1, 2) == {bin_id(1): {LEVEL: 777}, bin_id(2): {LEVEL: 210}}
    assert await levels_at(store, at, 1) == {bin_id(1): {LEVEL: 110}}
    await store.erase(TENANT, Erasure(bin_id(2), since=LONG_AGO + 5 * HOUR))
    assert await levels_at(store, at, 2) == {bin_id(2): {LEVEL: 204}}


async def test_files_are_looked_through_as_far_back_as_the_window_goes(archived: Archived) -> None:
    store, at = archived.store, LONG_AGO + 6 * DAY
    for number, age in enumerate((HOUR, 20 * HOUR, 4 * DAY, 6 * DAY)):
        readings = [level(number, at - age), level(99, at - age - 1), level(-1, at + 1)]
        await store.write(
            TENANT, [bin_(number, *readings, note(f"bin {number}", observed_at=at - 3 * DAY), keep_newest=True)]
        )
    taken = Change(bin_id(0), Mode.APPEND, past=(level(NULL, at - HOUR // 2),))
    await store.write(TENANT, [taken])
    await archived.run()

    told = await levels_at(store, at, *range(4), back=5 * DAY)

    assert told == {
        bin_id(0): {NOTE: "bin 0"},
        bin_id(1): {LEVEL: 1, NOTE: "bin 1"},
        bin_id(2): {LEVEL: 2, NOTE: "bin 2"},
        bin_id(3): {NOTE: "bin 3"},
    }
