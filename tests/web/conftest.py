import re
from collections.abc import AsyncIterator
from html import unescape
from pathlib import Path

import httpx
import pytest
from prometheus_client import CollectorRegistry

from parvis.bootstrap import Platform, open_platform
from parvis.kernel.identity import Caller, system_caller
from parvis.kernel.settings import AccessSettings, MqttSettings, Settings, TerritorySettings
from parvis.kernel.time import Instant, system_clock
from parvis.web.server import assemble
from tests.fakes.town import device, town

PUBLIC = ("WasteContainer", "AirQualityObserved")


@pytest.fixture
def caller() -> Caller:
    return system_caller("test")


@pytest.fixture
def now() -> Instant:
    return system_clock()


def settings(data_dir: Path, *, auth: bool) -> Settings:
    return Settings(
        data_dir,
        territory=TerritorySettings(name="Trevalan", time_zone="Europe/Paris"),
        access=AccessSettings(auth=auth, public_types=PUBLIC),
        mqtt=MqttSettings(enabled=False),
    )


@pytest.fixture
async def platform(tmp_path: Path, caller: Caller, now: Instant) -> AsyncIterator[Platform]:
    """The small town, authentication on."""
    async with open_platform(settings(tmp_path, auth=True), listen=False) as platform:
        context = platform.broker.contexts.parvis
        await platform.broker.write(caller, [*town(context, now), device(context, now)])
        yield platform


@pytest.fixture
async def visitor(platform: Platform) -> AsyncIterator[httpx.AsyncClient]:
    """Nobody known: sees what is public."""
    async with client_of(platform) as client:
        yield client


@pytest.fixture
async def operator(platform: Platform) -> AsyncIterator[httpx.AsyncClient]:
    """Signed in, through the page behind the one-time link."""
    async with client_of(platform) as client:
        token = platform.access.accounts.offer_first_link()
        page = await client.get("/welcome", params={"token": token})
        form = {"token": token, "name": "ada", "password": "correct horse battery", "form_token": form_token(page.text)}
        answer = await client.post("/welcome", data=form)
        assert answer.status_code == 303, answer.text
        yield client


def client_of(platform: Platform, **headers: str) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(assemble(platform, CollectorRegistry()), raise_app_exceptions=False)
    headers = {"accept-language": "en", **headers}
    return httpx.AsyncClient(transport=transport, base_url="http://localhost", headers=headers)


def plain(page: str) -> str:
    """The text of a page as one line, without what scripts may put in later."""
    page = re.sub(r"<template.*?</template>", "", page, flags=re.DOTALL)
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", page.split("<body")[1])))


def form_token(page: str) -> str:
    return page.split('name="form_token" value="')[1].split('"')[0]
