"""What every store keeps of subscriptions, of what became of their notifications, and of dead letters."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace

from parvis.broker.jsonld.render import Form
from parvis.broker.ports.subscriptions import SubscriptionStore
from parvis.broker.query.linking import Join
from parvis.broker.query.projection import NOTHING, Projection
from parvis.broker.query.tree import (
    And,
    AnyType,
    Compare,
    Exists,
    GeoQuery,
    GeoRelation,
    Linked,
    Missing,
    OneOf,
    Operator,
    Range,
    ScopeQuery,
    TypeIs,
)
from parvis.broker.query.tree import Path as Way
from parvis.broker.subscriptions.model import (
    Accept,
    DeadLetter,
    Deliveries,
    Endpoint,
    Note,
    NotificationParams,
    Selector,
    Subscription,
    Trigger,
)
from parvis.kernel.errors import (
    AlreadyExists,
    BadRequestData,
    NonexistentTenant,
    ResourceNotFound,
    TooManySubscriptions,
)
from parvis.kernel.identity import OPERATOR
from parvis.stores.postgres.database import EVERY_TENANT, Database, Pool
from parvis.stores.postgres.subscriptions import PostgresSubscriptions
from parvis.stores.sqlite.store import SqliteStore
from tests.contract.territory import BIN, LEVEL, NOON, PLACE, TENANT, bin_, level

OTHER = "port"
FIRST = "urn:ngsi-ld:Subscription:first"
SECOND = "urn:ngsi-ld:Subscription:second"

Position = Callable[[str], Awaitable[int | None]]


class Opened:
    """A store with a second way in, as another process has it, and what its outbox knows."""

    def __init__(
        self,
        store: SubscriptionStore,
        other: SubscriptionStore,
        write: Callable[[], Awaitable[int]],
        position: Position,
    ) -> None:
        self.store = store
        self.other = other
        self.write = write
        self.position = position


def wish(subscription_id: str = FIRST, tenant: str = TENANT) -> Subscription:
    endpoint = Endpoint("http://receiver.example/bins", receiver_info=(("Authorization", "secret"),))
    return Subscription(
        tenant, subscription_id, NotificationParams(endpoint), (Selector(TypeIs(BIN)),), rights=OPERATOR.value
    )


@asynccontextmanager
async def on_sqlite(path: Path | str) -> AsyncIterator[Opened]:
    store = await SqliteStore.open(path)
    await store.add_tenant(OTHER)

    async def write() -> int:
        await store.write(TENANT, [bin_(1, level(1))])
        return await store.newest()

    async def position(consumer: str) -> int | None:
        sql = "SELECT seq FROM consumer WHERE name = ?"
        row = await store._reader.read(lambda connection: connection.execute(sql, (consumer,)).fetchone())
        return None if row is None else int(row[0])

    yield Opened(store.subscriptions, store.subscriptions, write, position)
    await store.close()


@asynccontextmanager
async def on_postgres(url: str) -> AsyncIterator[Opened]:
    database = Database(url)
    database.prepare()
    with database.connect() as connection:
        for name in (TENANT, OTHER):
            connection.execute("INSERT INTO tenant (name) VALUES (%s)", (name,))
    pool = Pool(database, 2, "subscriptions")

    async def write() -> int:
        sql = "UPDATE numbers SET event = event + 1 RETURNING event"
        row = await pool.run(EVERY_TENANT, lambda connection: connection.execute(sql).fetchone())
        assert row is not None
        return int(row[0])

    async def position(consumer: str) -> int | None:
        sql = "SELECT seq FROM consumer WHERE name = %s"
        row = await pool.run(EVERY_TENANT, lambda connection: connection.execute(sql, (consumer,)).fetchone())
        return None if row is None else int(row[0])

    yield Opened(PostgresSubscriptions(pool), PostgresSubscriptions(pool), write, position)
    pool.close()


@pytest.fixture(params=["sqlite", "sqlite-memory", "postgres"])
async def opened(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Opened]:
    if request.param == "postgres":
        opening = on_postgres(request.getfixturevalue("postgres_url"))
    else:
        opening = on_sqlite(":memory:" if request.param == "sqlite-memory" else tmp_path / "parvis.db")
    async with opening as opened:
        yield opened


async def test_a_tenant_has_no_more_than_it_may(opened: Opened) -> None:
    await opened.store.add(wish(FIRST), 1)
    before = await opened.store.version()
    with pytest.raises(TooManySubscriptions, match="at most 1 "):
        await opened.store.add(wish(SECOND), 1)
    with pytest.raises(AlreadyExists):
        await opened.store.add(wish(FIRST), 1)
    assert await opened.position(wish(SECOND).consumer) is None
    assert [one.subscription.id for one in await opened.store.list_all()] == [FIRST]
    assert await opened.store.version() == before
    await opened.store.add(wish(FIRST, OTHER), 1)
    await opened.store.remove(TENANT, FIRST)
    await opened.store.add(wish(SECOND), 1)


async def test_of_many_that_come_at_once_no_more_are_taken_than_may_be(opened: Opened) -> None:
    names = [f"urn:ngsi-ld:Subscription:{number}" for number in range(12)]
    ways = (opened.store, opened.other)
    adding = (ways[number % 2].add(wish(name), 5) for number, name in enumerate(names))
    outcomes = await asyncio.gather(*adding, return_exceptions=True)
    assert sum(outcome is None for outcome in outcomes) == 5
    assert all(isinstance(outcome, TooManySubscriptions) for outcome in outcomes if outcome is not None)
    assert (await opened.store.list_page(TENANT, 20)).total == 5


async def test_a_subscription_comes_back_as_it_went_in(opened: Opened) -> None:
    everything = Subscription(
        TENANT,
        FIRST,
        NotificationParams(
            Endpoint("mqtt://broker/bins", Accept.GEO_JSON, 500, 9000, (("A", "é\t~"),), (("MQTT-QoS", "1"),)),
            (LEVEL,),
            Projection({"id": None, LEVEL: Projection({"id": None, PLACE: NOTHING})}),
            Projection({PLACE: None}),
            Form.CONCISE,
            sys_attrs=True,
            show_changes=True,
            join=Join.INLINE,
            join_level=3,
        ),
        (Selector(AnyType((TypeIs(BIN), TypeIs(LEVEL))), None, "^urn"), Selector(None, "urn:x:1")),
        (LEVEL,),
        (Trigger.ENTITY_DELETED, Trigger.ATTRIBUTE_CREATED),
        "bins",
        "« pleins » \x00",
        None,
        And(
            (
                Compare(Way(LEVEL, ("observedAt",)), Operator.GREATER, "2026-01-01T00:00:00Z"),
                Compare(Way(LEVEL), Operator.EQUAL, OneOf((1, 2.5, "a", True))),
                Compare(Way(LEVEL), Operator.EQUAL, Range(1, 2)),
                Exists(Way(LEVEL, (), ("a", "b"))),
                Linked(PLACE, TypeIs(BIN), Missing(Way(LEVEL))),
            )
        ),
        "q",
        GeoQuery(GeoRelation.NEAR, {"type": "Point", "coordinates": [-3.1, 48]}, PLACE, 20.0),
        ScopeQuery((("/a/#", "/b"),)),
        "/a/#;/b",
        (LEVEL,),
        (PLACE,),
        "operator",
        local_only=True,
        split_entities=False,
        conformance="1.6",
        datasets=("urn:ngsi-ld:Dataset:1",),
        lang="fr,en;q=0.5",
        is_active=False,
        expires_at=NOON,
        throttling_s=0.5,
        jsonld_context="https://example.org/c",
        context=["https://example.org/c", {"a": "urn:x:a"}],
        creator="odile",
        rights=OPERATOR.value,
        created_at=NOON,
        modified_at=NOON + 1,
    )
    await opened.store.add(everything)

    found = await opened.store.find(TENANT, FIRST)

    assert found is not None
    assert found.subscription == everything
    assert found.deliveries == Deliveries()
    assert found.subscription.reader.rights is OPERATOR


async def test_it_begins_at_the_newest_event_and_its_consumer_goes_with_it(opened: Opened) -> None:
    newest = await opened.write()
    await opened.store.add(wish())
    found = await opened.store.find(TENANT, FIRST)

    assert found is not None
    assert found.position == newest
    assert await opened.position(wish().consumer) == newest
    assert await opened.store.remove(TENANT, FIRST)
    assert await opened.position(wish().consumer) is None
    assert not await opened.store.remove(TENANT, FIRST)


async def test_a_late_note_does_not_bring_a_consumer_back(opened: Opened) -> None:
    """Else the outbox would keep every event for nobody."""
    await opened.store.add(wish())
    await opened.store.remove(TENANT, FIRST)

    await opened.store.note([Note(TENANT, FIRST, position=7, sent=1, last_notification=NOON)])

    assert await opened.position(wish().consumer) is None
    assert await opened.store.find(TENANT, FIRST) is None


async def test_an_id_is_taken_once_in_a_tenant(opened: Opened) -> None:
    await opened.store.add(wish())
    await opened.store.add(wish(tenant=OTHER))

    with pytest.raises(AlreadyExists):
        await opened.store.add(wish())
    with pytest.raises(NonexistentTenant):
        await opened.store.add(wish(tenant="nowhere"))


async def test_a_tenant_sees_only_its_own(opened: Opened) -> None:
    await opened.store.add(wish())

    assert await opened.store.find(OTHER, FIRST) is None
    assert await opened.store.find("nowhere", FIRST) is None
    assert (await opened.store.list_page(OTHER, 10)).total == 0
    assert not await opened.store.remove(OTHER, FIRST)
    with pytest.raises(ResourceNotFound):
        await opened.store.change(OTHER, FIRST, lambda one: one)


async def test_pages_follow_the_order_of_creation(opened: Opened) -> None:
    ids = [f"urn:ngsi-ld:Subscription:{number}" for number in (3, 1, 2)]
    for one in ids:
        await opened.store.add(wish(one))
    await opened.store.add(wish(tenant=OTHER))

    first = await opened.store.list_page(TENANT, 2)
    rest = await opened.store.list_page(TENANT, 2, 2)

    assert [one.subscription.id for one in (*first.subscribed, *rest.subscribed)] == ids
    assert first.total == rest.total == 3
    assert len(await opened.store.list_all()) == 4


async def test_changes_that_meet_come_one_after_the_other(opened: Opened) -> None:
    await opened.store.add(wish())

    def longer(one: Subscription) -> Subscription:
        return replace(one, name=(one.name or "") + "x")

    await asyncio.gather(*[opened.store.change(TENANT, FIRST, longer) for _ in range(8)])

    found = await opened.store.find(TENANT, FIRST)
    assert found is not None
    assert found.subscription.name == "x" * 8


async def test_a_refused_change_leaves_it_as_it_was(opened: Opened) -> None:
    await opened.store.add(wish())
    version = await opened.store.version()

    def refuse(_: Subscription) -> Subscription:
        raise BadRequestData("no")

    with pytest.raises(BadRequestData):
        await opened.store.change(TENANT, FIRST, refuse)

    found = await opened.store.find(TENANT, FIRST)
    assert found is not None
    assert found.subscription == wish()
    assert await opened.store.version() == version


async def test_every_change_is_heard_of_in_this_and_in_other_processes(opened: Opened) -> None:
    version = await opened.store.version()
    here = asyncio.create_task(opened.store.wait(version))
    there = asyncio.create_task(opened.other.wait(version))
    await asyncio.sleep(0.05)
    assert not here.done()

    await opened.store.add(wish())

    async with asyncio.timeout(0.5):
        added = await here
    async with asyncio.timeout(3):
        assert await there == added
    await opened.store.change(TENANT, FIRST, lambda one: replace(one, is_active=False))
    changed = await opened.store.version()
    await opened.store.remove(TENANT, FIRST)
    assert len({version, added, changed, await opened.store.version()}) == 4


async def test_notes_add_up_and_move_the_consumer(opened: Opened) -> None:
    await opened.store.add(wish())
    version = await opened.store.version()

    await opened.store.note([Note(TENANT, FIRST, 5, 2, 0, NOON, NOON)])
    await opened.store.note([Note(TENANT, FIRST, 9), Note(TENANT, "urn:x:gone", 9, 1, 0, NOON)])
    await opened.store.note([Note(TENANT, FIRST, None, 1, 1, NOON + 2, None, NOON + 2, "503")])

    found = await opened.store.find(TENANT, FIRST)
    assert found is not None
    assert found.deliveries == Deliveries(3, 1, NOON + 2, NOON, NOON + 2, "503")
    assert found.position == 9
    assert await opened.position(wish().consumer) == 9
    assert await opened.store.version() == version, "counting is no change that anybody waits for"


async def test_an_attempt_and_what_came_of_it_may_be_noted_apart(opened: Opened) -> None:
    await opened.store.add(wish())
    await opened.store.note([Note(TENANT, FIRST, sent=1, last_notification=NOON)])
    await opened.store.note([Note(TENANT, FIRST, last_success=NOON + 1)])

    found = await opened.store.find(TENANT, FIRST)
    assert found is not None
    assert found.deliveries == Deliveries(1, 0, NOON, NOON + 1)


async def test_a_note_of_who_leads_no_more_moves_nothing_back(opened: Opened) -> None:
    await opened.store.add(wish())
    await opened.store.note([Note(TENANT, FIRST, position=90)])
    await opened.store.note([Note(TENANT, FIRST, position=50)])
    assert await opened.position(wish().consumer) == 90


def letter(event: int, subscription_id: str = FIRST, tenant: str = TENANT) -> DeadLetter:
    return DeadLetter(
        tenant,
        subscription_id,
        NOON + event,
        "urn:ngsi-ld:WasteContainer:1",
        event,
        "http://receiver.example/bins",
        "answered 404",
        3,
        b'{"id":"\xc3\xa9"}',
        {"Content-Type": "application/json", "Link": "<x>"},
    )


async def test_dead_letters_are_found_newest_first(opened: Opened) -> None:
    await opened.store.add(wish())
    await opened.store.add(wish(SECOND))
    await opened.store.bury([letter(1), letter(2, SECOND), letter(3)], keep=100)

    everything = await opened.store.list_letters(TENANT)
    page = await opened.store.list_letters(TENANT, limit=1)
    following = await opened.store.list_letters(TENANT, limit=2, before=page.letters[0].number)

    assert [one.event for one in everything.letters] == [3, 2, 1]
    assert [one.event for one in (*page.letters, *following.letters)] == [3, 2, 1]
    assert everything.total == 3
    assert replace(everything.letters[2], number=0) == letter(1)
    assert [one.event for one in (await opened.store.list_letters(TENANT, SECOND)).letters] == [2]
    assert await opened.store.find_letter(TENANT, page.letters[0].number) == page.letters[0]
    assert await opened.store.count_letters() == {(TENANT, FIRST): 2, (TENANT, SECOND): 1}


async def test_of_dead_letters_the_oldest_go(opened: Opened) -> None:
    await opened.store.add(wish())
    await opened.store.add(wish(SECOND))

    assert await opened.store.bury([letter(event) for event in range(5)] + [letter(9, SECOND)], keep=3) == 2
    assert await opened.store.bury([letter(5)], keep=3) == 1
    assert await opened.store.bury([letter(7, "urn:x:gone")], keep=3) == 0

    assert [one.event for one in (await opened.store.list_letters(TENANT, FIRST)).letters] == [5, 4, 3]
    assert (await opened.store.list_letters(TENANT, SECOND)).total == 1


async def test_dead_letters_are_removed_by_number_within_their_tenant(opened: Opened) -> None:
    await opened.store.add(wish())
    await opened.store.add(wish(tenant=OTHER))
    await opened.store.bury([letter(1), letter(2), letter(3, tenant=OTHER)], keep=9)
    numbers = [one.number for one in (await opened.store.list_letters(TENANT)).letters]
    [foreign] = [one.number for one in (await opened.store.list_letters(OTHER)).letters]

    assert await opened.store.find_letter(TENANT, foreign) is None
    assert await opened.store.remove_letters(TENANT, [numbers[0], foreign, 10**9]) == 1
    assert (await opened.store.list_letters(OTHER)).total == 1
    assert await opened.store.remove(TENANT, FIRST)
    assert (await opened.store.list_letters(TENANT)).total == 0
    assert await opened.store.find_letter(TENANT, numbers[1]) is None


async def test_subscriptions_outlast_the_process(tmp_path: Path) -> None:
    path = tmp_path / "parvis.db"
    async with on_sqlite(path) as before:
        await before.store.add(wish())
    async with on_sqlite(path) as after:
        assert (await after.store.list_all())[0].subscription == wish()
