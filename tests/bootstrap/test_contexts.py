"""Where @contexts are read: files in place of addresses."""

from pathlib import Path

import pytest

from parvis.bootstrap.contexts import context_fetcher
from parvis.kernel.outbound import AddressRefused
from parvis.kernel.settings import ContextSettings, InvalidSettings, OutboundSettings
from parvis.outbound.client import GuardedClient

URL = "https://data.town.example/context.jsonld"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "the town's context.jsonld"
    path.write_text('{"@context": {}}')
    return path


async def test_a_context_that_the_settings_name_is_read_from_its_file(file: Path) -> None:
    fetch = context_fetcher(ContextSettings((f"{URL} {file}",)), GuardedClient(OutboundSettings()))
    assert await fetch(URL) == b'{"@context": {}}'


async def test_every_other_is_read_from_its_address(file: Path) -> None:
    async with GuardedClient(OutboundSettings()) as outbound:
        fetch = context_fetcher(ContextSettings((f"{URL} {file}",)), outbound)
        with pytest.raises(AddressRefused):
            await fetch("http://127.0.0.1:9/context.jsonld")


@pytest.mark.parametrize("line", ["", URL, f"{URL} /nowhere/context.jsonld", "file:///etc/hosts /etc/hosts", "  "])
def test_a_line_that_names_no_address_and_file_is_refused(line: str) -> None:
    with pytest.raises(InvalidSettings, match=r"contexts\.files"):
        context_fetcher(ContextSettings((line,)), GuardedClient(OutboundSettings()))
