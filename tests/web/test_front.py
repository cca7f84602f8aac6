import json
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any

import httpx
import pytest
from prometheus_client import CollectorRegistry, generate_latest
from starlette.types import Receive, Scope, Send

from parvis.access.access import COMMAND_LINE, Access, build_access
from parvis.access.identities.sessions import SeenFrom
from parvis.access.passwords import Passwords
from parvis.kernel.errors import Forbidden, Overloaded
from parvis.kernel.identity import Caller
from parvis.kernel.logs import request_id
from parvis.kernel.settings import AccessSettings
from parvis.stores.sqlite.access import SqliteAccessStore
from parvis.web.auth import SESSION_COOKIE
from parvis.web.front import Front
from parvis.web.metrics import RequestMetrics

Application = Callable[[Scope, Receive, Send], Coroutine[Any, Any, None]]
SITE = "http://parvis.test"
PASSWORD = "the tide comes in twice"


@pytest.fixture
def access() -> Iterator[Access]:
    store = SqliteAccessStore(":memory:")
    yield build_access(store, AccessSettings(public_types=("Building",)), passwords=Passwords(memory_kib=8))
    store.close()


async def answer(send: Send, status: int = 200, body: bytes = b"{}") -> None:
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": body})


async def who(scope: Scope, receive: Receive, send: Send) -> None:
    caller: Caller = scope["state"]["caller"]
    told = {"subject": caller.subject, "tenant": caller.tenant, "id": request_id.get()}
    await answer(send, body=json.dumps(told).encode())


async def reader(scope: Scope, receive: Receive, send: Send) -> None:
    more = True
    while more:
        more = (await receive()).get("more_body", False)
    await answer(send)


def client(app: Application, access: Access, metrics: RequestMetrics | None = None) -> httpx.AsyncClient:
    front = Front(app, access.gate, metrics or RequestMetrics(), body_limit_bytes=1000)
    return httpx.AsyncClient(transport=httpx.ASGITransport(front), base_url=SITE)


async def session_of(access: Access) -> str:
    await access.accounts.add_account(COMMAND_LINE, "odile", PASSWORD, "operator")
    return (await access.accounts.sign_in("odile", PASSWORD, SeenFrom("192.0.2.7"))).token


async def test_a_key_makes_the_caller(access: Access) -> None:
    key, token = access.keys.create(COMMAND_LINE, "test", "operator")
    async with client(who, access) as http:
        response = await http.get("/x", headers={"authorization": f"Bearer {token}"})
    assert response.json()["subject"] == f"key:{key.id}"


async def test_a_session_cookie_makes_the_caller(access: Access) -> None:
    token = await session_of(access)
    async with client(who, access) as http:
        response = await http.get("/x", headers={"cookie": f"theme=dark; {SESSION_COOKIE}={token}"})
    assert response.json()["subject"] == "user:odile"


async def test_without_a_proof_the_caller_is_anonymous(access: Access) -> None:
    async with client(who, access) as http:
        for cookie in ("", f"{SESSION_COOKIE}=forged", 'broken="', "\x7f=1"):
            response = await http.get("/x", headers={"cookie": cookie})
            assert response.json()["subject"] == "anonymous"


async def test_a_wrong_key_is_answered_with_what_to_do(access: Access) -> None:
    async with client(who, access) as http:
        response = await http.get("/ngsi-ld/v1/entities", headers={"authorization": "Bearer wrong"})
    assert response.status_code == 401
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["www-authenticate"].startswith("Bearer")
    assert "API key" in response.json()["detail"]


async def test_the_tenant_is_the_one_asked_for_if_the_key_holds_there(access: Access) -> None:
    _, here = access.keys.create(COMMAND_LINE, "here", "reader")
    _, everywhere = access.keys.create(COMMAND_LINE, "everywhere", "reader", "*")
    async with client(who, access) as http:
        refused = await http.get("/x", headers={"authorization": f"Bearer {here}", "ngsild-tenant": "port"})
        taken = await http.get("/x", headers={"authorization": f"Bearer {everywhere}", "ngsild-tenant": "port"})
    assert refused.status_code == 403
    assert taken.json()["tenant"] == "port"


@pytest.mark.parametrize("sign", [{"sec-fetch-site": "cross-site"}, {"origin": "https://evil.example"}])
async def test_another_site_cannot_write_with_our_cookie(access: Access, sign: dict[str, str]) -> None:
    cookie = {"cookie": f"{SESSION_COOKIE}={await session_of(access)}"}
    async with client(who, access) as http:
        assert (await http.post("/x", headers=cookie | sign)).status_code == 403
        assert (await http.post("/x", headers=cookie | {"origin": SITE})).status_code == 200
        assert (await http.get("/x", headers=cookie | sign)).status_code == 200


async def test_without_authentication_only_a_local_name_is_answered() -> None:
    store = SqliteAccessStore(":memory:")
    access = build_access(store, AccessSettings(auth=False))
    async with client(who, access) as http:
        for host, status in (
            ("localhost:8080", 200),
            ("127.0.0.1", 200),
            ("[::1]:8080", 200),
            ("evil.example", 403),
            ("localhost.evil.example", 403),
            ("[", 403),
        ):
            assert (await http.get("/x", headers={"host": host})).status_code == status, host
    store.close()


async def test_every_answer_carries_an_id_and_the_log_the_same(access: Access) -> None:
    async with client(who, access) as http:
        first, second = await http.get("/x"), await http.get("/x")
        given = await http.get("/x", headers={"x-request-id": "from-the-proxy"})
    assert first.headers["x-request-id"] == first.json()["id"] != second.headers["x-request-id"]
    assert given.headers["x-request-id"] == given.json()["id"] == "from-the-proxy"


async def test_a_body_beyond_the_limit_is_refused_said_or_unsaid(access: Access) -> None:
    async def unsaid() -> AsyncIterator[bytes]:
        for _ in range(11):
            yield b"x" * 100

    async with client(reader, access) as http:
        assert (await http.post("/x", content=b"x" * 1000)).status_code == 200
        assert (await http.post("/x", content=b"x" * 1001)).status_code == 413
        assert (await http.post("/x", content=unsaid(), headers={"transfer-encoding": "chunked"})).status_code == 413


async def test_pages_may_load_nothing_from_elsewhere(access: Access) -> None:
    async with client(who, access) as http:
        page, data = await http.get("/console"), await http.get("/ngsi-ld/v1/entities")
    policy = page.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "http" not in policy
    assert page.headers["x-content-type-options"] == data.headers["x-content-type-options"] == "nosniff"
    assert data.headers["content-security-policy"].startswith("default-src 'none'")


async def test_expected_failures_are_reports_and_surprises_tell_nothing(
    access: Access, caplog: pytest.LogCaptureFixture
) -> None:
    failures: dict[str, Exception] = {
        "/forbidden": Forbidden("Not for you."),
        "/busy": Overloaded("Try later.", 7),
        "/broken": RuntimeError("secret internals"),
    }

    async def failing(scope: Scope, receive: Receive, send: Send) -> None:
        raise failures[scope["path"]]

    async with client(failing, access) as http:
        forbidden, busy, broken = [await http.get(path) for path in failures]

    assert (forbidden.status_code, forbidden.json()["detail"]) == (403, "Not for you.")
    assert (busy.status_code, busy.headers["retry-after"]) == (503, "7")
    assert broken.status_code == 500
    assert "secret" not in broken.text
    assert [record.levelno for record in caplog.records if record.name == "parvis.web.front"] == [logging.ERROR]


async def test_an_answer_that_breaks_off_is_not_made_to_look_whole(access: Access) -> None:
    async def breaking(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        raise RuntimeError

    async with client(breaking, access) as http:
        with pytest.raises(RuntimeError):
            await http.get("/x")


async def test_answers_are_counted_by_method_and_status(access: Access) -> None:
    metrics, registry = RequestMetrics(), CollectorRegistry()
    registry.register(metrics)
    async with client(who, access, metrics) as http:
        await http.get("/x")
        await http.get("/x", headers={"authorization": "Basic x"})
        await http.request("BREW", "/x")

    text = generate_latest(registry).decode()
    for line in (
        'parvis_http_requests_total{method="GET",status="200"} 1.0',
        'parvis_http_requests_total{method="GET",status="401"} 1.0',
        'parvis_http_requests_total{method="other",status="200"} 1.0',
        "parvis_http_requests_open 0.0",
        'parvis_http_request_duration_seconds_bucket{le="+Inf"} 3.0',
    ):
        assert line in text


async def test_who_tries_what_they_may_not_is_told_to_the_log(access: Access, caplog: pytest.LogCaptureFixture) -> None:
    key, token = access.keys.create(COMMAND_LINE, "test", "reader")

    async def refusing(scope: Scope, receive: Receive, send: Send) -> None:
        raise Forbidden("Not for you.")

    with caplog.at_level(logging.INFO, "parvis.web.front"):
        async with client(refusing, access) as http:
            for path in ("/console/people?q=ada", "/boards/a-secret-link"):
                await http.get(path, headers={"authorization": f"Bearer {token}"})
    told = [(vars(one)["subject"], vars(one)["path"]) for one in caplog.records if one.getMessage() == "refused"]
    assert told == [(f"key:{key.id}", "/console/people"), (f"key:{key.id}", "/boards/...")]
