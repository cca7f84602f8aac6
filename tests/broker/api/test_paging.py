"""From page to page while others write (NGSI-LD 1.9.1, 6.3.10)."""

import re
from urllib.parse import quote

import httpx
import pytest

from tests.broker.api.territory import BIN, BIN_2, LAMP, bin_at_the_port, lamp

NEXT = re.compile(r'<([^>]+)>; rel="next"')
EVERYTHING = "/ngsi-ld/v1/entities?local=true&limit=1&options=keyValues"


@pytest.fixture(autouse=True)
async def a_quay(api: httpx.AsyncClient) -> None:
    answer = await api.post("/entityOperations/create", json=[bin_at_the_port(), bin_at_the_port(BIN_2), lamp()])
    assert answer.status_code == 201


async def read(api: httpx.AsyncClient, url: str) -> tuple[list[str], str | None]:
    """The ids of a page, and the link to the next one."""
    page = await api.get(f"http://town{url}")
    assert page.status_code == 200, page.text
    found = NEXT.search(page.headers.get("Link", ""))
    return [one["id"] for one in page.json()], found and found.group(1)


async def token_of(api: httpx.AsyncClient) -> str:
    _, url = await read(api, EVERYTHING)
    assert url is not None
    return url.rsplit("after=", 1)[1]


def check_refused(answer: httpx.Response) -> None:
    assert answer.status_code == 400
    assert answer.json()["type"] == "https://uri.etsi.org/ngsi-ld/errors/BadRequestData"


async def test_what_is_deleted_meanwhile_makes_no_hole(api: httpx.AsyncClient) -> None:
    first, url = await read(api, EVERYTHING)
    assert url is not None
    await api.delete(f"/entities/{BIN}")

    second, url = await read(api, url)
    assert url is not None
    third, url = await read(api, url)

    assert (first, second, third, url) == ([BIN], [BIN_2], [LAMP], None)


async def test_a_page_may_begin_at_an_offset_and_go_on_from_there(api: httpx.AsyncClient) -> None:
    first, url = await read(api, EVERYTHING + "&offset=1")
    assert url is not None
    assert "offset" not in url

    assert (first, await read(api, url)) == ([BIN_2], ([LAMP], None))


async def test_the_page_before_is_told_by_how_many_came_before_it(api: httpx.AsyncClient) -> None:
    _, url = await read(api, EVERYTHING + "&offset=1")
    last = await api.get(f"http://town{url}")

    assert 'limit=1&offset=1>; rel="prev"' in last.headers["Link"]


async def test_the_pages_of_a_temporal_query_are_linked_likewise(api: httpx.AsyncClient) -> None:
    asked = "/ngsi-ld/v1/temporal/entities?local=true&limit=2&timerel=after&timeAt=2020-01-01T00:00:00Z"
    first, url = await read(api, asked)
    assert url is not None
    second, last = await read(api, url)

    assert (first, second, last) == ([BIN, BIN_2], [LAMP], None)


@pytest.mark.parametrize("token", ["", "1", "AAAA", "é", "A" * 30, "~~~", "A" * 5000])
async def test_a_token_nobody_gave_is_refused(api: httpx.AsyncClient, token: str) -> None:
    refused = await api.get(f"{EVERYTHING.removeprefix('/ngsi-ld/v1')}&after={quote(token)}")

    check_refused(refused)


async def test_a_token_of_another_query_is_refused(api: httpx.AsyncClient) -> None:
    token = await token_of(api)

    refused = await api.get(f"/entities?type=WasteContainer&limit=1&after={token}")

    check_refused(refused)


async def test_a_token_changed_by_a_letter_is_refused(api: httpx.AsyncClient) -> None:
    token = await token_of(api)
    changed = token[:3] + ("A" if token[3] != "A" else "B") + token[4:]

    refused = await api.get(f"/entities?local=true&after={changed}")

    check_refused(refused)


async def test_a_token_allows_another_limit_and_form_but_no_offset(api: httpx.AsyncClient) -> None:
    token = await token_of(api)

    wider = await api.get(f"/entities?local=true&limit=5&after={token}")
    both = await api.get(f"/entities?local=true&limit=1&after={token}&offset=1")

    assert [one["id"] for one in wider.json()] == [BIN_2, LAMP]
    check_refused(both)
