"""What every answer tells browsers to refuse: walked along the router, so that no new page can leave it out."""

import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from http.cookies import SimpleCookie
from pathlib import Path

import httpx
import pytest
from prometheus_client import CollectorRegistry
from starlette.routing import Mount, Route

from parvis.access.access import COMMAND_LINE
from parvis.bootstrap import Platform, open_platform
from parvis.broker.api.table import ROUTES as NGSI_LD
from parvis.web.app import ROUTES, create_app
from parvis.web.front import AWAY, TOO_MANY
from parvis.web.headers import content_security_policy
from parvis.web.health import Doorstep
from parvis.web.server import assemble
from parvis.web.siblings import Exposition
from parvis.web.tenants import IN_COOKIE
from tests.web.conftest import client_of, form_token, settings

_PARAMETER = re.compile(r"\{([^}:]+)(?::(\w+))?\}")
_ENDLESS = frozenset({"/live/events"})
_LOOPBACK = "http://localhost"


def _filled(path: str) -> str:
    return _PARAMETER.sub(lambda found: "1" if found[2] == "int" else "urn:ngsi-ld:Nothing:1", path)


def _requests(platform: Platform) -> Iterator[tuple[str, str]]:
    """Every method of every route: pages, typed API, NGSI-LD, files, and what there is not."""
    (mount,) = [one for one in create_app(platform).routes if isinstance(one, Mount)]  # type: ignore[attr-defined]
    below = [(f"{mount.path}{one.path}", one.methods) for one in mount.routes if isinstance(one, Route)]
    pages = [(one.path, one.methods) for one in ROUTES]
    for path, methods in (*pages, *below):
        for method in sorted(methods or ()):
            if path not in _ENDLESS:
                yield method, _filled(path)
    for one in NGSI_LD:
        yield one.method, f"/ngsi-ld/v1{_filled(one.template)}"
    yield from (
        ("GET", "/data/v1/entities"),
        ("GET", "/static/0/app.css"),
        ("GET", "/static/0/none"),
        ("GET", "/nowhere"),
        ("PUT", "/console"),
        ("TRACE", "/"),
    )


def _faults(answer: httpx.Response, path: str) -> list[str]:
    headers = answer.headers
    policy = headers.get("content-security-policy", "")
    is_data = path.startswith(("/ngsi-ld/", "/data/"))
    wanted = {
        "x-content-type-options": "nosniff",
        "cross-origin-resource-policy": "same-origin",
        "content-security-policy": "default-src 'none'; frame-ancestors 'none'"
        if is_data
        else content_security_policy(),
    }
    if not is_data:
        wanted |= {
            "referrer-policy": "same-origin",
            "cross-origin-opener-policy": "same-origin",
            "permissions-policy": "camera=(self), microphone=(), geolocation=(self)",
        }
    faults = [f"{name}: {headers.get(name)}" for name, value in wanted.items() if headers.get(name) != value]
    if "unsafe" in policy or "*" in policy:
        faults.append(policy)
    if not {"no-store", "private", "public", "no-cache"} & set(re.findall(r"[\w-]+", headers.get("cache-control", ""))):
        faults.append("cache-control says nothing")
    if "server" in headers or "x-powered-by" in headers:
        faults.append("the server names itself")
    return faults


async def test_every_answer_of_every_route_is_locked_down(operator: httpx.AsyncClient, platform: Platform) -> None:
    wrong, seen = [], 0
    async with client_of(platform) as stranger:
        for method, path in _requests(platform):
            for client in (stranger, operator):
                if path == "/console/sign-out":
                    continue
                answer = await client.request(method, path, headers={"accept": "text/html"})
                seen += 1
                assert answer.status_code < 500 or path == AWAY, (method, path, answer.text)
                assert answer.status_code != 429 or path == TOO_MANY, "it was looked at, not refused for being too much"
                wrong += [(method, path, answer.status_code, one) for one in _faults(answer, path)]
    assert not wrong
    assert seen > 2 * len(ROUTES)


async def test_no_page_has_a_script_or_style_within_it(operator: httpx.AsyncClient, platform: Platform) -> None:
    """What the policy refuses would not work: no page may count on it."""
    inline = re.compile(
        r"<script(?![^>]*\bsrc=)(?![^>]*type=\"application/json\")[^>]*>|<style\b|\son\w+=\"|\sstyle=\"|javascript:"
    )
    found = []
    for method, path in _requests(platform):
        if method == "GET" and not path.startswith(("/api", "/ngsi-ld", "/data", "/static")):
            answer = await operator.get(path)
            if answer.headers.get("content-type", "").startswith("text/html"):
                found += [(path, one) for one in inline.findall(answer.text)]
    assert not found


async def test_what_a_signed_in_person_sees_is_kept_by_no_one_in_between(
    operator: httpx.AsyncClient, platform: Platform
) -> None:
    shared = []
    for method, path in _requests(platform):
        if method == "GET" and path.startswith(("/console", "/ngsi-ld", "/data", "/api")):
            answer = await operator.get(path)
            if not {"private", "no-store"} & set(re.findall(r"[\w-]+", answer.headers["cache-control"])):
                shared.append((path, answer.headers["cache-control"]))
    assert not shared


async def test_transport_security_is_asked_for_behind_tls_only(platform: Platform) -> None:
    transport = httpx.ASGITransport(assemble(platform, CollectorRegistry()))
    async with (
        httpx.AsyncClient(transport=transport, base_url="https://data.town.example") as secure,
        httpx.AsyncClient(transport=transport, base_url=_LOOPBACK) as plain,
    ):
        for path in ("/", "/nowhere", "/ngsi-ld/v1/entities"):
            assert (await secure.get(path)).headers["strict-transport-security"] == "max-age=31536000"
            assert "strict-transport-security" not in (await plain.get(path)).headers


@pytest.fixture
async def health(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(Doorstep(Exposition(()))), base_url=_LOOPBACK) as client:
        yield client


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/console"])
async def test_what_answers_before_the_platform_is_there_is_locked_down_too(
    health: httpx.AsyncClient, path: str
) -> None:
    headers = (await health.get(path)).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert headers["cache-control"] == "no-store"


@pytest.mark.parametrize(("scheme", "prefix"), [("http", ""), ("https", "__Host-")])
async def test_cookies_are_bound_to_this_very_name_behind_tls(platform: Platform, scheme: str, prefix: str) -> None:
    """But for the one that keeps which member was chosen: it proves nothing, and a script reads it."""
    await platform.access.accounts.add_account(COMMAND_LINE, "odile", "the tide comes in twice", "operator")
    transport = httpx.ASGITransport(assemble(platform, CollectorRegistry()))
    async with httpx.AsyncClient(transport=transport, base_url=f"{scheme}://data.town.example") as client:
        page = await client.get("/console/sign-in")
        form = {"name": "odile", "password": "the tide comes in twice", "form_token": form_token(page.text)}
        answer = await client.post("/console/sign-in", data=form)
        assert answer.status_code == 303
        assert (await client.get("/console")).status_code == 200
    for text in (*page.headers.get_list("set-cookie"), *answer.headers.get_list("set-cookie")):
        ((name, cookie),) = SimpleCookie(text).items()
        assert bool(cookie["secure"]) is bool(prefix)
        if name == IN_COOKIE:
            continue
        assert name.startswith(f"{prefix}parvis_")
        assert cookie["httponly"]
        assert cookie["samesite"] == "lax"
        assert (cookie["path"], cookie["domain"]) == ("/", "")


async def test_behind_tls_a_cookie_that_another_name_could_have_set_signs_nobody_in(
    operator: httpx.AsyncClient, platform: Platform
) -> None:
    token = operator.cookies["parvis_session"]
    transport = httpx.ASGITransport(assemble(platform, CollectorRegistry()))
    async with httpx.AsyncClient(transport=transport, base_url="https://data.town.example") as client:
        planted = await client.get("/console/devices", headers={"cookie": f"parvis_session={token}"})
        own = await client.get("/console/devices", headers={"cookie": f"__Host-parvis_session={token}"})
    assert (planted.status_code, own.status_code) == (303, 200)


async def test_signing_out_clears_what_pages_left_in_the_browser(operator: httpx.AsyncClient) -> None:
    token = form_token((await operator.get("/console")).text)
    answer = await operator.post("/console/sign-out", data={"form_token": token})
    assert answer.headers["clear-site-data"] == '"cache", "storage"'


async def test_subdomains_are_bound_to_tls_by_setting(tmp_path: Path) -> None:
    given = settings(tmp_path, auth=True)
    given = replace(given, server=replace(given.server, tls_subdomains=True))
    async with open_platform(given, listen=False) as platform:
        transport = httpx.ASGITransport(assemble(platform, CollectorRegistry()))
        async with httpx.AsyncClient(transport=transport, base_url="https://data.town.example") as client:
            policy = (await client.get("/")).headers["strict-transport-security"]
    assert policy == "max-age=31536000; includeSubDomains"
