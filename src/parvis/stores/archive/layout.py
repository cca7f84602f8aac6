"""Where a partition's files lie: `tenant=.../type=.../day=YYYY-MM-DD/<generation>.parquet`, as Hive names partitions.

What is not a letter of ASCII, a digit, "-", "_" or "." is percent-encoded, which Spark, DuckDB, pandas and Trino undo.
"""

import hashlib
import re
from datetime import date
from urllib.parse import quote

from parvis.broker.ports.archive import Day, Partition

SUFFIX = ".parquet"
NAME_BYTES = 240
"""File systems take names of up to 255 bytes."""
_UNIX_EPOCH = date(1970, 1, 1).toordinal()
_GENERATION = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*")
_PATH = re.compile(rf"tenant=[^/]*/type=[^/]*/day=\d{{4}}-\d\d-\d\d/{_GENERATION.pattern}\.parquet")
_SHORTENED = "~"


def file_path(partition: Partition, generation: str) -> str:
    """Relative to the archive. `generation` makes it unique.

    Raises:
        ValueError: a generation that is not of letters, digits and "-".
    """
    if _GENERATION.fullmatch(generation) is None:
        raise ValueError(f"{generation!r} is no name of a generation")
    return f"{folder(partition)}/{generation}{SUFFIX}"


def folder(partition: Partition) -> str:
    tenant, types, day = (_short(part) for part in _parts(partition))
    return f"tenant={tenant}/type={types}/day={day}"


def partition_name(partition: Partition) -> str:
    """As in a path, but nothing shortened: a file carries it."""
    tenant, types, day = _parts(partition)
    return f"tenant={tenant}/type={types}/day={day}"


def is_file_path(path: str) -> bool:
    """Whether a file at that path is of this layout; what else lies there is not the archive's."""
    return _PATH.fullmatch(path) is not None


def day_text(day: Day) -> str:
    return date.fromordinal(_UNIX_EPOCH + day).isoformat()


def _parts(partition: Partition) -> tuple[str, str, str]:
    return _encode(partition.tenant), ",".join(map(_encode, partition.types)), day_text(partition.day)


def _encode(name: str) -> str:
    """`quote` leaves "~" alone, which marks what was shortened."""
    return quote(name, safe="").replace("~", "%7E")


def _short(name: str) -> str:
    if len(name) <= NAME_BYTES:
        return name
    return (
        f"{name[: NAME_BYTES // 2].rstrip('%0123456789ABCDEF')}{_SHORTENED}{hashlib.sha256(name.encode()).hexdigest()}"
    )
