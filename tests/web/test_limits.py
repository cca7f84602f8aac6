"""Nobody takes so much that the others get nothing: bounds of networks, of callers, and of what is costly."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client import REGISTRY, CollectorRegistry
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from parvis.access.access import COMMAND_LINE
from parvis.bootstrap import Platform, open_platform
from parvis.kernel.identity import ANONYMOUS, NOBODY, Caller, system_caller
from parvis.kernel.settings import LimitSettings
from parvis.web.limits import Allowance, Limits, TooManyRequests, is_costly, network_of
from parvis.web.server import assemble
from tests.web.conftest import settings

NOBODY_KNOWN = Caller("default", ANONYMOUS, NOBODY)
TIGHT = LimitSettings(
    address_per_s=1, address_burst=5, identity_per_s=1, identity_burst=50, costly_per_min=60, costly_burst=3
)
SLOW = replace(TIGHT, address_per_s=0.01, identity_per_s=0.01)
"""Nothing comes back while a test runs, however slow the machine is."""


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("192.0.2.7", "192.0.2.250", True),
        ("192.0.2.7", "192.0.3.7", False),
        ("::ffff:192.0.2.7", "192.0.2.9", True),
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("fe80::1%eth0", "fe80::2%eth1", True),
    ],
)
def test_a_subscriber_of_a_network_is_one(one: str, other: str, is_same: bool) -> None:
    assert (network_of(one) == network_of(other)) is is_same


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "::ffff:127.0.0.1", "", "unix"])
def test_this_machine_is_no_network(address: str) -> None:
    assert network_of(address) == ""


def test_an_allowance_is_used_up_comes_back_and_is_each_ones_own() -> None:
    allowance = Allowance(per_s=2, burst=3)
    assert [allowance.wait_s("a", 0.0) for _ in range(3)] == [0, 0, 0]
    assert allowance.wait_s("a", 0.0) == pytest.approx(0.5)
    assert allowance.wait_s("b", 0.0) == 0
    assert allowance.wait_s("a", 0.5) == 0
    assert allowance.wait_s("a", 0.5) > 0
    assert [allowance.wait_s("a", 1e9) for _ in range(4)][3] > 0, "a long rest saves up no more than the burst"


def test_an_allowance_holds_so_many_subjects_and_no_more() -> None:
    allowance = Allowance(per_s=1, burst=2, capacity=10)
    for number in range(1000):
        allowance.wait_s(str(number), 0.0)
    assert len(allowance) == 10


def test_visitors_of_a_network_share_what_known_callers_have_for_themselves() -> None:
    clock = Clock()
    limits = Limits(TIGHT, clock)
    for number in range(5):
        limits.check(NOBODY_KNOWN, f"192.0.2.{number}", "GET", "/")
    with pytest.raises(TooManyRequests) as refused:
        limits.check(NOBODY_KNOWN, "192.0.2.99", "GET", "/")
    assert refused.value.retry_after_s == 1
    limits.check(NOBODY_KNOWN, "192.0.3.1", "GET", "/")
    limits.check(system_caller("x"), "192.0.2.99", "GET", "/")
    clock.now_s += 1
    limits.check(NOBODY_KNOWN, "192.0.2.99", "GET", "/")


def test_of_two_tenants_neither_uses_up_what_the_other_has() -> None:
    limits = Limits(TIGHT, Clock())
    for _ in range(3):
        limits.check(Caller("north", "user:ada", NOBODY), "192.0.2.1", "GET", "/console/search")
    limits.check(Caller("south", "user:ada", NOBODY), "192.0.2.1", "GET", "/console/search")


@pytest.mark.parametrize(
    ("method", "path", "costly"),
    [
        ("GET", "/console/search", True),
        ("GET", "/console/devices.csv", True),
        ("GET", "/console/entities/urn:x/history.parquet", True),
        ("GET", "/console/entities/urn:x/series.json", True),
        ("GET", "/console/map.geojson", True),
        ("GET", "/live/events", True),
        ("GET", "/ngsi-ld/v1/temporal/entities", True),
        ("POST", "/ngsi-ld/v1/entityOperations/query", True),
        ("POST", "/console/imports", True),
        ("POST", "/console/sign-in", True),
        ("GET", "/console", False),
        ("POST", "/ngsi-ld/v1/temporal/entities", False),
        ("POST", "/ngsi-ld/v1/entityOperations/upsert", False),
        ("PATCH", "/ngsi-ld/v1/entities/urn:x/attrs", False),
        ("POST", "/api/connectors/chirpstack", False),
    ],
)
def test_what_costs_much(method: str, path: str, costly: bool) -> None:
    assert is_costly(method, path) is costly


@pytest.fixture
async def platform(tmp_path: Path) -> AsyncIterator[Platform]:
    async with open_platform(replace(settings(tmp_path, auth=True), limits=SLOW), listen=False) as platform:
        yield platform


@pytest.fixture
def tight(platform: Platform) -> Any:
    return assemble(platform, CollectorRegistry())


def _client(app: Any, address: str) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app, client=(address, 40000))
    return httpx.AsyncClient(transport=transport, base_url="http://data.town.example")


async def test_people_get_a_page_and_programs_a_report(tight: Any) -> None:
    async with _client(tight, "192.0.2.7") as client:
        for _ in range(5):
            assert (await client.get("/")).status_code == 200
        page = await client.get("/", headers={"accept": "text/html", "accept-language": "en"})
        report = await client.get("/ngsi-ld/v1/entities")
        style = await client.get("/static/0/app.css")
    assert (page.status_code, report.status_code, style.status_code) == (429, 429, 200)
    assert all(1 <= int(one.headers["retry-after"]) <= 100 for one in (page, report))
    assert "Too many requests" in page.text
    assert report.json()["type"].endswith("/too-many-requests")


async def test_a_key_has_a_bound_of_its_own_wherever_it_comes_from(platform: Platform, tight: Any) -> None:
    _, token = platform.access.keys.create(COMMAND_LINE, "test", "reader")
    before = REGISTRY.get_sample_value("parvis_http_requests_limited_total", {"limit": "identity"}) or 0
    statuses = []
    async with _client(tight, "192.0.2.7") as here, _client(tight, "198.51.100.7") as there:
        for number in range(80):
            client = here if number % 2 else there
            answer = await client.get("/api/types", headers={"authorization": f"Bearer {token}"})
            statuses.append(answer.status_code)
    assert statuses[:50] == [200] * 50
    after = REGISTRY.get_sample_value("parvis_http_requests_limited_total", {"limit": "identity"}) or 0
    assert statuses.count(429) == after - before > 0


async def test_who_tries_keys_is_slowed_down(tight: Any) -> None:
    async with _client(tight, "192.0.2.7") as client:
        tries = [await client.get("/api/types", headers={"authorization": f"Bearer {n}"}) for n in range(6)]
        way_in = await client.post("/api/connectors/http", headers={"x-api-key": "guess"}, content=b"{}")
    assert [one.status_code for one in tries] == [401] * 5 + [429]
    assert way_in.status_code == 429


async def test_who_tries_the_names_of_tenants_is_slowed_down(platform: Platform, tight: Any) -> None:
    _, token = platform.access.keys.create(COMMAND_LINE, "a label", "reader")
    async with _client(tight, "192.0.2.7") as client:
        client.headers["authorization"] = f"Bearer {token}"
        tries = [await client.get("/api/types", headers={"ngsild-tenant": f"town-{n}"}) for n in range(6)]
        assert (await client.get("/api/types")).status_code == 200, "its own bound is another"
    assert [one.status_code for one in tries] == [403] * 5 + [429]


async def test_a_proxy_is_believed_only_where_it_is_named(tight: Any) -> None:
    """What says whom it speaks for moves nobody else's bound."""
    app = ProxyHeadersMiddleware(tight, trusted_hosts=["198.51.100.1"])

    async def statuses(proxy: str, count: int) -> list[int]:
        async with _client(app, proxy) as client:
            return [
                (await client.get("/", headers={"x-forwarded-for": f"203.0.{number}.1"})).status_code
                for number in range(count)
            ]

    assert await statuses("198.51.100.1", 10) == [200] * 10
    assert (await statuses("192.0.2.66", 10)).count(429) >= 4
