"""A pool and its members in the browser: making one, acting in one, what is public, and where each request acts."""

import asyncio
import re
from pathlib import Path

import httpx
import pytest

from parvis.access.access import COMMAND_LINE
from parvis.access.members.mandates import Terms
from parvis.access.members.model import Member
from parvis.access.privacy.person.cases import Stage
from parvis.bootstrap import Platform, open_platform
from parvis.bootstrap.persons import find
from parvis.broker.model.change import Change, Mode
from parvis.broker.model.entity import Instance, Kind
from parvis.kernel.identity import ADMINISTRATOR, DEFAULT_TENANT, Caller
from parvis.kernel.time import DAY, Instant
from parvis.web.tenants import IN_COOKIE
from tests.fakes.marie import in_job
from tests.web.conftest import client_of, form_token, plain, settings

MAYOR = Caller("plouhinec", "user:mairie", ADMINISTRATOR)
SQUARE = b'{"type":"Polygon","coordinates":[[[-3.3,47.7],[-3.2,47.7],[-3.2,47.8],[-3.3,47.7]]]}'
NEW = "/console/members/new"


def mandate(platform: Platform, now: Instant, role: str = "operator") -> str:
    terms = Terms(role=role, until=now + 30 * DAY, reference="2026-014")
    return platform.access.mandates.grant(MAYOR, "plouhinec", terms).id


async def plant(platform: Platform, tenant: str, name: str, now: Instant) -> None:
    expand = platform.broker.contexts.parvis.expand
    instances = (
        Instance(expand("name"), Kind.PROPERTY, name, modified_at=now),
        Instance(expand("fillingLevel"), Kind.PROPERTY, 0.95, modified_at=now, observed_at=now),
    )
    change = Change(f"urn:ngsi-ld:WasteContainer:{name}", Mode.CREATE, instances, (expand("WasteContainer"),))
    await platform.broker.write(Caller(tenant, "system:test", ADMINISTRATOR), [change])


@pytest.fixture
async def pooled(platform: Platform, now: Instant) -> Platform:
    """Two members, each with a container."""
    for name in ("plouhinec", "riantec"):
        platform.access.members.add(COMMAND_LINE, Member(tenant=name, title=name.title(), since=0, code="56169"))
        await platform.broker.add_tenant(name)
        await plant(platform, name, f"Bin-{name}", now)
    return platform


async def sent(client: httpx.AsyncClient, page: str, to: str = "", **fields: object) -> httpx.Response:
    token = form_token((await client.get(page)).text)
    return await client.post(to or page, data={"form_token": token, **fields})


async def signed_in(
    platform: Platform, name: str, tenant: str, role: str = "administrator", scheme: str = "http"
) -> httpx.AsyncClient:
    token = platform.access.accounts.invite(COMMAND_LINE, name, role, tenant)
    client = client_of(platform)
    client.base_url = httpx.URL(f"{scheme}://localhost")
    answer = await sent(
        client, f"/welcome?token={token}", "/welcome", token=token, name=name, password="correct horse battery"
    )
    assert answer.status_code == 303, answer.text
    return client


async def test_the_pool_makes_a_member_with_mandate_and_first_administrator(
    platform: Platform, operator: httpx.AsyncClient, now: Instant
) -> None:
    token = form_token((await operator.get(f"{NEW}?by=hand")).text)
    fields = {
        "form_token": token, "title": "Plouhinec", "tenant": "plouhinec", "code": "56169", "hosts": "plouhinec.example",
        "administrator": "mairie", "role": "reader", "until": "2099-12-31", "reference": "2026-014",
    }  # fmt: skip
    made = await operator.post(NEW, data=fields, files={"outline": ("p.geojson", SQUARE)})

    assert made.status_code == 200
    link = re.search(r"http://localhost(/welcome\?token=[\w-]+)", made.text)
    assert link is not None
    member = platform.access.members.get("plouhinec")
    assert (member.hosts, (member.outline or {})["type"]) == (("plouhinec.example",), "Polygon")
    assert await platform.broker.is_tenant("plouhinec")
    mayor = client_of(platform)
    token = link[1].partition("token=")[2]
    entered = await sent(mayor, link[1], "/welcome", token=token, name="mairie", password="correct horse battery")
    assert entered.status_code == 303
    assert "In the pool Trevalan" in plain((await mayor.get("/console/membership")).text)
    again = await sent(operator, "/console/members/plouhinec", do="invite", name="another")
    assert again.status_code == 403, "from then on it invites its people itself"


async def test_what_cannot_be_a_member_keeps_what_was_typed_and_makes_nothing(
    platform: Platform, operator: httpx.AsyncClient
) -> None:
    typed = {"title": "Plouhinec", "tenant": "plouhinec", "role": "reader", "until": "2099-12-31", "reference": ""}
    refused = await sent(operator, f"{NEW}?by=hand", NEW, administrator="mairie", **typed)

    assert refused.status_code == 400
    assert "Name the deliberation" in plain(refused.text)
    assert 'value="Plouhinec"' in refused.text
    assert platform.access.members.find("plouhinec") is None
    assert platform.access.store.find_account("mairie") is None


async def test_without_a_mandate_the_pool_sees_that_it_has_none(pooled: Platform, operator: httpx.AsyncClient) -> None:
    page = await operator.get("/console?in=plouhinec", headers={"accept": "text/html"})

    assert page.status_code == 403
    assert "no mandate in force" in plain(page.text)
    listed = plain((await operator.get("/console/members")).text)
    assert "not shown without a mandate" in listed
    assert (await operator.get("/console/in")).status_code == 200


async def test_a_link_leads_into_a_members_tenant_and_the_choice_stays(
    pooled: Platform, operator: httpx.AsyncClient, now: Instant
) -> None:
    mandate(pooled, now)
    led = await operator.get("/console/map?in=plouhinec&type=waste")

    assert (led.status_code, led.headers["location"]) == (303, "/console/map?type=waste")
    shown = await operator.get("/console/map")
    assert "Bin-plouhinec" in shown.text
    assert "by a mandate to Trevalan" in plain(shown.text)
    back = await operator.get("/console/map?in=default")
    assert back.status_code == 303
    assert "Bin-plouhinec" not in (await operator.get("/console/map")).text


async def test_what_a_mandate_is_too_small_for_is_explained_by_the_mandate(
    pooled: Platform, operator: httpx.AsyncClient, now: Instant
) -> None:
    mandate(pooled, now, "reader")
    await operator.get("/console/map?in=plouhinec")

    refused = await operator.get("/console/privacy")

    assert refused.status_code == 403
    said = plain(refused.text)
    assert "You act for Plouhinec by a mandate" in said
    assert "no administrator’s account yet" not in said


async def test_by_a_mandate_a_person_is_looked_for_and_erased_by_the_members_own_people(
    pooled: Platform, operator: httpx.AsyncClient, now: Instant
) -> None:
    mandate(pooled, now, "administrator")
    await operator.get("/console/map?in=plouhinec")
    begun = await sent(operator, "/console/privacy/people", entity="urn:ngsi-ld:WasteContainer:Bin-plouhinec")
    address = begun.headers["location"]
    case = pooled.persons.get(MAYOR, address.rpartition("/")[2])
    await asyncio.to_thread(find, in_job(pooled, case))

    shown = await operator.get(address)
    refused = await sent(operator, address, f"{address}/erase", ground="objection", confirmed="ERASE")

    assert "only the member's own people" in plain(shown.text)
    assert f"{address}/erase" not in shown.text
    assert refused.status_code == 403
    assert pooled.persons.get(MAYOR, case.id).stage is Stage.FOUND


async def test_where_nobody_is_a_member_adding_one_is_offered_once(operator: httpx.AsyncClient) -> None:
    assert (await operator.get("/console/members")).text.count('href="/console/members/new"') == 1


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_the_choice_goes_over_tls_alone_where_the_session_does(
    pooled: Platform, now: Instant, scheme: str
) -> None:
    mandate(pooled, now)
    client = await signed_in(pooled, "maelle", DEFAULT_TENANT, scheme=scheme)
    led = await client.get("/console/map?in=plouhinec")
    back = await client.get("/console/map?in=default")
    for answer, is_kept in ((led, True), (back, False)):
        (told,) = [one for one in answer.headers.get_list("set-cookie") if one.startswith(f"{IN_COOKIE}=")]
        assert (told.startswith(f"{IN_COOKIE}=plouhinec"), "; secure" in told.lower()) == (is_kept, scheme == "https")


async def test_one_page_shows_how_the_members_with_a_mandate_are(
    pooled: Platform, operator: httpx.AsyncClient, now: Instant
) -> None:
    mandate(pooled, now)
    page = plain((await operator.get("/console/members")).text)

    assert re.search(r"Plouhinec 56169 .*? Operator .*? 1 ", page)
    assert re.search(r"Riantec 56169 .*? none in force – not shown without a mandate", page)


async def test_an_ended_mandate_puts_the_pool_out_at_once(
    pooled: Platform, operator: httpx.AsyncClient, now: Instant
) -> None:
    granted = mandate(pooled, now)
    await operator.get("/console?in=plouhinec")
    mayor = await signed_in(pooled, "mairie", "plouhinec")

    ended = await sent(mayor, "/console/membership", do="end_mandate", mandate=granted)

    assert ended.status_code == 303
    assert (await operator.get("/console/map.geojson")).status_code == 403
    out = await operator.get("/console/map", headers={"accept": "text/html"})
    assert (out.status_code, "Bin-plouhinec" in out.text) == (403, False)
    assert (await operator.get("/console/map")).status_code == 200, "at home"


async def test_a_form_of_one_tenant_changes_nothing_in_another(
    pooled: Platform, operator: httpx.AsyncClient, now: Instant
) -> None:
    """In another tab somebody has gone elsewhere meanwhile."""
    mandate(pooled, now, "administrator")
    token = form_token((await operator.get(f"{NEW}?by=hand")).text)
    await operator.get("/console?in=plouhinec")

    sent_late = await operator.post("/console/account/sessions/end", data={"form_token": token})

    assert sent_late.status_code == 403
    assert "grown too old" in plain(sent_late.text)


async def test_a_member_is_at_home_in_its_own_tenant_alone(pooled: Platform, now: Instant) -> None:
    mayor = await signed_in(pooled, "mairie", "plouhinec")

    assert "Bin-plouhinec" in (await mayor.get("/console/map")).text
    assert (await mayor.get("/console?in=riantec", headers={"accept": "text/html"})).status_code == 403
    assert (await mayor.get("/console/members")).status_code == 403
    assert (await mayor.get("/console/in")).status_code == 403
    assert (await mayor.get("/console?in=plouhinec")).status_code == 303


async def test_a_member_grants_a_mandate_and_says_what_is_public(
    pooled: Platform, operator: httpx.AsyncClient, visitor: httpx.AsyncClient, now: Instant
) -> None:
    mayor = await signed_in(pooled, "mairie", "plouhinec")
    granted = await sent(
        mayor, "/console/membership", do="grant", role="reader", until="2099-12-31", reference="2026-014"
    )
    assert granted.status_code == 303
    assert "2026-014" in plain((await mayor.get("/console/membership")).text)
    assert (await operator.get("/console?in=plouhinec")).status_code == 303
    by_mandate = await sent(operator, "/console/membership", do="public", type="WasteContainer")
    assert by_mandate.status_code in (403, 404) or "form_token" not in by_mandate.text
    assert not pooled.access.members.get("plouhinec").public_types

    await sent(mayor, "/console/membership", do="public", type="WasteContainer")

    opened = await visitor.get("/c/plouhinec/data/v1/entities?type=WasteContainer&format=simplified")
    assert [one["id"] for one in opened.json()] == ["urn:ngsi-ld:WasteContainer:Bin-plouhinec"]
    closed = await visitor.get("/c/riantec/data/v1/entities?type=WasteContainer")
    assert closed.status_code == 401


async def test_a_members_public_page_has_its_name_by_path_and_by_host(
    pooled: Platform, visitor: httpx.AsyncClient
) -> None:
    pooled.access.members.change(COMMAND_LINE, "plouhinec", hosts=["plouhinec.example"])

    for page in (
        await visitor.get("/c/plouhinec/"),
        await visitor.get("/", headers={"host": "Plouhinec.Example:8443"}),
    ):
        assert (page.status_code, "<title>" in page.text) == (200, True)
        assert "Plouhinec" in page.text.split("</title>")[0]
    assert "Plouhinec" not in (await visitor.get("/")).text.split("</title>")[0]
    assert (await visitor.get("/c/nowhere/")).status_code == 404
    assert (await visitor.get("/c/plouhinec/console")).status_code == 404


async def test_the_pools_page_leads_to_members_and_theirs_stays_theirs(
    pooled: Platform, visitor: httpx.AsyncClient
) -> None:
    assert "/c/plouhinec/" not in (await visitor.get("/")).text, "nothing of it is public"
    pooled.access.members.choose_public(MAYOR, "plouhinec", ["WasteContainer"])

    assert 'href="/c/plouhinec/"' in (await visitor.get("/")).text
    own = (await visitor.get("/c/plouhinec/")).text
    assert 'href="/c/plouhinec/data/v1/entities?' in own
    assert 'action="/c/plouhinec/#recycling"' in own
    assert 'href="/c/plouhinec/privacy"' in own
    assert "Plouhinec" in (await visitor.get("/c/plouhinec/privacy")).text.split("</title>")[0]
    assert 'href="/c/riantec/"' not in own


async def test_the_trail_of_a_member_tells_who_came_in_there(pooled: Platform, operator: httpx.AsyncClient) -> None:
    mayor = await signed_in(pooled, "mairie", "plouhinec")

    assert "mairie" in plain((await mayor.get("/console/audit")).text)
    assert "mairie" not in plain((await operator.get("/console/audit")).text)


async def test_where_nobody_signs_in_everybody_goes_where_they_like(tmp_path: Path, now: Instant) -> None:
    async with open_platform(settings(tmp_path, auth=False), listen=False) as platform:
        platform.access.members.add(COMMAND_LINE, Member(tenant="plouhinec", title="Plouhinec", since=0))
        await platform.broker.add_tenant("plouhinec")
        await plant(platform, "plouhinec", "Bin-plouhinec", now)
        async with client_of(platform) as client:
            assert "Plouhinec" in plain((await client.get("/console/in")).text)
            assert (await client.get("/console?in=plouhinec")).status_code == 303
            assert "Bin-plouhinec" in (await client.get("/console/map")).text


async def test_a_link_says_whose_account_it_is_for(pooled: Platform, visitor: httpx.AsyncClient) -> None:
    token = pooled.access.accounts.invite(COMMAND_LINE, "mairie", "reader", "plouhinec")

    page = plain((await visitor.get("/welcome", params={"token": token})).text)

    assert "mairie for Plouhinec" in page or "mairie at Plouhinec" in page
    assert "mairie for Trevalan" not in page


async def test_a_member_is_shown_no_schedules_of_the_pool_and_sent_to_who_can_give_the_pools_rights(
    pooled: Platform, operator: httpx.AsyncClient
) -> None:
    mayor = await signed_in(pooled, "mairie", "plouhinec")

    assert "Run now" not in (await mayor.get("/console/jobs")).text
    refused = await mayor.get("/console/first-run")
    asked = re.search(r"<p>([^<]*right[^<]*)</p>", refused.text)
    assert refused.status_code == 403
    assert asked is None or "mairie" not in asked[1]


async def test_a_member_hears_nothing_of_how_the_pools_platform_and_feeds_do(
    pooled: Platform, operator: httpx.AsyncClient
) -> None:
    pooled.fleet.ways.sources.note_failure(next(iter(pooled.connectors)), "feed of the pool", OSError("away"))
    boss = await signed_in(pooled, "boss", "default")
    mayor = await signed_in(pooled, "mairie", "plouhinec")

    assert (await mayor.get("/console/system")).status_code == 403
    assert 'href="/console/system"' not in (await mayor.get("/console")).text
    assert "feed of the pool" not in (await mayor.get("/console/connectors")).text
    assert (await operator.get("/console/system")).status_code == 200
    assert "feed of the pool" in (await boss.get("/console/connectors")).text
