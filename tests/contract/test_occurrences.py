"""What happened, told of any store: the entity as it was at an event, what was new in it, and what stood before."""

from msgspec.structs import replace

from parvis.broker.model.change import ALL_DATASETS, Change, Mode
from parvis.broker.ports.store import Store
from parvis.broker.subscriptions.model import Occurrence
from parvis.broker.subscriptions.occurrence import Occurrences
from parvis.kernel.time import SECOND
from tests.contract.territory import BIN, LEVEL, NOON, NOTE, TENANT, bin_, bin_id, level, note


async def happened(store: Store) -> list[Occurrence]:
    occurrences = Occurrences(store, store)
    found = [await occurrences.find(event, with_previous=True) for event in await store.read(0)]
    return [one for one in found if one is not None]


def values(occurrence: Occurrence) -> dict[str, object]:
    return {one.name: one.value for one in occurrence.entity.instances}


async def test_the_entity_is_told_as_it_was(store: Store) -> None:
    await store.write(TENANT, [bin_(1, level(1), note("new"))])
    await store.write(TENANT, [bin_(1, level(2))])
    await store.write(TENANT, [bin_(1, note("worn"), mode=Mode.MERGE)])
    await store.write(TENANT, [bin_(1, level(3), mode=Mode.PATCH_ATTRIBUTE, types=None)])

    told = await happened(store)

    assert [values(one) for one in told] == [
        {LEVEL: 1, NOTE: "new"},
        {LEVEL: 2, NOTE: "new"},
        {LEVEL: 2, NOTE: "worn"},
        {LEVEL: 3, NOTE: "worn"},
    ]
    assert [[one.value for one in occurrence.previous] for occurrence in told] == [[], [1], ["new"], [2]]
    assert [len(one.created) for one in told] == [2, 0, 0, 0]


async def test_what_is_new_is_told_whatever_way_it_was_written(store: Store) -> None:
    await store.write(TENANT, [bin_(1, level(1))])
    await store.write(TENANT, [bin_(1, level(2), note("a"))])
    removal = Change(bin_id(1), Mode.DELETE_ATTRIBUTE, removals=((NOTE, ALL_DATASETS),))
    await store.write(TENANT, [removal])
    await store.write(TENANT, [bin_(1, level(3), mode=Mode.UPSERT_REPLACE, scopes=("/port",))])

    told = await happened(store)

    assert [{name for name, _ in one.created} for one in told] == [{LEVEL}, {NOTE}, set(), set()]
    assert told[2].removed == ((NOTE, ""),)
    assert [one.value for one in told[2].previous] == ["a"]
    assert [one.is_creation for one in told] == [True, False, False, False]


async def test_a_deleted_entity_is_told_as_it_last_was(store: Store) -> None:
    await store.write(TENANT, [bin_(1, level(1), note("a"), scopes=("/port",))])
    await store.write(TENANT, [Change(bin_id(1), Mode.DELETE)])
    await store.write(TENANT, [bin_(1, level(9), mode=Mode.CREATE)])

    born, deletion, born_again = await happened(store)

    assert deletion.is_deletion
    assert values(deletion) == {LEVEL: 1, NOTE: "a"}
    assert deletion.entity.types == (BIN,)
    assert {one.name for one in deletion.previous} == {LEVEL, NOTE}
    assert born.is_creation
    assert born_again.is_creation
    assert values(born_again) == {LEVEL: 9}
    assert born_again.created == {(LEVEL, "")}


async def test_values_of_one_call_are_told_one_by_one(store: Store) -> None:
    await store.write(TENANT, [bin_(1, level(1)), bin_(2, level(7)), bin_(1, level(2))])

    assert [values(one) for one in await happened(store)] == [{LEVEL: 1}, {LEVEL: 7}, {LEVEL: 2}]


async def test_what_is_written_as_it_was_is_no_change(store: Store) -> None:
    """5.8.6: an attribute changes where one of its members gets another value."""
    await store.write(TENANT, [bin_(1, level(1), note("a"))])
    await store.write(TENANT, [bin_(1, level(1), note("a"))])
    await store.write(TENANT, [bin_(1, level(1), note("b"))])
    await store.write(TENANT, [bin_(1, level(True))])
    await store.write(TENANT, [bin_(1, replace(level(True), unit_code="C62"))])
    await store.write(TENANT, [bin_(1, replace(level(True), unit_code="C62", observed_at=NOON + SECOND))])
    await store.write(TENANT, [Change(bin_id(1), Mode.DELETE_ATTRIBUTE, removals=((NOTE, ALL_DATASETS),))])
    await store.write(TENANT, [bin_(1, note("b"))])

    told = await happened(store)

    assert [[one.name for one in occurrence.written] for occurrence in told] == [
        [LEVEL, NOTE],
        [NOTE],
        [LEVEL],
        [LEVEL],
        [LEVEL],
        [],
        [NOTE],
    ]
