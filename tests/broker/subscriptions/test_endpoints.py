"""Where a subscription may send, by the very guard that stands before every call."""

from collections.abc import AsyncIterator

import pytest

from parvis.broker.jsonld.contexts import Contexts
from parvis.broker.subscriptions.subscriptions import Subscriptions
from parvis.kernel.errors import Forbidden, Unauthenticated
from parvis.kernel.identity import ANONYMOUS, DEFAULT_TENANT, OPERATOR, Caller, Right
from parvis.kernel.outbound import AddressRefused
from parvis.kernel.settings import OutboundSettings
from parvis.outbound.client import GuardedClient
from parvis.stores.sqlite.store import SqliteStore

ODILE = Caller(DEFAULT_TENANT, "odile", OPERATOR)
CONTEXT = Contexts().parvis


@pytest.fixture
async def store() -> AsyncIterator[SqliteStore]:
    store = await SqliteStore.open(":memory:")
    yield store
    await store.close()


async def subscribe(store: SqliteStore, uri: str, allow: tuple[str, ...] = (), caller: Caller = ODILE) -> str:
    document = {
        "type": "Subscription",
        "entities": [{"type": "WasteContainer"}],
        "notification": {"endpoint": {"uri": uri}},
    }
    async with GuardedClient(OutboundSettings(allow=allow)) as client:
        made = await Subscriptions(store.subscriptions, client.check).create(caller, document, CONTEXT)
    return made.id


@pytest.mark.parametrize(
    "uri",
    [
        "http://127.0.0.1/bins",
        "http://localhost:9000/bins",
        "https://10.1.2.3/bins",
        "http://[::1]/bins",
        "http://[::ffff:10.1.2.3]/bins",
        "http://169.254.169.254/latest/meta-data",
        "mqtt://10.1.2.3/bins",
        "mqtts://[fd00::1]:8884/bins",
        "http://2130706433/bins",
    ],
)
async def test_into_a_private_network_it_may_not_send(store: SqliteStore, uri: str) -> None:
    with pytest.raises(AddressRefused):
        await subscribe(store, uri)
    assert await store.subscriptions.list_all() == []


@pytest.mark.parametrize("uri", ["http://127.0.0.1:9000/bins", "mqtt://odile:hush@127.0.0.1/bins", "mqtt://[::1]/bins"])
async def test_into_one_that_is_allowed_it_may(store: SqliteStore, uri: str) -> None:
    subscription_id = await subscribe(store, uri, ("127.0.0.0/8", "::1/128"))
    found = await store.subscriptions.find(DEFAULT_TENANT, subscription_id)
    assert found is not None
    assert found.subscription.notification.endpoint.uri == uri


async def test_secrets_are_in_no_text_of_it(store: SqliteStore) -> None:
    subscription_id = await subscribe(store, "mqtt://odile:hush@127.0.0.1/bins", ("127.0.0.0/8",))
    found = await store.subscriptions.find(DEFAULT_TENANT, subscription_id)
    assert "hush" not in repr(found)


async def test_who_may_not_write_hears_why(store: SqliteStore) -> None:
    reader = Caller(DEFAULT_TENANT, "erwan", Right.READ)
    with pytest.raises(Forbidden, match="erwan may not subscribe"):
        await subscribe(store, "https://receiver.example/", caller=reader)
    with pytest.raises(Unauthenticated):
        await subscribe(store, "https://receiver.example/", caller=Caller(DEFAULT_TENANT, ANONYMOUS, Right.READ_PUBLIC))
