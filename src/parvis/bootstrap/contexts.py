"""Where @contexts are read: from the files that the settings name, everything else from its address."""

import asyncio
from collections.abc import Iterable
from pathlib import Path

from parvis.broker.jsonld.contexts import ContextFetcher
from parvis.kernel.outbound import OutboundHttp
from parvis.kernel.settings import ContextSettings, InvalidSettings

_CONTEXT_TYPES = ("application/ld+json", "application/json", "text/plain", "")
"""What hosts of @contexts say of them; some say nothing."""


def context_fetcher(settings: ContextSettings, outbound: OutboundHttp) -> ContextFetcher:
    """Raises InvalidSettings."""
    files = dict(_files_of(settings.files))

    async def fetch(url: str) -> bytes:
        if (path := files.get(url)) is not None:
            return await asyncio.to_thread(path.read_bytes)
        return (await outbound.get(url, accept=_CONTEXT_TYPES)).body

    return fetch


def _files_of(lines: Iterable[str]) -> Iterable[tuple[str, Path]]:
    for line in lines:
        url, _, name = line.strip().partition(" ")
        path = Path(name.strip())
        if not url.startswith(("http://", "https://")) or not path.is_file():
            raise InvalidSettings(f"contexts.files: {line!r} is no URL and the path of a file")
        yield url, path
