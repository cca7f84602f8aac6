"""Every refusal: its status and the type of its problem report (NGSI-LD 1.9.1, 5.5.2 and 6.3.2)."""

from typing import Any

import httpx
import pytest

from parvis.broker.broker import Broker
from parvis.kernel.identity import Caller
from tests.broker.api.conftest import MAX_BODY_BYTES
from tests.broker.api.territory import BIN, bin_at_the_port

NGSI_LD = "https://uri.etsi.org/ngsi-ld/errors/"
JSON = {"Content-Type": "application/json"}
LD = {"Content-Type": "application/ld+json"}
CORE = "https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context-v1.9.jsonld"
LINK = f'<{CORE}>; rel="http://www.w3.org/ns/json-ld#context"; type="application/ld+json"'
UNREACHABLE = '<https://example.org/none.jsonld>; rel="http://www.w3.org/ns/json-ld#context"'
BATCH = "/entityOperations/upsert"
QUERY = "/entityOperations/query"
LEVEL = f"/entities/{BIN}/attrs/fillingLevel"


@pytest.fixture(autouse=True)
async def a_bin(api: httpx.AsyncClient) -> None:
    await api.post("/entities", json=bin_at_the_port())


def check(answer: httpx.Response, status: int, name: str) -> None:
    assert answer.status_code == status, answer.text
    if status in (411, 415):
        assert answer.content == b""
        return
    assert answer.headers["Content-Type"] == "application/json"
    assert "Link" not in answer.headers
    problem = answer.json()
    assert problem["type"] == ("about:blank" if name == "about:blank" else NGSI_LD + name)
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"]


READING: list[tuple[str, int, str]] = [
    ("/entities/urn:ngsi-ld:WasteContainer:none", 404, "ResourceNotFound"),
    ("/entities/no-uri", 400, "BadRequestData"),
    (f"/entities/{BIN}?type=Streetlight", 404, "ResourceNotFound"),
    (f"/entities/{BIN}?geometryProperty=location", 400, "BadRequestData"),
    ("/entities?type=WasteContainer&geometryProperty=location", 400, "BadRequestData"),
    (f"/entities/{BIN}?limit=2", 400, "InvalidRequest"),
    (f"/entities/{BIN}?options=shiny", 400, "InvalidRequest"),
    (f"/entities/{BIN}?options=keyValues,concise", 400, "BadRequestData"),
    (f"/entities/{BIN}?lang=fr;q=high", 400, "BadRequestData"),
    ("/entities", 400, "BadRequestData"),
    (f"/entities?id={BIN}", 400, "BadRequestData"),
    ("/entities?type=", 400, "BadRequestData"),
    ("/entities?type=WasteContainer&entityMaps=true", 400, "InvalidRequest"),
    ("/entities?type=WasteContainer&type=Streetlight", 400, "InvalidRequest"),
    ("/entities?type=WasteContainer&id=no-uri", 400, "BadRequestData"),
    ("/entities?type=WasteContainer&idPattern=(", 400, "BadRequestData"),
    ("/entities?type=WasteContainer&limit=0", 400, "BadRequestData"),
    ("/entities?type=WasteContainer&limit=-1", 400, "BadRequestData"),
    ("/entities?type=WasteContainer&limit=1001", 403, "TooManyResults"),
    ("/entities?type=WasteContainer&offset=-1", 400, "BadRequestData"),
    ("/entities?type=WasteContainer&count=maybe", 400, "BadRequestData"),
    ("/entities?q=fillingLevel>", 400, "BadRequestData"),
    ("/entities?type=WasteContainer&georel=within", 400, "BadRequestData"),
    ("/entities?georel=near&geometry=Point&coordinates=[0,0]", 400, "BadRequestData"),
    ("/entities?georel=within&geometry=Point&coordinates=[0,0", 400, "BadRequestData"),
    ("/entities?type=WasteContainer&scopeQ=//", 400, "BadRequestData"),
    ("/nothing", 404, "ResourceNotFound"),
    ("/types/NoSuchThing", 404, "ResourceNotFound"),
    ("/types?q=a", 400, "InvalidRequest"),
    ("/temporal/entities/urn:ngsi-ld:WasteContainer:none", 404, "ResourceNotFound"),
    ("/temporal/entities?type=WasteContainer", 400, "BadRequestData"),
    ("/temporal/entities?timerel=before&timeAt=2026-05-01T00:00:00Z", 400, "BadRequestData"),
    (f"/temporal/entities/{BIN}?type=Streetlight", 404, "ResourceNotFound"),
    (f"/temporal/entities/{BIN}?timerel=before", 400, "BadRequestData"),
    (f"/temporal/entities/{BIN}?timerel=during&timeAt=2026-05-01T00:00:00Z", 400, "BadRequestData"),
    (f"/temporal/entities/{BIN}?timerel=before&timeAt=yesterday", 400, "BadRequestData"),
    (f"/temporal/entities/{BIN}?timerel=between&timeAt=2026-05-01T00:00:00Z", 400, "BadRequestData"),
    (f"/temporal/entities/{BIN}?lastN=0", 400, "BadRequestData"),
    (f"/temporal/entities/{BIN}?options=aggregatedValues", 400, "BadRequestData"),
    (f"/temporal/entities/{BIN}?options=aggregatedValues&aggrMethods=median", 400, "BadRequestData"),
    (f"/temporal/entities/{BIN}?options=aggregatedValues&aggrMethods=avg&aggrPeriodDuration=1h", 400, "BadRequestData"),
    (f"/temporal/entities/{BIN}?options=aggregatedValues,temporalValues&aggrMethods=avg", 400, "BadRequestData"),
]


@pytest.mark.parametrize(("path", "status", "name"), READING)
async def test_reading(api: httpx.AsyncClient, path: str, status: int, name: str) -> None:
    check(await api.get(path), status, name)


WRITING: list[tuple[str, str, bytes, dict[str, str], int, str]] = [
    ("POST", "/entities", b"{", JSON, 400, "InvalidRequest"),
    ("POST", "/entities", b"\xff", JSON, 400, "InvalidRequest"),
    ("POST", "/entities", b"[]", JSON, 400, "InvalidRequest"),
    ("POST", "/entities", b'{"id":"no-uri","type":"A"}', JSON, 400, "BadRequestData"),
    ("POST", "/entities", b'{"id":"urn:a:b"}', JSON, 400, "BadRequestData"),
    (
        "POST",
        "/entities",
        b'{"id":"urn:a:b","type":"A","b":{"type":"Proprety","value":1}}',
        JSON,
        400,
        "BadRequestData",
    ),
    ("POST", "/entities", b'{"id":"urn:a:b","type":"A","b":{"value":null}}', JSON, 400, "BadRequestData"),
    ("POST", "/entities", b'{"id":"%s","type":"A"}' % BIN.encode(), JSON, 409, "AlreadyExists"),
    ("POST", "/entities?options=keyValues", b'{"id":"urn:a:b","type":"A"}', JSON, 400, "InvalidRequest"),
    ("POST", "/entities", b'{"id":"urn:a:b","type":"A","@context":[]}', JSON, 400, "BadRequestData"),
    ("POST", "/entities", b'{"id":"urn:a:b","type":"A"}', LD, 400, "BadRequestData"),
    ("POST", "/entities", b'{"id":"urn:a:b","type":"A","@context":[]}', LD | {"Link": LINK}, 400, "BadRequestData"),
    ("POST", "/entities", b'{"id":"urn:a:b","type":"A","@context":7}', LD, 400, "BadRequestData"),
    ("POST", "/entities", b'{"id":"urn:a:b","type":"A"}', JSON | {"Link": UNREACHABLE}, 504, "LdContextNotAvailable"),
    ("POST", "/entities", b'{"id":"urn:a:b","type":"A"}', JSON | {"Link": f"{LINK}, {LINK}"}, 400, "BadRequestData"),
    ("POST", "/entities?type=A", b'{"id":"urn:a:b","type":"A"}', JSON, 400, "InvalidRequest"),
    ("POST", "/entities", b"id=urn:a:b", {"Content-Type": "text/plain"}, 415, "about:blank"),
    ("POST", "/entities", b"{}", {}, 415, "about:blank"),
    ("POST", "/entities", b"", JSON, 400, "InvalidRequest"),
    ("POST", "/entities", b" " * (MAX_BODY_BYTES + 1), JSON, 413, "about:blank"),
    ("PUT", "/entities/urn:a:b", b'{"type":"A"}', JSON, 404, "ResourceNotFound"),
    ("PUT", f"/entities/{BIN}", b'{"id":"urn:a:b","type":"A"}', JSON, 400, "BadRequestData"),
    ("PATCH", "/entities/urn:a:b", b'{"b":{"value":1}}', JSON, 404, "ResourceNotFound"),
    ("PATCH", f"/entities/{BIN}?observedAt=noon", b'{"b":{"value":1}}', JSON, 400, "BadRequestData"),
    ("PATCH", "/entities/urn:a:b/attrs", b'{"b":{"value":1}}', JSON, 404, "ResourceNotFound"),
    ("POST", "/entities/urn:a:b/attrs", b'{"b":{"value":1}}', JSON, 404, "ResourceNotFound"),
    ("POST", f"/entities/{BIN}/attrs?options=update", b'{"b":{"value":1}}', JSON, 400, "InvalidRequest"),
    ("PATCH", "/entities/urn:a:b/attrs/fillingLevel", b'{"value":1}', JSON, 404, "ResourceNotFound"),
    ("PATCH", f"/entities/{BIN}/attrs/none", b'{"value":1}', JSON, 404, "ResourceNotFound"),
    ("PATCH", LEVEL, b'{"type":"Relationship","object":"urn:a:c"}', JSON, 400, "BadRequestData"),
    ("PATCH", LEVEL, b'{"value":1,"observedAt":"noon"}', JSON, 400, "BadRequestData"),
    ("DELETE", "/entities/urn:a:b", b"", {}, 404, "ResourceNotFound"),
    ("DELETE", f"/entities/{BIN}?type=Streetlight", b"", {}, 404, "ResourceNotFound"),
    ("PATCH", f"{LEVEL}?type=Streetlight", b'{"value":1}', JSON, 404, "ResourceNotFound"),
    ("DELETE", f"/entities/{BIN}/attrs/none", b"", {}, 404, "ResourceNotFound"),
    ("DELETE", f"{LEVEL}?deleteAll=true&datasetId=urn:a:d", b"", {}, 400, "BadRequestData"),
    ("DELETE", f"{LEVEL}?datasetId=d", b"", {}, 400, "BadRequestData"),
    ("POST", BATCH, b"[]", JSON, 400, "BadRequestData"),
    ("POST", BATCH, b"{}", JSON, 400, "BadRequestData"),
    ("POST", BATCH, b"[", JSON, 400, "InvalidRequest"),
    ("POST", f"{BATCH}?options=noOverwrite", b"[{}]", JSON, 400, "InvalidRequest"),
    ("POST", QUERY, b'{"type":"Question"}', JSON, 400, "BadRequestData"),
    ("POST", QUERY, b'{"type":"Query"}', JSON, 400, "BadRequestData"),
    ("POST", QUERY, b'{"type":"Query","entities":[{"id":"urn:a:b"}]}', JSON, 400, "BadRequestData"),
    ("POST", QUERY, b'{"type":"Query","attrs":["a"],"quorum":1}', JSON, 400, "BadRequestData"),
    ("POST", "/temporal/entities/urn:a:b/attrs", b'{"b":[{"value":1}]}', JSON, 404, "ResourceNotFound"),
    ("POST", f"/temporal/entities/{BIN}/attrs", b'{"id":"urn:a:b"}', JSON, 400, "BadRequestData"),
]


@pytest.mark.parametrize(("method", "path", "body", "headers", "status", "name"), WRITING)
async def test_writing(
    api: httpx.AsyncClient, method: str, path: str, body: bytes, headers: dict[str, str], status: int, name: str
) -> None:
    check(await api.request(method, path, content=body, headers=headers), status, name)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/entities", "DELETE, GET, POST"),
        ("POST", f"/entities/{BIN}", "DELETE, GET, PATCH, PUT"),
        ("GET", BATCH, "POST"),
        ("DELETE", "/types", "GET"),
    ],
)
async def test_a_method_that_means_nothing(api: httpx.AsyncClient, method: str, path: str, allowed: str) -> None:
    answer = await api.request(method, path)
    check(answer, 405, "about:blank")
    assert answer.headers["Allow"] == allowed


@pytest.mark.parametrize(
    ("path", "accept"),
    [
        (f"/entities/{BIN}", "text/html"),
        ("/types", "application/geo+json"),
        (f"/temporal/entities/{BIN}", "application/geo+json"),
    ],
)
async def test_a_form_that_cannot_be_given(api: httpx.AsyncClient, path: str, accept: str) -> None:
    check(await api.get(path, headers={"Accept": accept}), 406, "about:blank")


@pytest.mark.parametrize("more", [{}, {"NGSILD-Tenant": "nobody"}])
async def test_a_body_in_chunks_says_not_how_long_it_is(api: httpx.AsyncClient, more: dict[str, str]) -> None:
    async def chunks() -> Any:
        yield b'{"id":"urn:ngsi-ld:Bin:3",'
        yield b'"type":"WasteContainer"}'

    answer = await api.post("/entities", content=chunks(), headers=JSON | more)
    assert (answer.status_code, answer.content) == (411, b"")


async def test_a_body_that_comes_in_pieces_is_read_whole_and_bounded(api: httpx.AsyncClient) -> None:
    def pieces(size: int) -> Any:
        async def chunks() -> Any:
            yield b'{"id":"urn:ngsi-ld:Bin:3",'
            yield b'"type":"WasteContainer"}' + b" " * (size - 51)

        return chunks()

    for size, status in ((60, 201), (MAX_BODY_BYTES + 10, 413)):
        headers = {**JSON, "Content-Length": "60"}
        assert (await api.post("/entities", content=pieces(size), headers=headers)).status_code == status


async def test_a_defect_of_ours_tells_nothing_of_the_inside(
    api: httpx.AsyncClient, broker: Broker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(_: Caller, __: str) -> None:
        raise RuntimeError("the password is 1234")

    monkeypatch.setattr(broker, "get", broken)
    answer = await api.get(f"/entities/{BIN}")
    check(answer, 500, "InternalError")
    assert "1234" not in answer.text
    assert "1234" in caplog.text


async def test_options_tell_what_there_is_to_be_done(api: httpx.AsyncClient) -> None:
    told = await api.options(f"/entities/{BIN}/attrs")
    assert (told.status_code, told.headers["Allow"]) == (200, "PATCH, POST, OPTIONS")
    assert "application/ld+json" in told.headers["Accept-Patch"]
    types = await api.options("/types")
    assert types.headers["Allow"] == "GET, OPTIONS"
    assert "Accept-Patch" not in types.headers
    assert (await api.options("/nowhere")).status_code == 404
