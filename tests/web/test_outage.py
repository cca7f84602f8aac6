"""What people see while the store takes nothing, or cannot be reached at all."""

import dataclasses
import re

import httpx
import pytest
from starlette.applications import Starlette

from parvis.bootstrap import Platform
from parvis.kernel.errors import Overloaded
from parvis.stores.archive.storage import ArchiveUnreachable
from parvis.web.health import Doorstep
from parvis.web.siblings import Exposition
from tests.web.conftest import client_of, plain


async def test_every_page_says_that_nothing_can_be_saved(platform: Platform) -> None:
    full = dataclasses.replace(platform, fault=lambda: "Nothing can be written: database or disk is full.")
    for language, words in (("en", "Nothing can be saved just now"), ("fr", "Rien ne peut être enregistré")):
        async with client_of(full, **{"accept-language": language}) as visitor:
            page = await visitor.get("/")
        assert page.status_code == 200
        assert words in plain(page.text)
    async with client_of(platform) as visitor:
        assert "Nothing can be saved" not in plain((await visitor.get("/")).text)


async def test_open_pages_can_ask_whether_anything_can_be_saved_also_where_nobody_can_be_made_out(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_digest: bytes) -> None:
        raise Overloaded("The database of accounts and keys does not answer.", retry_after_s=2)

    monkeypatch.setattr(platform.access.store, "find_session", refuse)
    away = dataclasses.replace(platform, fault=lambda: "PostgreSQL does not answer.")
    for there, saves in ((platform, True), (away, False)):
        async with client_of(there, cookie="parvis_session=unknown") as visitor:
            answer = await visitor.get("/live/store")
        assert (answer.status_code, answer.json()) == (200, {"saves": saves})
        assert answer.headers["cache-control"] == "no-store"


def style_sheet(page: str) -> str:
    (path,) = re.findall(r'<link rel="stylesheet" href="([^"]+)"', page)
    return str(path)


async def test_whoever_cannot_be_made_out_is_asked_to_come_back(
    platform: Platform, operator: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_digest: bytes) -> None:
        raise Overloaded("The database of accounts and keys does not answer.", retry_after_s=2)

    platform.access.gate.forget()
    monkeypatch.setattr(platform.access.store, "find_session", refuse)
    page = await operator.get("/console", headers={"accept": "text/html"})
    sheet = await operator.get(style_sheet(page.text))
    data = await operator.get("/ngsi-ld/v1/entities?type=Bin")
    assert sheet.status_code == 200
    assert (page.status_code, page.headers["retry-after"]) == (503, "2")
    assert "Back in a moment" in plain(page.text)
    assert (data.status_code, data.headers["retry-after"]) == (503, "2")
    assert data.json()["title"] == "Too busy just now"


async def test_a_page_whose_data_are_out_of_reach_is_no_fault_of_ours(
    platform: Platform, operator: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_arguments: object) -> None:
        raise Overloaded("PostgreSQL does not answer.", retry_after_s=5)

    monkeypatch.setattr(platform.broker._store, "query", refuse)
    page = await operator.get("/console/map")
    assert (page.status_code, page.headers.get("retry-after")) == (503, "5")
    assert "Back in a moment" in plain(page.text)
    assert "Load again" in plain(page.text)


async def test_who_asks_for_history_that_is_out_of_reach_is_asked_to_come_back(
    platform: Platform, operator: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_arguments: object, **_named: object) -> None:
        raise ArchiveUnreachable("The bucket does not answer.")

    monkeypatch.setattr(platform.broker._store, "history", refuse)
    answer = await operator.get("/ngsi-ld/v1/temporal/entities/urn:ngsi-ld:WasteContainer:1")
    assert (answer.status_code, answer.headers.get("retry-after")) == (503, "30"), answer.text


async def test_who_is_signed_in_sees_that_a_part_of_the_history_cannot_be_read(
    platform: Platform, operator: httpx.AsyncClient
) -> None:
    degraded = dataclasses.replace(platform, degraded=lambda: "files of the archive are damaged or lost: 1")
    for language, words in (("en", "files of the archive are damaged or lost"), ("fr", "sont abîmés ou perdus")):
        async with client_of(degraded, **{"accept-language": language}) as visitor:
            visitor.cookies = operator.cookies
            assert words in plain((await visitor.get("/console")).text)
            visitor.cookies.clear()
            assert words not in plain((await visitor.get("/")).text)
    assert "damaged" not in plain((await operator.get("/console")).text)


async def test_a_platform_that_cannot_tell_all_of_its_past_is_ready() -> None:
    doorstep = Doorstep(Exposition(()))
    doorstep.app = Starlette()
    doorstep.degraded = lambda: "files of the archive are damaged or lost: 2"
    async with httpx.AsyncClient(transport=httpx.ASGITransport(doorstep), base_url="http://parvis") as http:
        answer = await http.get("/readyz")
    assert (answer.status_code, answer.text) == (200, "degraded: files of the archive are damaged or lost: 2\n")
