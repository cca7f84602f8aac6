"""The walk through every page reads on after a page of many links, as a demonstration has them."""

import httpx

from tests.reach.addresses import crawl

MANY = "".join(f'<a href="/console/devices/A84041{number:010X}">one</a>' for number in range(1_000))


def answer(request: httpx.Request) -> httpx.Response:
    page = MANY if request.url.path == "/console/devices" else '<a href="/console/devices">all</a>'
    return httpx.Response(200, headers={"content-type": "text/html"}, text=f"<!doctype html><html>{page}</html>")


def test_a_page_of_a_thousand_links_does_not_end_the_walk() -> None:
    with httpx.Client(base_url="http://town.example", transport=httpx.MockTransport(answer)) as client:
        pages = crawl(client, most=2)
    assert {"/console/devices/{hardware_id}", "/console/system", "/"} <= set(pages)
