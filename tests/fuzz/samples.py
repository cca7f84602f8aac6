"""What a parser is begun with: what its connector's examples and tests recorded, and the words of its own source."""

import ast
import inspect
import json
from base64 import b64decode
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, get_origin, get_type_hints

TESTS = Path(__file__).parents[1]
LARGEST_SAMPLE_BYTES = 20_000
LONGEST_WORD = 60
_FEWEST_HEX = 4


@cache
def samples_of(folders: tuple[Path, ...]) -> tuple[bytes, ...]:
    """Of the Python and JSON files in these folders, the largest left out."""
    found = dict.fromkeys(one for path in _files(folders, ".py") for one in _recorded(path))
    found |= dict.fromkeys(one for path in _files(folders, ".json") for one in _examples(path))
    tests = [path for path in _files(folders, ".py") if path.is_relative_to(TESTS)]
    found |= dict.fromkeys(one for path in tests for one in _held_by(path))
    return tuple(one for one in found if 0 < len(one) <= LARGEST_SAMPLE_BYTES)


@cache
def words_of(path: Path) -> tuple[str, ...]:
    """Short texts that a module's source names."""
    texts = (node.value for node in ast.walk(_parsed(path)) if isinstance(node, ast.Constant))
    return tuple(dict.fromkeys(one for one in texts if isinstance(one, str) and 0 < len(one) <= LONGEST_WORD))


@cache
def numbers_of(path: Path) -> tuple[int, ...]:
    """That a module's source names, such as the formats that it knows."""
    found = (node.value for node in ast.walk(_parsed(path)) if isinstance(node, ast.Constant))
    return tuple(dict.fromkeys(one for one in found if isinstance(one, int) and not isinstance(one, bool)))


def documents_of(samples: Iterable[bytes]) -> list[Any]:
    """Those that are JSON."""
    found = []
    for sample in samples:
        with suppress(ValueError, RecursionError):
            found.append(json.loads(sample))
    return found


def _files(folders: Iterable[Path], ending: str) -> list[Path]:
    return sorted(path for folder in folders for path in folder.rglob(f"*{ending}"))


def _parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _recorded(path: Path) -> Iterator[bytes]:
    for node in ast.walk(_parsed(path)):
        if isinstance(node, ast.Constant):
            yield from _of_constant(node.value)
        elif isinstance(node, ast.Dict):
            with suppress(ValueError, TypeError):
                yield json.dumps(ast.literal_eval(node)).encode()


def _of_constant(value: object) -> Iterator[bytes]:
    if isinstance(value, bytes):
        yield value
    elif isinstance(value, str):
        yield value.encode("utf-8", "surrogatepass")
        with suppress(ValueError):
            if len(value) >= _FEWEST_HEX:
                yield bytes.fromhex(value)


def _examples(path: Path) -> Iterator[bytes]:
    document = json.loads(path.read_bytes())
    for one in document if isinstance(document, list) else [document]:
        yield json.dumps(one).encode()
        for value in one.values() if isinstance(one, dict) else ():
            yield json.dumps(value).encode()
            if isinstance(value, str):
                yield value.encode()
                with suppress(ValueError):
                    yield b64decode(value, validate=True)


def _held_by(path: Path) -> Iterator[bytes]:
    """What the module has at hand, and what its functions make that need no arguments."""
    module = import_module(".".join(("tests", *path.relative_to(TESTS).with_suffix("").parts)))
    for value in [*vars(module).values(), *_made_by(module)]:
        yield from _of_constant(value)
        if isinstance(value, dict | list | tuple):
            for one in value.values() if isinstance(value, dict) else value:
                yield from _of_constant(one)
            with suppress(ValueError, TypeError, RecursionError):
                yield json.dumps(value).encode()


def _made_by(module: ModuleType) -> Iterator[Any]:
    for name, function in inspect.getmembers(module, inspect.isfunction):
        if function.__module__ != module.__name__ or name.startswith("test_"):
            continue
        with suppress(Exception):
            hint = get_type_hints(function).get("return")
            if hint in (bytes, str) or get_origin(hint) in (dict, list):
                yield function()
