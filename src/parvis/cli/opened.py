"""The access of a data directory, for commands that may run beside the platform."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from parvis.access.access import Access
from parvis.bootstrap.stores import has_store, open_access
from parvis.cli.options import settings_beside
from parvis.kernel.settings import TERRITORY_FILE, Settings


@contextmanager
def opened_access(data_dir: Path) -> Iterator[tuple[Access, Settings]]:
    settings = settings_beside(data_dir)
    if not (settings.data_dir / TERRITORY_FILE).exists() and not has_store(settings):
        raise click.ClickException(_nothing_in(data_dir))
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    access = open_access(settings)
    try:
        yield access, settings
    finally:
        access.store.close()


def _nothing_in(data_dir: Path) -> str:
    demonstration = data_dir / "demo"
    if (demonstration / TERRITORY_FILE).exists():
        return f"There is no territory in {data_dir}, but one in {demonstration}: use --data {demonstration}."
    return f"There is no territory in {data_dir}: use --data or run parvis init."


def welcome_link(settings: Settings, token: str) -> str:
    address = settings.server.public_url.rstrip("/") or f"http://{settings.server.host}:{settings.server.port}"
    return f"{address}/welcome?token={token}"
