"""Two processes on one PostgreSQL, as their visitors meet them. Here both run in one event loop."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest
from prometheus_client import CollectorRegistry, Counter

from parvis.access.access import COMMAND_LINE
from parvis.bootstrap import Platform, open_platform
from parvis.broker.model.change import Change, Mode
from parvis.broker.model.entity import Instance, Kind
from parvis.broker.query.tree import TemporalQuery, TypeIs
from parvis.broker.subscriptions import delivery, notifications
from parvis.broker.subscriptions.model import Endpoint, NotificationParams, Selector, Subscription
from parvis.fleet.devices.records import DeviceRecord, DeviceUpdate
from parvis.fleet.model.refusal import RefusalReason
from parvis.fleet.model.uplink import Uplink
from parvis.kernel.identity import ADMINISTRATOR, DEFAULT_TENANT, system_caller
from parvis.kernel.settings import AccessSettings, MqttSettings, OutboundSettings, Settings, StoreSettings
from parvis.kernel.time import system_clock
from parvis.web.live import Listener, Live
from parvis.web.siblings import Exposition
from tests.web.conftest import client_of, form_token
from tests.web.test_live import Page, ids_and_values

REVOKED_WITHIN_S = 2.0
ENTITIES = "/ngsi-ld/v1/entities"


@pytest.fixture
async def platforms(tmp_path: Path, postgres_url: str) -> AsyncIterator[list[Platform]]:
    settings = Settings(
        tmp_path,
        store=StoreSettings(postgres_url),
        access=AccessSettings(auth=True),
        mqtt=MqttSettings(enabled=False),
        outbound=OutboundSettings(allow=("127.0.0.0/8",)),
    )
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(open_platform(settings)) for _ in range(2)]


async def test_who_signs_in_at_one_is_known_at_the_other_until_signing_out(platforms: list[Platform]) -> None:
    async with client_of(platforms[0]) as here, client_of(platforms[1]) as there:
        token = platforms[0].access.accounts.offer_first_link()
        page = await there.get("/welcome", params={"token": token})
        form = {"token": token, "name": "ada", "password": "correct horse battery", "form_token": form_token(page.text)}
        assert (await there.post("/welcome", data=form)).status_code == 303
        here.cookies.update(there.cookies)
        console = await here.get("/console")
        assert console.status_code == 200
        await here.post("/console/sign-out", data={"form_token": form_token(console.text)})
        await _until_status(there, "/console", 303)


async def test_a_key_revoked_at_one_opens_nothing_at_the_other_within_two_seconds(platforms: list[Platform]) -> None:
    key, token = platforms[0].access.keys.create(COMMAND_LINE, "gate 4", "operator")
    async with client_of(platforms[1], authorization=f"Bearer {token}") as there:
        assert (await there.get(f"{ENTITIES}?type=Bin")).status_code == 200
        platforms[0].access.keys.revoke(COMMAND_LINE, key.id)
        began_s = time.monotonic()
        await _until_status(there, f"{ENTITIES}?type=Bin", 401)
        assert time.monotonic() - began_s < REVOKED_WITHIN_S


async def _until_status(client: httpx.AsyncClient, path: str, status: int) -> None:
    async with asyncio.timeout(5):
        while (await client.get(path)).status_code != status:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def test_a_page_open_at_one_hears_at_once_what_is_written_at_the_other(platforms: list[Platform]) -> None:
    here, there = platforms
    caller, expand = system_caller("test"), here.broker.contexts.parvis.expand
    listener = Listener(caller, frozenset({expand("Bin")}))
    live = Live(there.broker, there.stopping)
    page = Page(live.stream(listener, ids_and_values, None))
    assert (await page.next())[0] == "hello"
    level = Instance(expand("level"), Kind.PROPERTY, 7)
    began_s = time.monotonic()
    await here.broker.write(caller, [Change("urn:ngsi-ld:Bin:1", Mode.CREATE, (level,), (expand("Bin"),))])
    event, _, news = await page.next()
    assert (event, news) == ("changes", [["urn:ngsi-ld:Bin:1", ["7"]]])
    assert time.monotonic() - began_s < 0.7
    await page.leave()


async def test_a_device_registered_at_one_is_known_at_the_other(platforms: list[Platform]) -> None:
    here, there = platforms
    profile = next(iter(here.fleet.registry.profiles))
    record = DeviceRecord("0101010101010101", profile, "urn:ngsi-ld:Bin:1")
    await here.fleet.register(system_caller("test"), [record])
    async with asyncio.timeout(2):
        while there.fleet.registry.find("default", record.hardware_id) is None:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_a_frame_refused_at_one_is_shown_and_tried_again_at_the_other(platforms: list[Platform]) -> None:
    here, there = platforms
    caller = system_caller("test")
    frame = Uplink("0202020202020202", b"\x00", 1, 1, system_clock(), session="00189440")
    await here.fleet.take(caller, [frame])
    (shown,) = await there.fleet.list_refusals(caller)
    assert shown.uplink == frame
    assert shown.reason is RefusalReason.UNKNOWN_DEVICE
    again = await there.fleet.retry(caller, [shown.id])
    assert [one is not None and one.reason for one in again.values()] == [RefusalReason.UNKNOWN_DEVICE]


async def test_frames_that_wait_at_one_are_adopted_once_the_device_is_registered_at_the_other(
    platforms: list[Platform],
) -> None:
    here, there = platforms
    caller, room, now = system_caller("test"), "urn:ngsi-ld:IndoorEnvironmentObserved:1", system_clock()
    eui = "0303030303030303"
    frames = [
        Uplink(eui, b"\x01\x67\x00" + bytes([number]), 1, number, now - 10_000_000 + number, session="00189440")
        for number in range(60)
    ]
    await here.fleet.take(caller, frames)
    await there.fleet.register(caller, [DeviceRecord(eui, "cayenne-lpp", room)])
    async with asyncio.timeout(5):
        while await here.fleet.list_waiting(caller):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    history = await here.broker.history(caller, room, TemporalQuery(last_n=1000))
    (values,) = history.instances.values()
    assert [one.observed_at for one in values] == [one.received_at for one in frames]


async def test_a_device_suspended_at_one_is_refused_at_the_other(platforms: list[Platform]) -> None:
    here, there = platforms
    caller, eui = system_caller("test"), "0404040404040404"
    await here.fleet.register(caller, [DeviceRecord(eui, "cayenne-lpp", "urn:ngsi-ld:IndoorEnvironmentObserved:2")])
    await here.fleet.update(caller, eui, DeviceUpdate(suspended=True))
    async with asyncio.timeout(5):
        while (found := there.fleet.registry.find("default", eui)) is None or found.refuses is None:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    (refused,) = await there.fleet.take(caller, [Uplink(eui, b"\x01\x67\x00\x01", 1, 1, system_clock())])
    assert refused is not None
    assert refused.reason is RefusalReason.SUSPENDED


async def test_each_tells_on_its_page_and_in_its_gauges_that_a_receiver_is_away(
    platforms: list[Platform], free_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (delivery, notifications):
        monkeypatch.setattr(module, "TOLD_EVERY_S", 0.2)
    caller, expand = system_caller("test"), platforms[0].broker.contexts.parvis.expand
    name, params = "urn:s:away", NotificationParams(Endpoint(f"http://127.0.0.1:{free_port}/"))
    wish = Subscription(
        DEFAULT_TENANT,
        name,
        params,
        (Selector(TypeIs(expand("Bin"))),),
        rights=ADMINISTRATOR.value,
        creator=caller.subject,
    )
    await platforms[0].notifications.subscriptions.add(wish)
    level = Instance(expand("level"), Kind.PROPERTY, 7)
    await platforms[0].broker.write(caller, [Change("urn:ngsi-ld:Bin:1", Mode.CREATE, (level,), (expand("Bin"),))])
    async with asyncio.timeout(15):
        for platform in platforms:
            while platform.gauges["parvis_notifications_open_breakers"].read() != 1:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
    for platform in platforms:
        _, token = platform.access.keys.create(COMMAND_LINE, "desk", "operator")
        async with client_of(platform, authorization=f"Bearer {token}") as client:
            page = (await client.get(f"/console/subscriptions/{name}", headers={"accept-language": "en"})).text
        assert "away, tried again soon" in page or "away, being tried" in page


async def test_counts_of_all_workers_are_told_by_each(tmp_path: Path) -> None:
    registries = [CollectorRegistry(), CollectorRegistry()]
    workers = [Exposition((registry,), tmp_path, number) for number, registry in enumerate(registries, 1)]
    for number, registry in enumerate(registries, 1):
        Counter("parvis_tests", "Tests.", ["kind"], registry=registry).labels("a").inc(number)
    async with workers[0].shared():
        async with workers[1].shared():
            both = (await workers[0].text()).decode()
        alone = (await workers[0].text()).decode()
    assert both.count("# TYPE parvis_tests_total counter") == 1
    assert 'parvis_tests_total{kind="a",worker="1"} 1.0' in both
    assert 'parvis_tests_total{kind="a",worker="2"} 2.0' in both
    assert 'worker="2"' not in alone
