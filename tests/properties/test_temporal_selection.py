"""Temporal queries choose by the instances of their time, as the evaluator reads them, and page by page alike."""

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from parvis.broker.model.change import Change, Mode
from parvis.broker.model.entity import Entity
from parvis.broker.ports.store import EntityHistory
from parvis.broker.query.evaluate import holds
from parvis.broker.query.tree import EntityQuery, TemporalQuery, TimeProperty, TimeRelation
from parvis.broker.temporal.reading import Window
from parvis.broker.temporal.selection import PastQuery, PastReader, as_entity
from parvis.kernel.identity import DEFAULT_TENANT
from parvis.stores.sqlite.store import SqliteStore
from tests.strategies import conditions_about, entities, instants

NOW = 1_767_229_200_000_000
EVERYTHING = TemporalQuery(limit=100_000)

windows = st.one_of(
    st.builds(TemporalQuery, st.sampled_from([TimeRelation.BEFORE, TimeRelation.AFTER]), instants),
    st.lists(instants, min_size=2, max_size=2, unique=True).map(
        lambda ends: TemporalQuery(TimeRelation.BETWEEN, min(ends), max(ends))
    ),
).flatmap(
    lambda query: st.sampled_from([TimeProperty.OBSERVED_AT, TimeProperty.MODIFIED_AT]).map(
        lambda by: replace(query, time_property=by)
    )
)


def within(history: EntityHistory, window: Window) -> EntityHistory:
    kept = {
        key: [one for one in found if window.start <= window.time(one) < window.end]
        for key, found in history.instances.items()
    }
    return replace(history, instances={key: found for key, found in kept.items() if found})


@settings(max_examples=80, deadline=None)
@given(st.data(), st.lists(entities(), min_size=1, max_size=4), windows)
async def test_the_past_is_chosen_as_the_evaluator_reads_it(
    data: st.DataObject, held: list[Entity], asked: TemporalQuery
) -> None:
    conditions = data.draw(st.lists(conditions_about(held), min_size=1, max_size=4))
    store = await SqliteStore.open(":memory:", clock=lambda: NOW)
    try:
        ids = [f"urn:ngsi-ld:Bin:{number}" for number in range(len(held))]
        for name, one in zip(ids, held, strict=True):
            await store.write(DEFAULT_TENANT, [Change(name, Mode.CREATE, one.instances, one.types)])
        await store.write(DEFAULT_TENANT, [Change(ids[0], Mode.DELETE)])
        told = [await store.history(DEFAULT_TENANT, name, EVERYTHING) for name in ids]
        past = [within(one, Window.of(asked)) for one in told if one is not None]
        for condition in conditions:
            expected = [one.id for one in past if one.instances and holds(condition, as_entity(one))]
            query = PastQuery(EntityQuery(q=condition, limit=1, count=True), asked)
            found: list[str] = []
            after = None
            while True:
                page = await PastReader(
                    store, DEFAULT_TENANT, replace(query, entities=replace(query.entities, after=after))
                ).read()
                assert page.total == len(expected)
                found += [one.id for one in page.histories]
                after = page.resume
                if after is None:
                    break
            assert found == expected
    finally:
        await store.close()
