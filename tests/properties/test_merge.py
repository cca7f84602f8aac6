"""The store follows the laws of `broker.model.merge`, whichever way it takes, and history tells every step."""

from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from parvis.broker.model.change import ALL_DATASETS, Change, EventKind, Mode, Status
from parvis.broker.model.entity import Entity, Instance, Kind
from parvis.broker.model.merge import json_merge, resolve
from parvis.broker.query.tree import TemporalQuery
from parvis.kernel.identity import DEFAULT_TENANT
from parvis.stores.sqlite.store import SqliteStore

NOW = 1_767_229_200_000_000
IDS = ("urn:ngsi-ld:Bin:1", "urn:ngsi-ld:Bin:2")
NAMES = ("https://example.org/level", "https://example.org/note")
DATASETS = ("", "urn:ngsi-ld:Dataset:b")
TYPES = ("https://example.org/Bin", "https://example.org/Asset")

values = st.one_of(st.integers(-5, 5), st.sampled_from(["full", True, [1, 2], {"a": 1, "b": {"c": 2}}]))
instances = st.builds(
    Instance,
    name=st.sampled_from(NAMES),
    kind=st.just(Kind.PROPERTY),
    value=values,
    dataset=st.sampled_from(DATASETS),
    observed_at=st.none() | st.integers(NOW, NOW + 3),
    unit_code=st.sampled_from(["", "P1"]),
)
removals = st.tuples(st.sampled_from(NAMES), st.sampled_from([*DATASETS, ALL_DATASETS]))


@st.composite
def changes(draw: st.DrawFn) -> Change:
    mode = draw(st.sampled_from(list(Mode)))
    given_instances = draw(st.lists(instances, max_size=3, unique_by=lambda one: one.key))
    return Change(
        draw(st.sampled_from(IDS)),
        mode,
        () if mode in (Mode.DELETE, Mode.DELETE_ATTRIBUTE) else tuple(given_instances),
        types=draw(
            st.none() | st.lists(st.sampled_from(TYPES), min_size=1, unique=True).map(lambda t: tuple(sorted(t)))
        ),
        scopes=draw(st.none() | st.just(("/port",))),
        removals=tuple(draw(st.lists(removals, max_size=2))) if mode in (Mode.MERGE, Mode.DELETE_ATTRIBUTE) else (),
        keep_newest=draw(st.booleans()) if mode is Mode.UPSERT_UPDATE else False,
    )


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(changes(), min_size=1, max_size=6), min_size=1, max_size=4))
async def test_the_store_ends_where_the_laws_end(calls: list[list[Change]]) -> None:
    store = await SqliteStore.open(":memory:", clock=lambda: NOW)
    lawful: dict[str, Entity] = {}
    written: dict[str, int] = {}
    kinds: list[EventKind] = []
    try:
        for call in calls:
            outcomes = await store.write(DEFAULT_TENANT, call)
            for change, outcome in zip(call, outcomes, strict=True):
                resolution = resolve(lawful.get(change.entity_id), change, NOW)
                assert _comparable(outcome) == _comparable(resolution.outcome)
                status = resolution.outcome.status
                if status in (Status.CREATED, Status.UPDATED, Status.DELETED):
                    _follow(lawful, change.entity_id, resolution.entity)
                    written[change.entity_id] = written.get(change.entity_id, 0) + len(resolution.put)
                    kinds.append(EventKind[status.name])
        for one in IDS:
            assert _bare(await store.find(DEFAULT_TENANT, one)) == _bare(lawful.get(one))
            history = await store.history(DEFAULT_TENANT, one, TemporalQuery())
            told = sum(len(series) for series in history.instances.values()) if history else 0
            assert told == written.get(one, 0)
        assert [event.kind for event in await store.read(0)] == kinds
    finally:
        await store.close()


@given(st.recursive(values, lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3)))
def test_merging_a_document_into_itself_or_into_nothing_gives_it(document: Any) -> None:
    assert json_merge(document, document) == document
    assert json_merge(None, document) == document


def _follow(lawful: dict[str, Entity], entity_id: str, entity: Entity | None) -> None:
    if entity is None:
        lawful.pop(entity_id, None)
    else:
        lawful[entity_id] = entity


def _comparable(outcome: Any) -> tuple[object, ...]:
    return (outcome.entity_id, outcome.status, outcome.ignored, type(outcome.error))


def _bare(entity: Entity | None) -> object:
    """Without what only a store knows."""
    if entity is None:
        return None
    instances = [msgspec.structs.replace(one, created_at=0, modified_at=0, seq=0) for one in entity.instances]
    return (entity.types, entity.scopes, instances)
