"""DuckDB, kept within bounds: threads, memory, files to spill into; it fetches nothing from elsewhere."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from parvis.broker.ports.archive import PendingErasure
from parvis.broker.temporal.reading import EARLIEST, LATEST

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection
    from fsspec import AbstractFileSystem

    Connection = DuckDBPyConnection

Parameter = str | int | float | bool | list[str] | list[int]


class Limits(msgspec.Struct, frozen=True):
    """What the engine may take of the machine. `readers`: queries at the same time."""

    threads: int = 2
    memory_mib: int = 256
    spill_mib: int = 4096
    readers: int = 2


def connect(limits: Limits, spill: Path, file_system: "AbstractFileSystem | None" = None) -> "Connection":
    """An empty database in memory; what does not fit goes to the folder `spill`. Here the engine is imported."""
    import duckdb

    connection = duckdb.connect(
        config={
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "allow_community_extensions": False,
            "threads": limits.threads,
            "memory_limit": f"{limits.memory_mib}MiB",
            "temp_directory": str(spill),
            "max_temp_directory_size": f"{limits.spill_mib}MiB",
            "pandas_analyze_sample": 0,
        }
    )
    connection.execute("SET enable_progress_bar = false")
    for every_cursor in ("TimeZone = 'UTC'", "parquet_metadata_cache = true"):
        connection.execute(f"SET GLOBAL {every_cursor}")
    if file_system is not None:
        connection.register_filesystem(file_system)
    connection.execute("SET lock_configuration = true")
    return connection


def text_literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


class Condition(msgspec.Struct, frozen=True):
    """SQL and what it is given, in order."""

    sql: str
    parameters: tuple[Parameter, ...] = ()


def not_erased(erasures: Sequence[PendingErasure]) -> Condition:
    """Holds for rows that no erasure covers. Erasures of the same members are looked up together."""
    alike: dict[tuple[str, ...], list[PendingErasure]] = {}
    for one in erasures:
        alike.setdefault(_given(one), []).append(one)
    parts = [_outside(members, group) for members, group in alike.items()]
    return Condition(
        " AND ".join(part.sql for part in parts) or "true", tuple(value for part in parts for value in part.parameters)
    )


_KEYS = ("entity", "attribute", "dataset", "seq")


def _given(erasure: PendingErasure) -> tuple[str, ...]:
    return tuple(member for member, value in zip(_KEYS, _key(erasure), strict=True) if value is not None)


def _key(one: PendingErasure) -> tuple[str | int | None, ...]:
    return one.erasure.entity_id, one.erasure.attribute, one.erasure.dataset, one.erasure.seq


def _outside(members: tuple[str, ...], group: Sequence[PendingErasure]) -> Condition:
    keys = [[value for value in _key(one) if value is not None] for one in group]
    lists = [list(column) for column in zip(*keys, strict=True)]
    before = [LATEST if one.erasure.before is None else one.erasure.before for one in group]
    since = [EARLIEST if one.erasure.since is None else one.erasure.since for one in group]
    upto = [one.upto for one in group]
    made = ", ".join(f"unnest(?) AS {member}" for member in (*members, "before", "since", "upto"))
    same = " AND ".join(f"erased.{member} = rows.{member}" for member in members)
    sql = (
        f"NOT EXISTS (SELECT 1 FROM (SELECT {made}) AS erased WHERE {same}"
        " AND epoch_us(rows.time) < erased.before AND epoch_us(rows.time) >= erased.since AND rows.seq <= erased.upto)"
    )
    return Condition(sql, (*lists, before, since, upto))
