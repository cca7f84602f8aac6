"""Who changes data over the API stands in the trail."""

import httpx

from parvis.access.access import COMMAND_LINE
from parvis.access.model import AuditRecord
from parvis.bootstrap import Platform
from tests.fakes.terms import PARVIS_TERMS
from tests.fakes.town import HALF_BIN
from tests.web.conftest import client_of, plain

API = "/ngsi-ld/v1"
ATTRIBUTE = f"{API}/entities/{HALF_BIN}/attrs/fillingLevel"


def told(platform: Platform) -> list[AuditRecord]:
    return [one.record for one in platform.access.store.read_audit() if one.record.action == "data-changed"]


async def test_a_person_who_changes_something_is_named_with_it(platform: Platform, operator: httpx.AsyncClient) -> None:
    operator.headers.update(PARVIS_TERMS)
    assert (await operator.patch(ATTRIBUTE, json={"value": 0.5})).status_code == 204
    made = await operator.post(f"{API}/entities", json={"id": "urn:ngsi-ld:Bin:new", "type": "Bin"})
    assert made.status_code == 201
    changed, created = told(platform)
    assert (changed.subject, changed.object) == ("user:ada", HALF_BIN)
    assert changed.facts == {"PATCH /entities/{}/attrs/{}": "1"}
    assert (created.object, created.facts) == ("urn:ngsi-ld:Bin:new", {"POST /entities": "1"})
    page = plain((await operator.get("/console/audit", params={"lang": "fr"})).text)
    assert "a modifié des données par l’API" in page


async def test_what_was_refused_or_only_read_is_no_change(platform: Platform, operator: httpx.AsyncClient) -> None:
    assert (await operator.get(f"{API}/entities/{HALF_BIN}")).status_code == 200
    assert (await operator.patch(ATTRIBUTE.replace(HALF_BIN, "urn:nobody"), json={"value": 1})).status_code == 404
    assert (await operator.post(f"{API}/entityOperations/query", json={"type": "Query"})).status_code < 500
    assert told(platform) == []


async def test_a_program_is_counted_and_told_at_the_end_at_the_latest(platform: Platform) -> None:
    key, token = platform.access.keys.create(COMMAND_LINE, "script", "operator")
    async with client_of(platform, authorization=f"Bearer {token}") as script:
        script.headers.update(PARVIS_TERMS)
        for level in (0.1, 0.2, 0.3):
            assert (await script.patch(ATTRIBUTE, json={"value": level})).status_code == 204
    assert told(platform) == []
    platform.access.writes.tell_all()
    (entry,) = told(platform)
    assert (entry.subject, entry.object) == (f"key:{key.id}", HALF_BIN)
    assert entry.facts["PATCH /entities/{}/attrs/{}"] == "3"
