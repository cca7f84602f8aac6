"""What the platform and a worker process tell each other: one JSON object a line."""

from typing import Any, TypeAlias

import msgspec

LONGEST_LINE = 1 << 20


class Start(msgspec.Struct, frozen=True):
    """`import_path` is where the platform itself looks for modules."""

    function: str
    tenant: str
    arguments: dict[str, Any]
    attempt: int
    memory_mb: int
    cpu_s: int
    import_path: list[str]


class Progress(msgspec.Struct, frozen=True, tag="progress"):
    progress: float
    message: str = ""


class Result(msgspec.Struct, frozen=True, tag="result"):
    value: Any = None


class Failure(msgspec.Struct, frozen=True, tag="failure"):
    """`is_final`: it would fail each time."""

    error: str
    is_final: bool = False


Answer: TypeAlias = Progress | Result | Failure


def storable(text: str, longest: int) -> str:
    """Without what UTF-8 or PostgreSQL does not take: names of files may bring it along."""
    return text[:longest].replace("\0", "").encode("utf-8", "replace").decode()
