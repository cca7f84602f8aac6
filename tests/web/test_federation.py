"""Where context sources notify: an address that is known to who was given it, and to nobody else."""

import httpx

from parvis.bootstrap import Platform
from parvis.broker.sources.copies import Copy
from parvis.broker.sources.model import Registration
from parvis.broker.sources.subscribe import NOTIFIED_AT
from parvis.broker.subscriptions.model import Endpoint, NotificationParams, Subscription
from parvis.kernel.identity import DEFAULT_TENANT

BINS = "urn:ngsi-ld:Subscription:bins"
TOKEN = "z" * 43
NOTIFICATION = {"id": "urn:x:1", "type": "Notification", "subscriptionId": "urn:x:remote", "data": []}


async def test_a_source_needs_no_account(visitor: httpx.AsyncClient, platform: Platform) -> None:
    registration = Registration(DEFAULT_TENANT, "urn:x:syndicate", "http://syndicate.example")
    params = NotificationParams(Endpoint("http://reader.example"))
    await platform.notifications.subscriptions.add(Subscription(DEFAULT_TENANT, BINS, params))
    sources = platform.federation.relay.sources
    await sources.add_copy(Copy(registration, BINS, "urn:x:remote", TOKEN, None))
    assert (await visitor.post(f"{NOTIFIED_AT}{TOKEN}", json=NOTIFICATION)).status_code == 204
    other = NOTIFICATION | {"subscriptionId": "urn:x:other"}
    assert (await visitor.post(f"{NOTIFIED_AT}{TOKEN}", json=other)).status_code == 404
    assert (await visitor.post(f"{NOTIFIED_AT}{TOKEN}", content=b"[")).status_code == 400


async def test_what_nobody_was_given_is_not_found(visitor: httpx.AsyncClient) -> None:
    assert (await visitor.post(f"{NOTIFIED_AT}{TOKEN}", json=NOTIFICATION)).status_code == 404
    assert (await visitor.post(f"{NOTIFIED_AT}{'z' * 200}", json=NOTIFICATION)).status_code in (400, 404)
    assert (await visitor.get(f"{NOTIFIED_AT}{TOKEN}")).status_code == 405
