"""Lines of CSV without a header as a Parquet file, made beside the event loop and never held whole in memory."""

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import BinaryIO

from parvis.kernel.errors import BadRequestData, Overloaded

MOST_AT_ONCE = 2
MOST_BYTES = 256 << 20
"""Of the lines: some two and a half million."""
_CHUNK_BYTES = 256 << 10
_MEMORY = "128MB"
_AS_PARQUET = """
COPY (
    SELECT * FROM read_csv(?, header = false, quote = '"', escape = '"', strict_mode = false, columns = {
        'entity': 'VARCHAR', 'attribute': 'VARCHAR', 'datasetId': 'VARCHAR', 'observedAt': 'TIMESTAMPTZ',
        'value': 'DOUBLE', 'text': 'VARCHAR', 'unitCode': 'VARCHAR'
    })
) TO '$path' (FORMAT parquet, COMPRESSION zstd)
"""
_making: set[Path] = set()


async def open_parquet(lines: AsyncIterator[bytes]) -> BinaryIO:
    """A file that has no name any more: it is gone with who reads it. Raises Overloaded, BadRequestData."""
    if len(_making) >= MOST_AT_ONCE:
        raise Overloaded("Other files are being made just now: try again in a moment.", 5)
    source, target = _new_file(".csv"), _new_file(".parquet")
    _making.add(source)
    try:
        await _write(lines, source)
        await asyncio.to_thread(_convert, source, target)
        return target.open("rb")
    finally:
        _making.discard(source)
        source.unlink(missing_ok=True)
        target.unlink(missing_ok=True)


async def _write(lines: AsyncIterator[bytes], source: Path) -> None:
    written = 0
    with source.open("wb") as file:
        async for line in lines:
            written += file.write(line)
            if written > MOST_BYTES:
                raise BadRequestData("There is too much for one file: choose a shorter range, or fewer series.")


async def read_chunks(file: BinaryIO) -> AsyncIterator[bytes]:
    """All of it; closes it."""
    with file:
        while chunk := await asyncio.to_thread(file.read, _CHUNK_BYTES):
            yield chunk


def _new_file(ending: str) -> Path:
    handle, path = tempfile.mkstemp(ending, "parvis-")
    os.close(handle)
    return Path(path)


def _convert(source: Path, target: Path) -> None:
    """DuckDB is loaded when somebody asks for the first file: it takes memory."""
    import duckdb

    with duckdb.connect(":memory:", config={"memory_limit": _MEMORY, "threads": 1}) as connection:
        connection.execute(_AS_PARQUET.replace("$path", str(target).replace("'", "''")), [str(source)])
