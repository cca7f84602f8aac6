"""Whose address a request has: what a proxy says of it counts where the proxy is one of ours."""

from typing import Any

import pytest

from parvis.kernel.settings import InvalidSettings, ServerSettings
from parvis.web.server import uvicorn_config

PROXY, VISITOR = "192.0.2.1", "203.0.113.7"


async def seen(trusted: tuple[str, ...], client: str, said: str) -> tuple[str, str]:
    """The address and the scheme of a request as the platform sees it."""
    found: dict[str, Any] = {}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        found.update(scope)

    config = uvicorn_config(ServerSettings(trusted_proxies=trusted), app)
    config.load()
    headers = [(b"x-forwarded-for", said.encode()), (b"x-forwarded-proto", b"https")]
    scope = {"type": "http", "client": (client, 40_000), "scheme": "http", "headers": headers, "path": "/"}
    await config.loaded_app(scope, None, None)
    return found["client"][0], found["scheme"]


async def test_nobody_chooses_their_own_address() -> None:
    assert await seen((), VISITOR, "198.51.100.9") == (VISITOR, "http")
    assert await seen((PROXY,), VISITOR, "198.51.100.9") == (VISITOR, "http")


async def test_of_what_a_proxy_hands_on_its_own_word_counts() -> None:
    assert await seen((PROXY,), PROXY, VISITOR) == (VISITOR, "https")
    assert await seen((PROXY,), PROXY, f"198.51.100.9, {VISITOR}") == (VISITOR, "https")
    assert await seen((PROXY, "192.0.2.2"), PROXY, f"198.51.100.9, {VISITOR}, 192.0.2.2") == (VISITOR, "https")


def test_not_everybody_is_a_proxy_of_ours() -> None:
    with pytest.raises(InvalidSettings, match="name them"):
        uvicorn_config(ServerSettings(trusted_proxies=("*",)), lambda *_: None)  # type: ignore[arg-type]
