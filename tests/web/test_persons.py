"""Answering one person in the console: looking, giving a copy, erasing."""

import asyncio
import io
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from msgspec.structs import replace

from parvis.access.access import COMMAND_LINE
from parvis.access.privacy.person.identifiers import By, identifier
from parvis.bootstrap import Platform, open_platform
from parvis.bootstrap.persons import erasing, find
from parvis.kernel.identity import system_caller
from tests.fakes.marie import EMAIL, MARIE, STEWARD, fill, in_job
from tests.fakes.places import settings_in
from tests.web.conftest import client_of, form_token, plain

PAGE = "/console/privacy/people"


@pytest.fixture
async def platform(tmp_path: Path) -> AsyncIterator[Platform]:
    async with open_platform(settings_in(tmp_path), listen=False) as platform:
        yield platform


@pytest.fixture
async def steward(platform: Platform) -> AsyncIterator[httpx.AsyncClient]:
    _, key = platform.access.keys.create(COMMAND_LINE, "office", "data-steward")
    async with client_of(platform, authorization=f"Bearer {key}") as client:
        yield client


async def read(client: httpx.AsyncClient, path: str = PAGE, **asked: str) -> str:
    answer = await client.get(path, params=asked)
    assert answer.status_code == 200, answer.text
    return answer.text


async def post(client: httpx.AsyncClient, path: str, **form: str) -> httpx.Response:
    token = form_token(await read(client, PAGE))
    return await client.post(path, data={"form_token": token, **form})


async def looked_for(platform: Platform, client: httpx.AsyncClient, **form: str) -> str:
    """The address of the request, once the job has ended."""
    answer = await post(client, PAGE, **form)
    assert answer.status_code == 303, answer.text
    address = answer.headers["location"]
    case = platform.persons.get(STEWARD, address.rpartition("/")[2])
    assert "Being looked for" in plain(await read(client, address))
    await asyncio.to_thread(find, in_job(platform, case))
    return str(address)


async def test_it_is_for_those_who_answer_for_the_data(platform: Platform) -> None:
    _, key = platform.access.keys.create(COMMAND_LINE, "office", "operator")
    async with client_of(platform, authorization=f"Bearer {key}") as clerk:
        assert (await clerk.get(PAGE)).status_code == 403
        assert PAGE not in (await clerk.get("/console")).text


async def test_a_data_steward_finds_it_in_the_rail(steward: httpx.AsyncClient) -> None:
    assert f'href="{PAGE}"' in (await steward.get("/console")).text
    assert "Données d’une personne" in plain(await read(steward, lang="fr"))


async def test_from_the_question_to_the_copy(platform: Platform, steward: httpx.AsyncClient) -> None:
    await fill(platform)

    address = await looked_for(platform, steward, email=EMAIL, name="Marie Dupont")

    page = plain(await read(steward, address))
    assert MARIE in page
    assert "Stays: legal duty" in page
    assert "Perhaps somebody else" in page
    assert "Article 19" in page
    copy = await post(steward, f"{address}/copy")
    assert copy.headers["content-type"] == "application/zip"
    assert "objects.ndjson" in zipfile.ZipFile(io.BytesIO(copy.content)).namelist()
    done = [entry.record.action for entry in platform.access.store.list_audit(None, 10)]
    assert {"person-searched", "person-read", "person-copied"} <= set(done)


async def test_a_request_is_called_as_it_was_typed_and_attributes_by_their_names(
    platform: Platform, steward: httpx.AsyncClient
) -> None:
    await fill(platform)
    address = await looked_for(platform, steward, telephone=" 06 12 34  56 78", email=EMAIL)

    page = plain(await read(steward, address, lang="fr")).replace("\xa0", " ")

    assert "06 12 34 56 78" in page
    assert "…612345678" not in page
    assert f"Adresse électronique : {EMAIL}" in page
    assert "email: " not in page


async def test_an_erasure_takes_a_ground_and_a_word(platform: Platform, steward: httpx.AsyncClient) -> None:
    await fill(platform)
    address = await looked_for(platform, steward, email=EMAIL)

    without = await post(steward, f"{address}/erase", ground="objection", confirmed="yes")
    assert (without.status_code, "Type the word that is asked for." in plain(without.text)) == (400, True)
    assert 'value="objection" selected' in without.text
    assert (await post(steward, f"{address}/erase", ground="", confirmed="ERASE")).status_code == 400
    assert await platform.broker.find(system_caller("test"), MARIE) is not None

    assert (await post(steward, f"{address}/erase", ground="objection", confirmed="EFFACER")).status_code == 303
    assert "Being erased" in plain(await read(steward, address))
    case = platform.persons.get(STEWARD, address.rpartition("/")[2])
    await erasing(platform.settings, platform.eraser)(in_job(platform, case))

    page = plain(await read(steward, address))
    assert "nothing is left" in page
    assert EMAIL not in page
    listed = plain(await read(steward))
    assert EMAIL not in listed
    assert "(c) The person objects" in listed
    assert await platform.broker.find(system_caller("test"), MARIE) is None


async def test_what_nobody_is_known_by_is_told_in_the_pages_language(steward: httpx.AsyncClient) -> None:
    answer = await post(steward, f"{PAGE}?lang=fr", email="marie")

    assert answer.status_code == 400
    assert "ne peut pas être cherché" in plain(answer.text)
    assert 'value="marie"' in answer.text


async def test_who_is_known_by_nothing_here_is_told_so(platform: Platform, steward: httpx.AsyncClient) -> None:
    address = await looked_for(platform, steward, email="nobody@example.org")

    assert "Nothing was found" in plain(await read(steward, address))
    assert (await post(steward, f"{address}/forget")).status_code == 303
    assert (await steward.get(address)).status_code == 404


async def test_a_request_of_another_tenant_is_not_there(platform: Platform, steward: httpx.AsyncClient) -> None:
    await platform.broker.add_tenant("other")
    case = platform.persons.open(replace(STEWARD, tenant="other"), [identifier(By.EMAIL, EMAIL)])

    assert (await steward.get(f"{PAGE}/{case.id}")).status_code == 404
