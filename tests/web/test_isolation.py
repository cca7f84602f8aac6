"""What one member has stored, no route tells another, the pool without a mandate, or the public: each is asked for it,
by its own ids, in every tenant that could be meant. Words are planted wherever somebody may write some."""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from parvis.access.access import COMMAND_LINE
from parvis.access.members.model import Member
from parvis.access.model import AuditRecord
from parvis.bootstrap import Platform, open_platform
from parvis.broker.api.routing import VARIABLE
from parvis.broker.model.change import Change, Mode
from parvis.broker.model.entity import Instance, Kind
from parvis.broker.query.tree import EntityQuery
from parvis.kernel.identity import ADMINISTRATOR, Caller
from parvis.kernel.jobs import JobFilter
from parvis.kernel.settings import (
    AccessSettings,
    MqttSettings,
    OutboundSettings,
    Settings,
    StoreSettings,
    TerritorySettings,
)
from parvis.kernel.time import Instant, system_clock
from parvis.web.api import create_api
from parvis.web.console.dashboards.layout import Layout
from parvis.web.console.dashboards.pages import dashboards_of
from parvis.web.console.dashboards.records import Sharing
from parvis.web.server import API_ROOT
from tests.web.conftest import client_of, form_token
from tests.web.matrix import Asked, list_asked

WORD = "zyglophant"
BIN = "urn:ngsi-ld:WasteContainer:planted"
DEVICE = "a840410000000077"
SUBSCRIPTION = "urn:ngsi-ld:Subscription:planted"
SOURCE = "urn:ngsi-ld:ContextSourceRegistration:planted"
OWNER = Caller("plouhinec", "user:mairie", ADMINISTRATOR)
LONGEST_S = 0.3
"""What takes longer is a stream."""
KEPT_SIGNED_IN = ("/console/sign-out", "/console/account")
FEWEST_TOLD = 12
"""So many routes at least tell the owner what was planted: else nothing is proven."""
Planted = Mapping[str, str]


@pytest.fixture(params=["sqlite", "postgres"])
async def pool(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Platform]:
    url = request.getfixturevalue("prepared_postgres_url") if request.param == "postgres" else ""
    settings = Settings(
        tmp_path,
        territory=TerritorySettings(name="Pool", time_zone="Europe/Paris"),
        access=AccessSettings(public_types=("WasteContainer", "Dashboard", "Device")),
        mqtt=MqttSettings(enabled=False),
        store=StoreSettings(url=url),
        outbound=OutboundSettings(allow=("192.0.2.0/24",)),
    )
    async with open_platform(settings, listen=False) as platform:
        for tenant in ("plouhinec", "riantec"):
            platform.access.members.add(COMMAND_LINE, Member(tenant=tenant, title=tenant, since=0))
            await platform.broker.add_tenant(tenant)
        yield platform


async def plant(platform: Platform, now: Instant) -> Planted:
    expand = platform.broker.contexts.parvis.expand

    def entity(entity_id: str, kind: str, **values: Any) -> Change:
        told = (Instance(expand(name), Kind.PROPERTY, value, modified_at=now) for name, value in values.items())
        return Change(entity_id, Mode.CREATE, tuple(told), (expand(kind),))

    level = Instance(expand("fillingLevel"), Kind.PROPERTY, 0.9, observed_at=now)
    container = entity(BIN, "WasteContainer", name=f"{WORD} street", description=WORD)
    sensor = entity(
        f"urn:ngsi-ld:Device:{DEVICE}",
        "Device",
        name=f"{WORD} sensor",
        deviceProfile="generic-climate",
        batteryLevel=0.1,
    )
    changes = [Change(BIN, Mode.CREATE, (*container.instances, level), container.types), sensor]
    await platform.broker.write(OWNER, changes)
    access = platform.access
    access.keys.create(COMMAND_LINE, f"key of {WORD}", "operator", "plouhinec")
    access.store.append_audit(AuditRecord(now, "plouhinec", "user:mairie", "settings-changed", WORD, {"name": WORD}))
    job = await platform.jobs.add("devices.register", {"note": WORD}, tenant="plouhinec", created_by=f"user:{WORD}")
    boards = dashboards_of_platform(platform)
    short = await boards.add(OWNER, f"Board of {WORD}", Layout())
    await boards.share(OWNER, short, Sharing.PORTAL)
    shown = await boards.get(OWNER, short)
    return {
        "id": BIN, "entity_id": BIN, "device": DEVICE, "hardware_id": DEVICE, "job_id": str(job.id), "short": short,
        "link": shown.link or "", "subscription_id": SUBSCRIPTION, "name": "mairie", "tenant": "plouhinec",
        "ending": "csv",
    }  # fmt: skip


def dashboards_of_platform(platform: Platform) -> Any:
    from parvis.web.site import Site
    from parvis.web.views import EntityReader

    site: Any = object.__new__(Site)
    object.__setattr__(site, "platform", platform)
    object.__setattr__(site, "reader", EntityReader(platform.broker.contexts.parvis))
    return dashboards_of(site)


async def plant_by_api(owner: httpx.AsyncClient) -> None:
    subscription = {
        "id": SUBSCRIPTION, "type": "Subscription", "description": WORD, "entities": [{"type": "WasteContainer"}],
        "notification": {"endpoint": {"uri": f"http://192.0.2.1/{WORD}"}},
    }  # fmt: skip
    source = {
        "id": SOURCE, "type": "ContextSourceRegistration", "information": [{"entities": [{"type": "WasteContainer"}]}],
        "endpoint": f"http://192.0.2.1/{WORD}",
    }  # fmt: skip
    for path, body in (("/subscriptions", subscription), ("/csourceRegistrations", source)):
        answer = await owner.post(f"{API_ROOT}{path}", json=body)
        assert answer.status_code == 201, answer.text
    context = await owner.post(f"{API_ROOT}/jsonldContexts", json={"@context": {WORD: f"urn:{WORD}"}})
    assert context.status_code in (201, 403)


def requests_of(asked: list[Asked], planted: Planted) -> list[tuple[str, str]]:
    """Each route, filled with what was planted; those of the API that take an id, with each kind of it."""
    found = []
    for one in asked:
        path = re.sub(r"\{(\w+)(:\w+)?\}", lambda match: planted.get(match[1], "1"), one.template)
        ids = [BIN, SUBSCRIPTION, SOURCE, "fillingLevel", "WasteContainer"] if VARIABLE in path else [""]
        found += [(one.method, path.replace(VARIABLE, each)) for each in ids]
    return [(method, path + _query(path)) for method, path in found]


def _query(path: str) -> str:
    if "temporal/entities" in path and path.endswith("entities"):
        return "?type=WasteContainer&timerel=after&timeAt=2020-01-01T00:00:00Z"
    if path.endswith(("/entities", "/csourceRegistrations", "/entityMaps")):
        return "?type=WasteContainer&options=sysAttrs"
    if path.endswith(("history.csv", "history.parquet", "series.json")):
        return "?attr=fillingLevel&range=24h"
    return f"?q={WORD[:4]}" if path.endswith(("/search", "/typed-ahead")) else ""


async def told_by(client: httpx.AsyncClient, method: str, path: str) -> str:
    """All of an answer, in small letters."""
    body: dict[str, Any] = {}
    if method == "POST" and not path.startswith(("/api", API_ROOT)):
        body = {"data": {"form_token": client.headers.get("form", ""), "name": "x", "layout": "{}", "do": "end"}}
    elif method in ("POST", "PUT", "PATCH"):
        body = {"json": {"type": "Query", "entities": [{"type": "WasteContainer"}]}}
    try:
        async with asyncio.timeout(LONGEST_S):
            answer = await client.request(method, path, **body)
    except TimeoutError:
        return ""
    return f"{answer.headers} {answer.text}".lower()


async def kept_of(platform: Platform) -> tuple[object, ...]:
    """What a stranger's request could have changed."""
    page = await platform.broker.query(OWNER, EntityQuery(limit=100))
    keys = [(one.id, one.revoked_at) for one in platform.access.store.list_keys() if one.tenant == "plouhinec"]
    jobs = [(one.id, one.state) for one in await platform.jobs.list_jobs(OWNER, JobFilter())]
    subscriptions = await platform.broker.subscriptions.list_page(OWNER, 0, 10)
    return {one.id: one.instances for one in page.entities}, keys, jobs, subscriptions


async def signed_in(platform: Platform, name: str, tenant: str) -> httpx.AsyncClient:
    token = platform.access.accounts.invite(COMMAND_LINE, name, "administrator", tenant)
    client = client_of(platform)
    page = await client.get(f"/welcome?token={token}")
    form = {"token": token, "name": name, "password": "crab umbrella lantern 7", "form_token": form_token(page.text)}
    assert (await client.post("/welcome", data=form)).status_code == 303
    client.headers["form"] = form_token((await client.get("/console/account")).text)
    return client


async def test_no_route_tells_a_stranger_what_a_member_has(pool: Platform) -> None:
    now = system_clock()
    owner = await signed_in(pool, "mairie", "plouhinec")
    planted = await plant(pool, now)
    await plant_by_api(owner)
    site: Any = None
    asked = requests_of(list_asked(create_api(site)), planted)
    before = await kept_of(pool)
    strangers = {
        "a neighbour": await signed_in(pool, "voisine", "riantec"),
        "the pool without a mandate": await signed_in(pool, "syndicat", "default"),
        "nobody": client_of(pool),
    }
    told = []
    for who, client in strangers.items():
        for where in ({}, {"ngsild-tenant": "plouhinec"}):
            client.headers.update(where)
            for method, path in asked:
                if not path.startswith(("/console/sign-out", "/console/account")) and WORD in await told_by(
                    client, method, path
                ):
                    told.append(f"{who} {where} {method} {path}")
    assert told == [], "\n".join(told)
    assert await kept_of(pool) == before

    opened = {path for method, path in asked if method == "GET" and WORD in await told_by(owner, method, path)}
    assert len(opened) >= FEWEST_TOLD, f"the words are planted where they are looked for: {sorted(opened)}"
