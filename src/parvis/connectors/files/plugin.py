"""Imports for pages and commands, and folders that are looked at without a hand."""

import asyncio
from dataclasses import dataclass
from functools import partial

from parvis.broker.leading import Work
from parvis.connectors.files.config import FilesConfig
from parvis.connectors.files.imports import Imports
from parvis.connectors.files.inbox import Inbox
from parvis.fleet.ways.connector import Connector, InvalidConnector, Surroundings, read_config

TIDY_EVERY_S = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FilesConnector(Connector):
    """What a connector is, and its imports."""

    imports: Imports
    config: FilesConfig


def build(surroundings: Surroundings) -> FilesConnector:
    config = read_config(surroundings, FilesConfig)
    if surroundings.jobs is None:
        raise InvalidConnector("Files are imported by jobs, which this platform has not.")
    imports = Imports(surroundings.broker, surroundings.data_dir, surroundings.jobs)
    works: dict[str, Work] = {"tidy": partial(_tidy, imports)}
    if config.inbox:
        works["inbox"] = Inbox(imports, surroundings.data_dir / "inbox").run
    for number, server in enumerate(config.sftp):
        from parvis.connectors.files.sftp import Pull  # needs parvis[files]

        largest = config.largest_file_mb << 20
        works[f"sftp {number} {server.host}"] = Pull(imports, server, surroundings.data_dir, largest).run
    return FilesConnector("files", works=works, imports=imports, config=config)


async def _tidy(imports: Imports) -> None:
    while True:
        await imports.tidy()
        await asyncio.sleep(TIDY_EVERY_S)
