"""YAML as the device repository's own tools read it: YAML 1.2 core, where `on` and `no` are words and not booleans.

A time becomes text, as it would in JSON: an example's input and output are compared as JSON.
"""

import re
from datetime import UTC, datetime
from math import inf
from pathlib import Path
from typing import Any, ClassVar

import yaml
from yaml.constructor import ConstructorError

LARGEST_FILE_BYTES = 4 << 20
MOST_VALUES = 1_000_000

_BOOL = re.compile(r"true|True|TRUE|false|False|FALSE")
_INT = re.compile(r"[-+]?(?:0b[01_]+|0o[0-7_]+|0x[0-9a-fA-F_]+|[0-9][0-9_]*)")
_FLOAT = re.compile(
    r"[-+]?(?:[0-9][0-9_]*(?:\.[0-9_]*)?(?:[eE][-+]?[0-9]+)?|\.[0-9_]+(?:[eE][-+]?[0-9]+)?)"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)
_NULL = re.compile(r"~|null|Null|NULL|")
_TIME = re.compile(
    r"\d{4}-\d\d-\d\d|\d{4}-\d\d?-\d\d?(?:[Tt]|[ \t]+)\d\d?:\d\d:\d\d(?:\.\d*)?(?:[ \t]*(?:Z|[-+]\d\d?(?::\d\d)?))?"
)
_MERGE = re.compile(r"<<")
_TAG = "tag:yaml.org,2002:"


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # the C one where it was built
    yaml_implicit_resolvers: ClassVar[dict[str | None, list[tuple[str, re.Pattern[str]]]]] = {}


for _name, _pattern, _first in (
    ("bool", _BOOL, "tTfF"),
    ("timestamp", _TIME, "0123456789"),
    ("int", _INT, "-+0123456789"),
    ("float", _FLOAT, "-+.0123456789"),
    ("null", _NULL, ["~", "n", "N", ""]),
    ("merge", _MERGE, "<"),
):
    _Loader.add_implicit_resolver(_TAG + _name, re.compile(f"(?:{_pattern.pattern})$"), list(_first))


def _int(loader: Any, node: yaml.ScalarNode) -> int:
    text = loader.construct_scalar(node).replace("_", "")
    sign = -1 if text.startswith("-") else 1
    digits = text.lstrip("+-")
    base = {"0b": 2, "0o": 8, "0x": 16}.get(digits[:2], 10)
    return sign * int(digits[2:] if base != 10 else digits, base)


def _time(loader: Any, node: yaml.ScalarNode) -> str:
    text: str = loader.construct_scalar(node)
    try:
        at = loader.construct_yaml_timestamp(node)
    except (ConstructorError, ValueError):
        return text
    if not isinstance(at, datetime):
        return f"{text}T00:00:00.000Z"
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


_Loader.add_constructor(_TAG + "int", _int)
_Loader.add_constructor(_TAG + "timestamp", _time)


class UnreadableFile(Exception):
    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path}: {why}")
        self.path = path
        self.why = why


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping that a file holds. Raises UnreadableFile."""
    try:
        if path.stat().st_size > LARGEST_FILE_BYTES:
            raise UnreadableFile(path, f"more than {LARGEST_FILE_BYTES >> 20} MiB")
        content = yaml.load(path.read_text(encoding="utf-8"), _Loader)  # noqa: S506  # a safe loader
        size = _size(content, {})
    except OSError as error:
        raise UnreadableFile(path, error.strerror or str(error)) from None
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise UnreadableFile(path, " ".join(str(error).split())[:200]) from None
    if not isinstance(content, dict):
        raise UnreadableFile(path, "holds no mapping")
    if size > MOST_VALUES:
        raise UnreadableFile(path, "grows beyond measure by its aliases")
    return content


def _size(value: Any, known: dict[int, float]) -> float:
    """How many values it is with each alias written out; what holds itself is infinite."""
    if not isinstance(value, dict | list):
        return 1.0
    if id(value) not in known:
        known[id(value)] = inf
        members = value.values() if isinstance(value, dict) else value
        known[id(value)] = 1.0 + sum(_size(one, known) for one in members)
    return known[id(value)]
