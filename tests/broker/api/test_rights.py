"""Who may do what over HTTP, and in which tenant (NGSI-LD 1.9.1, 6.3.14)."""

import httpx
import pytest

from parvis.broker.broker import Broker
from parvis.kernel.identity import ADMINISTRATOR, Caller
from parvis.stores.sqlite.store import SqliteStore
from tests.broker.api.conftest import SUBJECTS
from tests.broker.api.territory import BIN, LAMP, bin_at_the_port, lamp

NGSI_LD = "https://uri.etsi.org/ngsi-ld/errors/"


@pytest.fixture(autouse=True)
async def a_quay(api: httpx.AsyncClient) -> None:
    await api.post("/entityOperations/create", json=[bin_at_the_port(), lamp()])


@pytest.mark.parametrize("subject", ["reader", "resident", "nobody"])
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/entities", lamp()),
        ("PUT", f"/entities/{BIN}", bin_at_the_port()),
        ("DELETE", f"/entities/{BIN}", None),
        ("PATCH", f"/entities/{BIN}/attrs/fillingLevel", {"value": 1}),
        ("POST", "/entityOperations/upsert", [lamp()]),
        ("POST", "/entityOperations/upsert", "no batch at all"),
        ("POST", "/temporal/entities", bin_at_the_port()),
        (
            "PATCH",
            f"/temporal/entities/{BIN}/attrs/fillingLevel/urn:ngsi-ld:Instance:1",
            {"fillingLevel": {"value": 1}},
        ),
        ("DELETE", f"/temporal/entities/{BIN}/attrs/fillingLevel/urn:ngsi-ld:Instance:1", None),
    ],
)
async def test_only_writers_write(api: httpx.AsyncClient, subject: str, method: str, path: str, body: object) -> None:
    answer = await api.request(method, path, json=body, headers={"Subject": subject})
    assert answer.status_code == 403


async def test_residents_see_public_types_only(api: httpx.AsyncClient) -> None:
    resident = {"Subject": "resident"}
    assert (await api.get(f"/entities/{BIN}", headers=resident)).status_code == 200
    assert (await api.get(f"/entities/{LAMP}", headers=resident)).status_code == 404
    assert (await api.get(f"/temporal/entities/{LAMP}", headers=resident)).status_code == 404
    seen = (await api.get("/entities?local=true&count=true", headers=resident)).headers["NGSILD-Results-Count"]
    assert seen == "1"
    assert (await api.get("/entities?type=Streetlight", headers=resident)).json() == []


async def test_who_may_read_nothing_is_told_so(api: httpx.AsyncClient) -> None:
    for path in (f"/entities/{BIN}", "/entities?local=true", "/types", "/attributes", f"/temporal/entities/{BIN}"):
        assert (await api.get(path, headers={"Subject": "nobody"})).status_code == 403


async def test_a_request_without_a_caller_is_sent_to_sign_in(api: httpx.AsyncClient) -> None:
    assert (await api.get(f"/entities/{BIN}", headers={"Subject": "a stranger"})).status_code == 401


async def test_tenants_see_nothing_of_one_another(api: httpx.AsyncClient) -> None:
    assert (await api.get("/entities?local=true", headers={"Subject": "neighbour"})).json() == []


async def test_the_tenant_header_may_only_confirm_the_callers_tenant(api: httpx.AsyncClient) -> None:
    confirmed = await api.get(f"/entities/{BIN}", headers={"NGSILD-Tenant": "default"})
    assert (confirmed.status_code, confirmed.headers["NGSILD-Tenant"]) == (200, "default")
    other = await api.get(f"/entities/{BIN}", headers={"NGSILD-Tenant": "neighbour"})
    assert (other.status_code, other.json()["type"]) == (403, "https://parvis.eu/errors/forbidden")
    unknown = await api.get(f"/entities/{BIN}", headers={"NGSILD-Tenant": "atlantis"})
    assert (unknown.status_code, unknown.json()["type"]) == (404, NGSI_LD + "NonexistentTenant")


async def test_an_administrator_makes_a_tenant_by_creating_something_in_it(
    api: httpx.AsyncClient, store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    newcomer = Caller("village", "administrator", ADMINISTRATOR)
    monkeypatch.setitem(SUBJECTS, "newcomer", newcomer)
    headers = {"Subject": "newcomer", "NGSILD-Tenant": "village"}
    unknown = await api.get(f"/entities/{LAMP}", headers=headers)
    assert (unknown.status_code, unknown.json()["type"]) == (404, NGSI_LD + "NonexistentTenant")
    assert unknown.headers["NGSILD-Tenant"] == "village"

    created = await api.post("/entities", json=lamp(), headers=headers)

    assert (created.status_code, created.headers["NGSILD-Tenant"]) == (201, "village")
    assert "village" in await store.list_tenants()
    assert (await api.get(f"/entities/{LAMP}", headers=headers)).status_code == 200


@pytest.mark.parametrize(("tenant", "status"), [("a village", 400), ("v" * 65, 400), ("hamlet", 404)])
async def test_no_tenant_is_made_with_a_bad_name_or_for_another_caller(
    api: httpx.AsyncClient, store: SqliteStore, monkeypatch: pytest.MonkeyPatch, tenant: str, status: int
) -> None:
    monkeypatch.setitem(SUBJECTS, "newcomer", Caller("village" if status == 404 else tenant, "new", ADMINISTRATOR))
    headers = {"Subject": "newcomer", "NGSILD-Tenant": tenant}
    assert (await api.post("/entities", json=lamp(), headers=headers)).status_code == status
    assert tenant not in await store.list_tenants()


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/entityOperations/delete", [LAMP]),
        ("/entityOperations/update", [lamp()]),
        ("/entityOperations/merge", [lamp()]),
        (f"/entities/{LAMP}/attrs", {"level": {"value": 1}}),
        (f"/temporal/entities/{LAMP}/attrs", {"level": [{"value": 1, "observedAt": "2026-03-01T12:00:00Z"}]}),
        ("/snapshots", {"type": "Snapshot", "snapshotQueries": [{"type": "Query", "entities": [{"type": "Lamp"}]}]}),
    ],
)
async def test_what_creates_nothing_makes_no_tenant(
    api: httpx.AsyncClient, store: SqliteStore, monkeypatch: pytest.MonkeyPatch, path: str, body: object
) -> None:
    monkeypatch.setitem(SUBJECTS, "newcomer", Caller("village", "administrator", ADMINISTRATOR))
    refused = await api.post(path, json=body, headers={"Subject": "newcomer", "NGSILD-Tenant": "village"})
    assert (refused.status_code, refused.json()["type"]) == (404, NGSI_LD + "NonexistentTenant")
    assert "village" not in await store.list_tenants()


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        (
            "POST",
            "/csourceRegistrations",
            {
                "type": "ContextSourceRegistration",
                "mode": "redirect",
                "information": [{"entities": [{"type": "WasteContainer"}]}],
                "endpoint": "http://192.0.2.1/elsewhere",
            },
        ),
        ("POST", "/jsonldContexts", {"@context": {"level": "urn:level"}}),
        ("DELETE", "/jsonldContexts/00000000000000000000000000000000", None),
        (
            "POST",
            "/snapshots",
            {"type": "Snapshot", "snapshotQueries": [{"type": "Query", "entities": [{"type": "B"}]}]},
        ),
        ("PATCH", "/snapshots/urn:ngsi-ld:Snapshot:monthly", {"snapshotPriority": 0}),
        ("DELETE", "/snapshots/urn:ngsi-ld:Snapshot:monthly", None),
        ("DELETE", "/snapshots?q=snapshotPriority>=0", None),
    ],
)
async def test_who_writes_lamps_changes_nothing_that_is_of_all_objects(
    api: httpx.AsyncClient, method: str, path: str, body: object
) -> None:
    answer = await api.request(method, path, json=body, headers={"Subject": "lamplighter"})
    assert (answer.status_code, "write everything" in answer.text) == (403, True)


async def test_a_snapshot_tells_what_was_asked_to_nobody_who_reads_a_part_only(
    api: httpx.AsyncClient, broker: Broker
) -> None:
    query = {"type": "Query", "entities": [{"type": "WasteContainer"}], "q": 'email=="odile@example.org"'}
    body = {"id": "urn:ngsi-ld:Snapshot:monthly", "type": "Snapshot", "snapshotQueries": [query]}
    made = (await api.post("/snapshots", json=body)).headers["location"].removeprefix("/ngsi-ld/v1")
    await broker.snapshots.settle()
    for subject, status in (("resident", 403), ("lamplighter", 403), ("reader", 200)):
        headers = {"Subject": subject, "NGSILD-Snapshot": "urn:ngsi-ld:Snapshot:monthly"}
        assert (await api.get(made, headers={"Subject": subject})).status_code == status
        assert (await api.get("/entities?type=WasteContainer", headers=headers)).status_code == status
