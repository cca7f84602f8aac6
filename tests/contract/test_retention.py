"""What is past its time goes, wherever it lies, once, and is told in the ledger."""

from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from parvis.access.audit_proof import proof_lines, prove
from parvis.access.privacy.model import Action, Cover, LedgerEntry, Purpose, Summary, Then
from parvis.access.privacy.retention import Due, Retention
from parvis.access.privacy.totals import BY, FROM, OVER
from parvis.broker.model.change import Mode
from parvis.broker.model.entity import Instance
from parvis.broker.query.tree import TemporalQuery
from parvis.broker.temporal.erasure import Erasure
from parvis.kernel.errors import Overloaded
from parvis.kernel.time import DAY, HOUR, MINUTE, Instant
from parvis.stores.sqlite.access import SqliteAccessStore
from tests.contract.archiving import ARCHIVED_STORES, Archived
from tests.contract.territory import LEVEL, NOON, NOTE, TENANT, Ticking, bin_, bin_id, level, note

PARIS = ZoneInfo("Europe/Paris")
OLD = NOON - 14 * HOUR - 40 * DAY  # midnight in Paris, where NOON is 13 h in winter, and it was summer then
PLACES = ("log", "archive")


def purpose(then: Then = Then.ERASE, keep: str = "P30D", name: str = "fill", **more: Any) -> Purpose:
    cover = Cover(type="WasteContainer", attributes=("fillingLevel",), keep=keep, then=then, **more)
    return Purpose(id=name, name={"en": name}, basis="e", covers=(cover,), version=3)


SUMS = purpose(Then.AGGREGATE, method=Summary.SUM)


@pytest.fixture(params=["sqlite", "postgres"])
async def archived(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Archived]:
    opened = await ARCHIVED_STORES[request.param](request, tmp_path, Ticking())
    yield opened
    await opened.close()


@pytest.fixture
def access() -> Iterator[SqliteAccessStore]:
    with closing(SqliteAccessStore(":memory:")) as opened:
        yield opened


@pytest.fixture(params=PLACES)
async def placed(request: pytest.FixtureRequest, archived: Archived) -> Archived:
    """Of two bins, readings of two old days and of a young one."""
    for number in (1, 2):
        await archived.store.write(TENANT, [bin_(number, *readings((0, 1, 30, 900)), keep_newest=True)])
    if request.param == "archive":
        await archived.run()
    return archived


def readings(hours: tuple[int, ...]) -> list[Instance]:
    return [level(hour, OLD + hour * HOUR) for hour in hours]


async def told(archived: Archived, number: int = 1) -> list[tuple[object, float]]:
    history = await archived.store.history(TENANT, bin_id(number), TemporalQuery())
    assert history is not None
    return [(one.value, (one.seen_at - OLD) / HOUR) for one in history.instances.get((LEVEL, ""), [])]


def of(archived: Archived, access: SqliteAccessStore, at: Instant = NOON) -> Retention:
    return Retention(archived.store, access, TENANT, PARIS, lambda: at)


async def execute(archived: Archived, access: SqliteAccessStore, *purposes: Purpose) -> list[LedgerEntry]:
    return await of(archived, access).execute(purposes, lambda _part, _words: None)


async def foresee(archived: Archived, access: SqliteAccessStore, *purposes: Purpose) -> list[Due]:
    return [one async for one in of(archived, access).list_due(purposes, lambda _part, _words: None)]


def as_counted(found: list[Any]) -> list[tuple[int, int, float, float, int]]:
    return [(one.count, 2, (one.since - OLD) / HOUR, (one.until - OLD) / HOUR, one.made) for one in found]


async def test_what_is_older_than_its_purpose_needs_is_foreseen_erased_and_told_once(
    placed: Archived, access: SqliteAccessStore
) -> None:
    before = await told(placed)
    foreseen = await foresee(placed, access, purpose())
    assert await told(placed) == before, "to look changes nothing"
    assert access.privacy.list_ledger(TENANT) == []

    [entry] = await execute(placed, access, purpose())

    assert as_counted(foreseen) == as_counted([entry]) == [(6, 2, 0.0, 30.0, 0)]
    assert (entry.action, entry.purpose, entry.version, entry.objects) == (Action.ERASED, "fill", 3, 2)
    for _ in range(2):
        assert await told(placed) == await told(placed, 2) == [(900, 900.0)]
        assert await execute(placed, access, purpose()) == [], "twice run is once done"
        await placed.run()
    assert [one.key for one in access.privacy.list_ledger(TENANT)] == [entry.key]
    [noted] = access.list_audit(None, 10)
    assert (noted.record.action, noted.record.facts["count"]) == ("values-erased", 6)
    assert prove(proof_lines(access.read_audit())).entries == 1


async def test_readings_give_way_to_the_totals_of_their_days(placed: Archived, access: SqliteAccessStore) -> None:
    assert as_counted(await foresee(placed, access, SUMS)) == [(6, 2, 0.0, 30.0, 4)]

    [entry] = await execute(placed, access, SUMS)

    assert (entry.action, entry.count, entry.made) == (Action.AGGREGATED, 6, 4)
    for _ in range(2):
        assert await told(placed) == [(1, 0.0), (30, 24.0), (900, 900.0)]
        assert await execute(placed, access, SUMS) == []
        await placed.run()
    history = await placed.store.history(TENANT, bin_id(1), TemporalQuery())
    assert history is not None
    first = history.instances[LEVEL, ""][0]
    assert first.unit_code == "P1"
    assert {name: one["value"] for name, one in (first.extra or {}).items()} == {OVER: "P1D", BY: "sum", FROM: 2}


@pytest.mark.parametrize(
    ("method", "whole"), [(Summary.SUM, 1 + 7), (Summary.MEAN, (0 + 1 + 7) / 3), (Summary.LAST, 1)]
)
async def test_what_comes_late_is_joined_with_what_stands_for_its_day(
    placed: Archived, access: SqliteAccessStore, method: Summary, whole: float
) -> None:
    totals = purpose(Then.AGGREGATE, method=method)
    await execute(placed, access, totals)
    await placed.store.write(TENANT, [bin_(1, level(7, OLD + 90 * MINUTE), keep_newest=True)])

    [entry] = await execute(placed, access, totals)

    assert (entry.count, entry.objects, entry.made) == (1, 1, 1)
    assert await told(placed) == [(whole, 0.0), (30, 24.0), (900, 900.0)]


async def test_what_comes_late_and_too_old_is_erased_by_the_next_run(
    archived: Archived, access: SqliteAccessStore
) -> None:
    await archived.store.write(TENANT, [bin_(1, level(900, NOON))])
    assert await execute(archived, access, purpose()) == []
    await archived.store.write(TENANT, [bin_(1, level(7, OLD), keep_newest=True)])

    [entry] = await execute(archived, access, purpose())

    assert entry.count == 1
    assert [value for value, _ in await told(archived)] == [900]


async def test_the_present_goes_where_it_is_older_and_stays_where_it_is_not(
    archived: Archived, access: SqliteAccessStore
) -> None:
    await archived.store.write(TENANT, [bin_(1, level(7, OLD), note("kept")), bin_(2, level(8, NOON))])

    await execute(archived, access, purpose())

    old, young = [await archived.store.find(TENANT, bin_id(number)) for number in (1, 2)]
    assert old is not None
    assert young is not None
    assert [one.name for one in old.instances] == [NOTE]
    assert [one.value for one in young.instances] == [8]


@pytest.mark.parametrize("declared", [purpose(), SUMS], ids=["erase", "aggregate"])
async def test_the_present_goes_also_where_its_past_is_gone(
    archived: Archived, access: SqliteAccessStore, declared: Purpose
) -> None:
    await archived.store.write(TENANT, [bin_(1, level(7, OLD), note("kept"))])
    await archived.store.erase(TENANT, Erasure(bin_id(1), LEVEL))

    [entry] = await execute(archived, access, declared)

    assert (entry.count, entry.objects) == (1, 1)
    left = await archived.store.find(TENANT, bin_id(1))
    assert left is not None
    assert [one.name for one in left.instances] == [NOTE]
    assert await execute(archived, access, declared) == []


async def test_totals_go_when_their_own_time_is_over(placed: Archived, access: SqliteAccessStore) -> None:
    short = purpose(Then.AGGREGATE, method=Summary.SUM, keep_totals="P39D")
    erased, summed = await foresee(placed, access, short)
    assert (erased.count, erased.batch.totals) == (4, None)
    assert (summed.count, summed.made) == (2, 2), "what is erased is not summed up first"

    await execute(placed, access, short)

    assert await told(placed) == [(30, 24.0), (900, 900.0)]


async def test_of_several_purposes_the_longest_holds(placed: Archived, access: SqliteAccessStore) -> None:
    longer = purpose(keep="P1Y", name="longer")

    assert await execute(placed, access, purpose(), longer) == []
    assert await execute(placed, access, SUMS, longer) == []
    [entry] = await execute(placed, access, purpose(keep="P10D", name="shorter"), SUMS)
    assert (entry.purpose, entry.action) == ("fill", Action.AGGREGATED)


async def test_a_purpose_of_some_scopes_touches_no_others(archived: Archived, access: SqliteAccessStore) -> None:
    for number, scope in ((1, "/household/north"), (2, "/district")):
        await archived.store.write(TENANT, [bin_(number, *readings((0, 900)), scopes=(scope,), keep_newest=True)])

    [entry] = await execute(archived, access, purpose(scopes=("/household",)))

    assert (entry.count, entry.objects) == (1, 1)
    assert len(await told(archived)) == 1
    assert len(await told(archived, 2)) == 2


async def test_the_past_of_a_deleted_object_goes_as_well(placed: Archived, access: SqliteAccessStore) -> None:
    await placed.store.write(TENANT, [bin_(1, mode=Mode.DELETE)])

    [entry] = await execute(placed, access, purpose())

    assert entry.objects == 2
    assert [value for value, _ in await told(placed)] == [900]


OTHER = "https://example.org/vocabulary#fillingLevel"


@pytest.mark.parametrize("place", PLACES)
async def test_the_past_of_what_nobody_has_any_more_goes_by_whatever_vocabulary(
    archived: Archived, access: SqliteAccessStore, place: str
) -> None:
    old = msgspec.structs.replace(level(1, OLD), name=OTHER)
    made = bin_(1, old, note("kept"))
    foreign = msgspec.structs.replace(made, types=("https://example.org/other/WasteContainer",))
    await archived.store.write(TENANT, [foreign])
    await archived.store.write(TENANT, [bin_(1, mode=Mode.DELETE_ATTRIBUTE, removals=((OTHER, "*"),))])
    if place == "archive":
        await archived.run()

    [entry] = await execute(archived, access, purpose())

    assert (entry.count, entry.objects) == (1, 1)
    history = await archived.store.history(TENANT, bin_id(1), TemporalQuery())
    assert history is not None
    assert [one.value for of_key in history.instances.values() for one in of_key] == ["kept"]
    assert await execute(archived, access, purpose()) == []


class Stopped(Exception):
    """As if the process had been killed there."""


class Stopping:
    """A store whose process is stopped before or after its n-th change."""

    def __init__(self, archived: Archived, at: int, *, after: bool) -> None:
        self._store = archived.store
        self._left = at
        self._after = after

    def __getattr__(self, name: str) -> Any:
        act = getattr(self._store, name)
        if name not in ("erase", "condense", "write"):
            return act

        async def counted(*given: Any) -> Any:
            self._left -= 1
            if self._left == 0 and not self._after:
                raise Stopped
            answer = await act(*given)
            if self._left == 0:
                raise Stopped
            return answer

        return counted


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("at", [1, 2])
@pytest.mark.parametrize("declared", [purpose(), SUMS], ids=["erase", "aggregate"])
async def test_who_is_stopped_on_the_way_loses_nothing_and_counts_nothing_twice(
    archived: Archived, access: SqliteAccessStore, declared: Purpose, at: int, *, after: bool
) -> None:
    for number in (1, 2):
        await archived.store.write(TENANT, [bin_(number, *readings((0, 1, 30, 900)), keep_newest=True)])
    stopping: Any = Stopping(archived, at, after=after)
    with pytest.raises(Stopped):
        await Retention(stopping, access, TENANT, PARIS, lambda: NOON).execute([declared], lambda _part, _words: None)
    assert access.privacy.list_ledger(TENANT) == []

    told_now = await execute(archived, access, declared)

    is_sum = declared is SUMS
    assert [(one.count, one.objects, one.made) for one in told_now] == [(6, 2, 4 if is_sum else 0)]
    assert access.privacy.list_steps(TENANT) == []
    for number in (1, 2):
        left = [value for value, _ in await told(archived, number)]
        assert left == ([1, 30, 900] if is_sum else [900])


class Meanwhile:
    """A store into which a value comes just before the first time that something gives way there."""

    def __init__(self, archived: Archived, put: Instance) -> None:
        self._store = archived.store
        self._coming = [put]

    def __getattr__(self, name: str) -> Any:
        act = getattr(self._store, name)
        if name != "condense":
            return act

        async def late(*given: Any) -> Any:
            if self._coming:
                await self._store.write(TENANT, [bin_(1, self._coming.pop(), keep_newest=True)])
            return await act(*given)

        return late


async def test_what_comes_while_its_day_is_summed_up_is_summed_up_with_it(
    placed: Archived, access: SqliteAccessStore
) -> None:
    meanwhile: Any = Meanwhile(placed, level(7, OLD + 90 * MINUTE))

    await Retention(meanwhile, access, TENANT, PARIS, lambda: NOON).execute([SUMS], lambda _part, _words: None)

    assert await told(placed) == [(1 + 7, 0.0), (30, 24.0), (900, 900.0)]
    assert await execute(placed, access, SUMS) == []


@pytest.mark.parametrize("at", [1, 2])
async def test_who_goes_on_after_a_stop_does_what_is_declared_by_now(
    archived: Archived, access: SqliteAccessStore, at: int
) -> None:
    for number in (1, 2):
        await archived.store.write(TENANT, [bin_(number, *readings((0, 30, 900)), keep_newest=True)])
    stopping: Any = Stopping(archived, at, after=False)
    with pytest.raises(Stopped):
        await Retention(stopping, access, TENANT, PARIS, lambda: NOON).execute([purpose()], lambda _part, _words: None)

    told_now = await execute(archived, access, purpose(keep="P1Y"))

    assert await told(archived, 2) == [(0, 0.0), (30, 30.0), (900, 900.0)]
    assert [(one.count, one.objects) for one in told_now] == ([] if at == 1 else [(2, 1)])
    assert access.privacy.list_steps(TENANT) == []


async def test_a_run_ends_once_it_is_switched_off(archived: Archived, access: SqliteAccessStore) -> None:
    await archived.store.write(TENANT, [bin_(1, *readings((0, 900)), note("old", observed_at=OLD), keep_newest=True)])
    covers = [msgspec.structs.replace(purpose().covers[0], attributes=(name,)) for name in ("fillingLevel", "note")]
    both = msgspec.structs.replace(purpose(), covers=tuple(covers))
    asked = iter((True, False))

    [entry] = await of(archived, access).execute([both], lambda _part, _words: None, lambda: next(asked))

    assert entry.count == 1
    assert await foresee(archived, access, both) != []


async def test_texts_are_counted_and_erased_too(archived: Archived, access: SqliteAccessStore) -> None:
    notes = Cover(type="WasteContainer", attributes=("note",), keep="P30D")
    words = Purpose(id="notes", name={"en": "Notes"}, basis="a", covers=(notes,))
    seen = [note(text, observed_at=OLD + place * HOUR) for place, text in enumerate(("a", "b"))]
    await archived.store.write(TENANT, [bin_(1, *seen, keep_newest=True)])

    [entry] = await execute(archived, access, words)

    assert entry.count == 2
    history = await archived.store.history(TENANT, bin_id(1), TemporalQuery())
    assert history is None or (NOTE, "") not in history.instances


async def test_values_of_one_instant_are_summed_up_however_many_there_are(
    archived: Archived, access: SqliteAccessStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("parvis.access.privacy.past.PAGE", 3)
    for number in range(10):
        await archived.store.write(TENANT, [bin_(1, level(number, OLD), keep_newest=True)])
    await archived.store.write(TENANT, [bin_(1, *readings((1, 30, 900)), keep_newest=True)])
    with monkeypatch.context() as patch:
        patch.setattr("parvis.access.privacy.past.MOST_AT_AN_INSTANT", 9)
        with pytest.raises(Overloaded):
            await execute(archived, access, SUMS)
    assert len(await told(archived)) == 13

    [entry] = await execute(archived, access, SUMS)

    assert entry.count == 12
    assert await told(archived) == [(sum(range(10)) + 1, 0.0), (30, 24.0), (900, 900.0)]


async def test_long_series_are_read_in_pages(
    archived: Archived, access: SqliteAccessStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("parvis.access.privacy.past.PAGE", 3)
    other = "urn:ngsi-ld:Dataset:other"
    many = [level(1, OLD + quarter * 15 * MINUTE) for quarter in range(40)]
    beside = [level(2, OLD + hour * HOUR, dataset=other) for hour in range(10)]
    await archived.store.write(TENANT, [bin_(1, *many, *beside, level(900, NOON), keep_newest=True)])

    [entry] = await execute(archived, access, SUMS)

    assert (entry.count, entry.made) == (50, 2)
    history = await archived.store.history(TENANT, bin_id(1), TemporalQuery())
    assert history is not None
    assert [one.value for one in history.instances[LEVEL, ""]] == [40, 900]
    assert [one.value for one in history.instances[LEVEL, other]] == [20]
