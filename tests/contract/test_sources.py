"""What every store keeps of context sources, and of who is told of them."""

import asyncio

import pytest
from msgspec.structs import replace

from parvis.broker.ports.leases import Fence
from parvis.broker.ports.sources import Others
from parvis.broker.ports.store import Outrun, Store
from parvis.broker.sources.copies import Copy
from parvis.broker.sources.model import EntityInfo, Registration, RegistrationInfo, RegistrationMode, TimeInterval
from parvis.broker.sources.subscription import NOTHING_YET, SourceSubscription, Standing
from parvis.broker.subscriptions.model import Deliveries, Endpoint, NotificationParams, Subscription
from parvis.kernel.errors import (
    AlreadyExists,
    Conflict,
    NonexistentTenant,
    ResourceNotFound,
    TooManyRegistrations,
    TooManySubscriptions,
)
from tests.contract.territory import BIN, LEVEL, NOON, TENANT

FIRST = "urn:ngsi-ld:ContextSourceRegistration:syndicate"
SECOND = "urn:ngsi-ld:ContextSourceRegistration:county"


def registration(urn: str = FIRST, tenant: str = TENANT) -> Registration:
    return Registration(
        tenant,
        urn,
        "http://syndicate.example/ngsi-ld/v1",
        (RegistrationInfo((EntityInfo((BIN,), id_pattern="port"),), (LEVEL,)),),
        RegistrationMode.REDIRECT,
        source_info=(("X-Key", "secret"),),
        observation_interval=TimeInterval(NOON),
        location={"type": "Point", "coordinates": [-3.1, 48.2]},
        properties={"https://example.org/owner": {"type": "Property", "value": "syndicate"}},
        created_at=NOON,
        modified_at=NOON,
    )


def subscription(urn: str = "urn:ngsi-ld:Subscription:sources", tenant: str = TENANT) -> SourceSubscription:
    params = NotificationParams(Endpoint("http://town.example/notify"))
    return SourceSubscription(Subscription(tenant, urn, params), csf_text="endpoint", temporal_given={"timerel": "x"})


def agree(_: Others) -> None:
    pass


async def test_a_registration_comes_out_as_it_went_in(store: Store) -> None:
    await store.sources.add(registration(), agree)
    await store.sources.add(registration(SECOND), agree)
    assert await store.sources.find(TENANT, FIRST) == registration()
    assert [one.id for one in await store.sources.list_all()] == [FIRST, SECOND]
    assert await store.sources.find(TENANT, "urn:ngsi-ld:ContextSourceRegistration:none") is None


async def test_an_id_is_taken_once_in_a_tenant_and_once_in_another(store: Store) -> None:
    await store.add_tenant("port")
    await store.sources.add(registration(), agree)
    with pytest.raises(AlreadyExists):
        await store.sources.add(registration(), agree)
    await store.sources.add(registration(tenant="port"), agree)
    assert await store.sources.find("port", FIRST) == registration(tenant="port")
    assert await store.sources.remove("port", FIRST)
    assert await store.sources.find(TENANT, FIRST) is not None


async def test_the_check_sees_those_of_the_tenant_and_what_it_refuses_is_not_kept(store: Store) -> None:
    await store.add_tenant("port")
    await store.sources.add(registration(tenant="port"), agree)
    await store.sources.add(registration(), agree)
    seen: list[str] = []

    def refuse(others: Others) -> None:
        seen.extend(f"{one.tenant} {one.id}" for one in others)
        raise Conflict("no")

    with pytest.raises(Conflict):
        await store.sources.add(registration(SECOND), refuse)
    assert seen == [f"{TENANT} {FIRST}"]
    assert await store.sources.find(TENANT, SECOND) is None


async def test_a_tenant_has_its_bound_and_must_be_there(store: Store) -> None:
    await store.sources.add(registration(), agree, most=1)
    with pytest.raises(TooManyRegistrations):
        await store.sources.add(registration(SECOND), agree, most=1)
    with pytest.raises(NonexistentTenant):
        await store.sources.add(registration(tenant="nowhere"), agree)
    assert not await store.sources.remove("nowhere", FIRST)


async def test_a_change_sees_the_others_and_takes_the_place(store: Store) -> None:
    await store.sources.add(registration(), agree)
    await store.sources.add(registration(SECOND), agree)
    seen: list[str] = []

    def move(one: Registration, others: Others) -> Registration:
        seen.extend(other.id for other in others)
        return replace(one, endpoint="http://county.example")

    await store.sources.change(TENANT, SECOND, move)
    found = await store.sources.find(TENANT, SECOND)
    assert found is not None
    assert found.endpoint == "http://county.example"
    assert seen == [FIRST, SECOND]
    with pytest.raises(ResourceNotFound):
        await store.sources.change(TENANT, "urn:ngsi-ld:ContextSourceRegistration:none", move)


async def test_every_change_has_another_version_and_wakes_who_waits(store: Store) -> None:
    versions = [await store.sources.version()]
    waiting = asyncio.create_task(store.sources.wait(versions[0]))
    await store.sources.add(registration(), agree)
    assert await asyncio.wait_for(waiting, 5) != versions[0]
    versions.append(await store.sources.version())
    await store.sources.change(TENANT, FIRST, lambda one, _: one)
    versions.append(await store.sources.version())
    await store.sources.add_subscription(subscription())
    versions.append(await store.sources.version())
    await store.sources.remove(TENANT, FIRST)
    versions.append(await store.sources.version())
    assert len(set(versions)) == len(versions)


async def test_a_subscription_comes_out_with_what_was_told(store: Store) -> None:
    one = subscription()
    await store.sources.add_subscription(one, most=1)
    with pytest.raises(AlreadyExists):
        await store.sources.add_subscription(one)
    with pytest.raises(TooManySubscriptions):
        await store.sources.add_subscription(subscription("urn:ngsi-ld:Subscription:more"), most=1)
    found = await store.sources.find_subscription(TENANT, one.id)
    assert found is not None
    assert (found.subscription, found.standing) == (one, NOTHING_YET)
    standing = Standing(Deliveries(2, 1, NOON, NOON, NOON, "away"), {FIRST: NOON}, 1, NOON + 1, NOON)
    version = await store.sources.version()
    await store.sources.note(TENANT, one.id, standing)
    assert await store.sources.version() == version, "what was told is no change that has to be told"
    [again] = await store.sources.list_all_subscriptions()
    assert again.standing == standing
    page = await store.sources.list_subscriptions(TENANT, 10)
    assert (page.total, page.subscribed[0].standing) == (1, standing)
    assert (await store.sources.list_subscriptions(TENANT, 10, 1)).subscribed == ()


async def test_a_change_of_a_subscription_leaves_what_was_told(store: Store) -> None:
    one = subscription()
    await store.sources.add_subscription(one)
    await store.sources.note(TENANT, one.id, Standing(told={FIRST: NOON}))
    await store.sources.change_subscription(TENANT, one.id, lambda before: replace(before, csf_text="mode"))
    found = await store.sources.find_subscription(TENANT, one.id)
    assert found is not None
    assert found.subscription.csf_text == "mode"
    assert found.standing.told == {FIRST: NOON}
    assert await store.sources.remove_subscription(TENANT, one.id)
    assert not await store.sources.remove_subscription(TENANT, one.id)
    await store.sources.note(TENANT, one.id, Standing())
    assert await store.sources.list_all_subscriptions() == []


async def test_who_no_longer_leads_notes_nothing(store: Store) -> None:
    one = subscription()
    await store.sources.add_subscription(one)
    await store.take("telling", "first", 60)
    await store.sources.note(TENANT, one.id, Standing(failures=1), Fence("telling", "first"))
    with pytest.raises(Outrun):
        await store.sources.note(TENANT, one.id, Standing(failures=2), Fence("telling", "second"))
    found = await store.sources.find_subscription(TENANT, one.id)
    assert found is not None
    assert found.standing.failures == 1


def copy_of(urn: str = "urn:ngsi-ld:Subscription:bins", token: str = "t1", registered: str = FIRST) -> Copy:
    return Copy(registration(registered), urn, f"urn:ngsi-ld:Subscription:{token}", token, "https://x.example/c.jsonld")


async def test_a_copy_comes_out_as_it_went_in_by_its_token(store: Store) -> None:
    copy = replace(copy_of(), sent={"id": "urn:ngsi-ld:Subscription:t1", "entities": [{"type": "Bin"}]})
    assert await store.sources.add_copy(copy)
    assert await store.sources.find_copy("t1") == copy
    assert await store.sources.find_copy("t2") is None
    assert await store.sources.list_copies() == [copy]


async def test_a_subscription_has_one_copy_at_each_source(store: Store) -> None:
    assert await store.sources.add_copy(copy_of())
    assert not await store.sources.add_copy(copy_of(token="t2"))
    assert await store.sources.add_copy(copy_of(token="t3", registered=SECOND))
    assert [one.token for one in await store.sources.list_copies()] == ["t1", "t3"]


async def test_a_copy_of_a_tenant_that_is_not_there_is_not_kept(store: Store) -> None:
    nowhere = replace(copy_of(), registration=registration(tenant="nowhere"))
    assert not await store.sources.add_copy(nowhere)


async def test_a_copy_is_changed_and_dropped_by_its_token(store: Store) -> None:
    await store.sources.add_copy(copy_of())
    await store.sources.change_copy(replace(copy_of(token="t2"), sent={}))
    assert await store.sources.list_copies() == [copy_of()]
    await store.sources.change_copy(replace(copy_of(), sent={}))
    assert await store.sources.list_copies() == [replace(copy_of(), sent={})]
    await store.sources.drop_copy(copy_of(token="t2"))
    await store.sources.drop_copy(copy_of())
    assert await store.sources.list_copies() == []


async def test_copies_are_no_change_of_registrations(store: Store) -> None:
    version = await store.sources.version()
    await store.sources.add_copy(copy_of())
    assert await store.sources.version() == version
