"""Totals stand for all values of their periods, each counted once: whenever it runs, whatever comes late."""

import asyncio
from contextlib import closing
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from parvis.access.privacy.model import Cover, Purpose, Summary, Then
from parvis.access.privacy.periods import PERIODS, cutoff, period_start
from parvis.access.privacy.retention import Retention
from parvis.access.privacy.totals import FROM
from parvis.broker.model.change import Change, Mode
from parvis.broker.model.entity import Instance, Kind
from parvis.broker.query.tree import TemporalQuery
from parvis.kernel.time import HOUR, Instant, parse_duration
from parvis.stores.sqlite.access import SqliteAccessStore
from parvis.stores.sqlite.store import SqliteStore

PARIS = ZoneInfo("Europe/Paris")
NOON: Instant = 1_795_348_800_000_000
TYPE, NAME, METER = "https://example.org/Meter", "https://example.org/volume", "urn:ngsi-ld:Meter:1"
SPAN_H = 24 * 70

hours = st.integers(min_value=0, max_value=SPAN_H - 1)
deliveries = st.lists(st.lists(hours, max_size=25), min_size=1, max_size=4)


@settings(max_examples=40, deadline=None)
@given(deliveries, st.sampled_from(PERIODS), st.integers(min_value=0, max_value=40))
def test_totals_and_what_is_left_add_up_to_everything_that_came(
    came: list[list[int]], period: str, keep_days: int
) -> None:
    asyncio.run(_add_up(came, period, f"P{keep_days + 1}D"))


async def _add_up(came: list[list[int]], period: str, keep: str) -> None:
    cover = Cover(
        type="Meter", attributes=("volume",), keep=keep, then=Then.AGGREGATE, period=period, method=Summary.SUM
    )
    purpose = Purpose(id="meters", name={"en": "Meters"}, basis="b", covers=(cover,))
    begins, told = NOON - SPAN_H * HOUR, set[int]()
    store = await SqliteStore.open(":memory:", lambda: NOON)
    with closing(SqliteAccessStore(":memory:")) as access:
        retention = Retention(store, access, "default", PARIS, lambda: NOON)
        counted = 0
        for delivery in came:
            new = [hour for hour in dict.fromkeys(delivery) if hour not in told]
            told.update(new)
            values = tuple(Instance(NAME, Kind.PROPERTY, 1 + hour, observed_at=begins + hour * HOUR) for hour in new)
            await store.write("default", [Change(METER, Mode.UPSERT_UPDATE, values, (TYPE,), keep_newest=True)])
            counted += sum(one.count for one in await retention.execute([purpose], lambda _part, _words: None))
        history = await store.history("default", METER, TemporalQuery(limit=10_000))
    await store.close()

    left = [] if history is None else history.instances.get((NAME, ""), [])
    whole = period_start(cutoff(NOON, parse_duration(keep), PARIS), period, PARIS)
    past = {hour for hour in told if begins + hour * HOUR < whole}
    assert sum(one.value for one in left) == sum(1 + hour for hour in told)
    assert counted == len(past)
    totals = [one for one in left if one.extra is not None]
    assert sum(one.extra[FROM]["value"] for one in totals if one.extra is not None) == len(past)
    assert [one.observed_at for one in totals] == sorted(
        {period_start(begins + hour * HOUR, period, PARIS) for hour in past}
    )
    assert all(one.observed_at is not None and one.observed_at >= whole for one in left if one.extra is None)
