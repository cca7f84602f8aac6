"""The page of roles: who may what, further roles, privacy classes, and why somebody may not."""

from collections.abc import AsyncIterator

import httpx
import pytest

from parvis.access.access import COMMAND_LINE
from parvis.bootstrap import Platform
from tests.fakes.town import HALF_BIN
from tests.web.conftest import client_of, form_token, plain

PAGE = "/console/roles"


@pytest.fixture
async def reader(platform: Platform) -> AsyncIterator[httpx.AsyncClient]:
    _, token = platform.access.keys.create(COMMAND_LINE, "counter", "reader")
    async with client_of(platform, authorization=f"Bearer {token}") as client:
        yield client


async def send(client: httpx.AsyncClient, do: str, **fields: object) -> httpx.Response:
    token = form_token((await client.get(PAGE)).text)
    return await client.post(PAGE, data={"form_token": token, "do": do, **fields})


async def test_everyone_who_reads_sees_who_may_what_and_administrators_who_it_is(
    operator: httpx.AsyncClient, reader: httpx.AsyncClient, visitor: httpx.AsyncClient
) -> None:
    shown = plain((await operator.get(PAGE)).text)
    for text in ("Domain manager", "command devices", "ada", "Person.name", "sensitive"):
        assert text in shown
    shown = plain((await reader.get(PAGE)).text)
    assert "Domain manager" in shown
    assert "ada" not in shown.split()
    assert (await visitor.get(PAGE)).headers["location"].startswith("/console/sign-in")
    assert "Responsable de domaine" in (await operator.get(f"{PAGE}?lang=fr")).text


async def test_a_role_is_made_given_and_taken_back(
    operator: httpx.AsyncClient, reader: httpx.AsyncClient, platform: Platform
) -> None:
    made = await send(
        operator, "put", name="lamplighter", title="Lamplighter", clearance="internal", actions=["write", "command"],
        types="Streetlight", scopes="/port", reads_all="1",
    )  # fmt: skip
    assert made.headers["location"] == f"{PAGE}?done=put"
    key = platform.access.keys.list_keys(COMMAND_LINE)[0]
    given = await send(
        operator, "assign", subject=f"key:{key.id}", role="lamplighter", types="", scopes="", until="2999-12-31"
    )
    assert given.headers["location"] == f"{PAGE}?done=assign"
    shown = plain((await operator.get(PAGE)).text)
    assert "Lamplighter" in shown
    assert "31 December 2999" in shown or "1 January 3000" in shown
    refused = await send(operator, "drop", role="lamplighter")
    assert refused.status_code == 400
    assert "Somebody still has this role" in plain(refused.text)
    [one] = platform.access.gate.roles.list_assignments(COMMAND_LINE)
    await send(operator, "unassign", assignment=one.id)
    assert (await send(operator, "drop", role="lamplighter")).status_code == 303
    assert "Lamplighter" not in plain((await operator.get(PAGE)).text)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"do": "put", "name": "Not A Name", "clearance": "internal", "actions": "read"}, "small letters"),
        ({"do": "put", "name": "pilot", "clearance": "internal"}, "Tick what the role may"),
        ({"do": "put", "name": "half", "clearance": "internal", "actions": "audit", "types": "Bin"}, "leave these two"),
        ({"do": "assign", "subject": "user:ada", "role": "reader", "until": "2001-01-01"}, "lies in the past"),
        ({"do": "assign", "subject": "user:ada", "role": "reader", "scopes": "north"}, "/school/north"),
        ({"do": "classify", "attribute": "not a name", "privacy": "personal"}, "Name an attribute"),
    ],
)
async def test_what_makes_no_sense_is_refused_on_the_page(
    operator: httpx.AsyncClient, fields: dict[str, str], said: str
) -> None:
    fields = dict(fields)
    answer = await send(operator, fields.pop("do"), **fields)
    assert answer.status_code == 400
    assert said in plain(answer.text)


async def test_a_class_is_declared_and_taken_back(operator: httpx.AsyncClient, visitor: httpx.AsyncClient) -> None:
    path = f"/console/entities/{HALF_BIN}/series.json?attr=fillingLevel&range=24h"
    assert (await visitor.get(path)).status_code != 403
    await send(operator, "classify", attribute="WasteContainer.fillingLevel", privacy="internal")
    assert "WasteContainer.fillingLevel" in plain((await operator.get(PAGE)).text)
    assert "50" not in (await visitor.get(f"/ngsi-ld/v1/entities/{HALF_BIN}?options=keyValues")).text
    await send(operator, "declassify", attribute="WasteContainer.fillingLevel")
    assert "WasteContainer.fillingLevel" not in plain((await operator.get(PAGE)).text)


async def test_the_page_says_why_somebody_may_not(
    operator: httpx.AsyncClient, reader: httpx.AsyncClient, platform: Platform
) -> None:
    key = platform.access.keys.list_keys(COMMAND_LINE)[0]
    asked = {"subject": f"key:{key.id}", "action": "write", "entity": HALF_BIN}
    shown = plain((await operator.get(PAGE, params=asked)).text)
    assert f"No role of {key.id} gives the right to write." in shown
    assert f"{key.id} has the role Reader." in shown
    asked |= {"action": "read", "attribute": "email", "lang": "fr"}
    assert "L’attribut email est personnel" in plain((await operator.get(PAGE, params=asked)).text)
    own = await reader.get(PAGE, params={"subject": f"key:{key.id}", "action": "read"})
    assert f"{key.id} may read." in plain(own.text)
    assert (await reader.get(PAGE, params={"subject": "user:ada", "action": "read"})).status_code == 403


async def test_who_reads_only_changes_nothing(reader: httpx.AsyncClient) -> None:
    for do, fields in (
        ("put", {"name": "x-role", "clearance": "public", "actions": "read"}),
        ("drop", {"role": "reader"}),
        ("assign", {"subject": "user:ada", "role": "administrator"}),
        ("unassign", {"assignment": "x"}),
        ("classify", {"attribute": "email", "privacy": "public"}),
        ("declassify", {"attribute": "email"}),
    ):
        page = await reader.get("/console/sign-in")
        answer = await reader.post(PAGE, data={"form_token": form_token(page.text), "do": do, **fields})
        assert answer.status_code == 403, do
