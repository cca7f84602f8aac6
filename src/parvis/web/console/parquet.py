"""Lines of CSV as a Parquet file, made beside the event loop and never held whole in memory."""

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from parvis.kernel.errors import Overloaded

MOST_AT_ONCE = 2
_MEMORY = "128MB"
_AS_PARQUET = """
COPY (
    SELECT entity, attribute, datasetId, observedAt, TRY_CAST(value AS DOUBLE) AS value,
        CASE WHEN TRY_CAST(value AS DOUBLE) IS NULL THEN value END AS text, unitCode
    FROM read_csv(?, header = true, quote = '"', escape = '"', strict_mode = false, columns = {
        'entity': 'VARCHAR', 'attribute': 'VARCHAR', 'datasetId': 'VARCHAR', 'observedAt': 'TIMESTAMPTZ',
        'value': 'VARCHAR', 'unitCode': 'VARCHAR'
    })
) TO '$path' (FORMAT parquet, COMPRESSION zstd)
"""
_making: set[Path] = set()


async def write_parquet(lines: AsyncIterator[bytes]) -> Path:
    """A file that the caller deletes. Raises Overloaded."""
    if len(_making) >= MOST_AT_ONCE:
        raise Overloaded("Other files are being made just now: try again in a moment.", 5)
    source, target = _new_file(".csv"), _new_file(".parquet")
    _making.add(source)
    try:
        with source.open("wb") as file:
            async for line in lines:
                file.write(line)
        await asyncio.to_thread(_convert, source, target)
    except BaseException:
        target.unlink(missing_ok=True)
        raise
    finally:
        _making.discard(source)
        source.unlink(missing_ok=True)
    return target


def _new_file(ending: str) -> Path:
    handle, path = tempfile.mkstemp(ending, "parvis-")
    os.close(handle)
    return Path(path)


def _convert(source: Path, target: Path) -> None:
    """DuckDB is loaded when somebody asks for the first file: it takes memory."""
    import duckdb

    with duckdb.connect(":memory:", config={"memory_limit": _MEMORY, "threads": 1}) as connection:
        connection.execute(_AS_PARQUET.replace("$path", str(target).replace("'", "''")), [str(source)])
