"""What is fuzzed. Readers with plain arguments are found by themselves; what needs more stands in `by_hand`."""

import inspect
import types
import typing
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from importlib import import_module
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import Any

from hypothesis import strategies as st

import parvis
from parvis.fleet.model.delivery import Message
from parvis.kernel.identity import Caller, system_caller
from tests.fuzz.damage import any_bytes, damaged, damaged_documents, encoded, nasty, plain_values
from tests.fuzz.documents import documents_by_type
from tests.fuzz.samples import TESTS, documents_of, numbers_of, samples_of, words_of

PACKAGE = Path(parvis.__file__).parent
NOW = 1_790_000_000_000_000
FOUND_IN = (
    "connectors/*/*.py", "mqttwire/*.py", "fleet/documents/*.py", "fleet/profiles/*.py", "fleet/devices/*.py",
    "fleet/profiles/imports/*.py", "fleet/network/*.py", "broker/jsonld/*.py",
)  # fmt: skip
_INPUT_AND_OUTPUT = frozenset(
    {"aiohttp", "asyncio", "socket", "sqlite3", "subprocess", "shutil", "paramiko", "asyncssh"}
)
_READS = (
    "decode", "read", "parse", "split", "find", "guess", "open", "is_", "as_", "to_", "by_", "list", "draft", "matches",
    "covers", "unpack", "judge", "qualify", "flatten", "plain", "fold", "camel", "dig", "quoted",
)  # fmt: skip
"""How functions begin that take what others have written."""
_NOT_TOLD = frozenset({"bacnet:mapping.open_value"})
"""Takes an object of a library, not what came over the wire."""
_BY_THE_INTAKE = "\nRaises RecursionError"
"""What is nested too deeply is refused for all readers of messages by `fleet.ways.intake`."""
_LEVELS = ("0004a30b001c0530", "", "é", "a b", "0" * 300)
_MOST_TAKEN = 2000
_INSTANTS = ("now", "at", "received_at", "observed_at", "started_at", "ended_at", "since", "until", "instant")


@dataclass(frozen=True, slots=True)
class Target:
    """`read` is called with what `inputs` gives; it may refuse with an exception of ours, or one that it declares.

    One input may take `longest_s` of processor time: more is as good as a hang.
    """

    name: str
    read: Callable[..., Any]
    inputs: st.SearchStrategy[tuple[Any, ...]]
    declared: str = ""
    longest_s: float = 1.0

    @property
    def group(self) -> str:
        return self.name.partition(":")[0]


def find_targets(group: str | None = None) -> Iterator[Target]:
    """Public functions of modules without input and output, whose arguments are plain."""
    for pattern in FOUND_IN:
        for path in sorted(PACKAGE.glob(pattern)):
            if group in (None, _group_of(path)) and not _has_input_or_output(path):
                yield from _targets_in(path)


def _group_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE).parts
    return parts[1] if parts[0] == "connectors" else "/".join(parts[:-1])


def _has_input_or_output(path: Path) -> bool:
    lines = path.read_text(encoding="utf-8").splitlines()
    imported = [line.split()[1].partition(".")[0] for line in lines if line.startswith(("import ", "from "))]
    return path.stem in ("plugin", "client", "config", "__init__") or not _INPUT_AND_OUTPUT.isdisjoint(imported)


def _targets_in(path: Path) -> Iterator[Target]:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    module = import_module(".".join(("parvis", *parts)))
    group = _group_of(path)
    for name, function in inspect.getmembers(module, inspect.isfunction):
        if function.__module__ != module.__name__ or not name.startswith(_READS):
            continue
        if inspect.iscoroutinefunction(function):
            continue
        full_name = f"{group}:{parts[-1]}.{name}"
        inputs = _inputs_of(function, _Material.of(path, module))
        if inputs is not None and full_name not in _NOT_TOLD:
            declared = inspect.getdoc(function) or ""
            if hasattr(module, "MalformedMessage"):
                declared += _BY_THE_INTAKE
            yield Target(full_name, function, inputs, declared)


@dataclass(frozen=True, slots=True)
class _Material:
    samples: tuple[bytes, ...]
    words: tuple[str, ...]
    routes: tuple[str, ...]
    numbers: tuple[int, ...]
    by_type: st.SearchStrategy[Any]

    @classmethod
    def of(cls, path: Path, module: ModuleType) -> "_Material":
        tests = TESTS / path.parent.relative_to(PACKAGE)
        folders = tuple(one for one in (tests, path.parent) if one.is_dir())
        plug_in = path.with_name("plugin.py")
        routes = tuple(one for one in words_of(plug_in) if "+" in one and " " not in one) if plug_in.exists() else ()
        return cls(samples_of(folders), words_of(path), routes, numbers_of(path), documents_by_type(module))

    @property
    def bytes(self) -> st.SearchStrategy[bytes]:
        near = any_bytes(self.samples, documents_of(self.samples), self.words)
        return near if self.by_type.is_empty else near | self._typed.map(encoded)

    @property
    def texts(self) -> st.SearchStrategy[str]:
        known = (*self.words, *(one.decode("utf-8", "replace") for one in self.samples if len(one) < 200))
        sampled = st.sampled_from(known) if known else st.nothing()
        return (sampled | st.text(max_size=60) | nasty()).filter(_is_text)

    @property
    def _typed(self) -> st.SearchStrategy[Any]:
        return self.by_type | damaged(self.by_type, self.words)

    @property
    def topics(self) -> st.SearchStrategy[str]:
        """Such as the connector's routes let through."""
        forms = [one for one in self.routes if "/" in one] or ["a/+/b"]
        return st.builds(
            _filled, st.sampled_from(forms), st.sampled_from(["0004a30b001c0530", "", "é", "a b", "0" * 300])
        )

    @property
    def values(self) -> st.SearchStrategy[Any]:
        documents = documents_of(self.samples)
        return (
            damaged_documents(documents, self.words) | plain_values(self.words)
            if documents
            else plain_values(self.words)
        )


def _inputs_of(function: Callable[..., Any], material: _Material) -> st.SearchStrategy[tuple[Any, ...]] | None:
    try:
        hints = typing.get_type_hints(function)
    except (NameError, TypeError):
        return None
    wanted = [one for one in inspect.signature(function).parameters.values() if _is_given(one)]
    made = [_value_of(one.name, hints.get(one.name, Any), material) for one in wanted]
    if any(one is None for one in made) or not any(_is_told(hints.get(one.name, Any)) for one in wanted):
        return None
    return st.tuples(*(one for one in made if one is not None))


def _is_given(parameter: inspect.Parameter) -> bool:
    return parameter.default is parameter.empty and parameter.kind is not parameter.KEYWORD_ONLY


def _is_told(hint: Any) -> bool:
    """By somebody outside: not a number only."""
    return hint not in (int, float, bool) and not (isinstance(hint, type) and issubclass(hint, Enum))


def _value_of(name: str, hint: Any, material: _Material) -> st.SearchStrategy[Any] | None:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        return _value_of(name, arguments[0], material)
    if origin is typing.Literal:
        return st.sampled_from(arguments)
    if origin in (typing.Union, types.UnionType):
        parts = [_value_of(name, one, material) for one in arguments]
        return None if any(one is None for one in parts) else st.one_of([one for one in parts if one is not None])
    if isinstance(hint, type) and issubclass(hint, Enum):
        return st.sampled_from(list(hint))
    return _container_of(name, origin, arguments, material) if origin else _plain_of(name, hint, material)


def _plain_of(name: str, hint: Any, material: _Material) -> st.SearchStrategy[Any] | None:
    if hint is int:
        if name in _INSTANTS:
            return st.just(NOW)
        wide = st.integers(-(2**40), 2**65) | st.integers(0, 255)
        return wide | st.sampled_from(material.numbers) if material.numbers else wide
    if hint is Message:
        return st.builds(Message, st.just(system_caller("fuzz")), material.topics, material.bytes, st.just(NOW))
    by_hint: dict[Any, Callable[[], st.SearchStrategy[Any]]] = {
        bytes: lambda: material.bytes,
        str: lambda: material.topics if name == "topic" else material.texts,
        bool: st.booleans,
        float: st.floats,
        Any: lambda: material.values,
        types.NoneType: st.none,
        Caller: lambda: st.just(system_caller("fuzz")),
    }
    made = by_hint.get(hint)
    return None if made is None else made()


def _container_of(
    name: str, origin: Any, arguments: tuple[Any, ...], material: _Material
) -> st.SearchStrategy[Any] | None:
    if origin in (dict, Mapping) and arguments[0] is str:
        values = _value_of(name, arguments[1], material)
        return None if values is None else st.dictionaries(material.texts, values, max_size=6)
    if origin in (list, tuple, set, frozenset, Sequence, Iterable, Collection):
        inner = st.integers(0, 65_535) if arguments[0] is int else _value_of(name, arguments[0], material)
        if inner is None or origin is Iterator:
            return None
        if origin is tuple and Ellipsis not in arguments:
            parts = [_value_of(name, one, material) for one in arguments]
            return None if any(one is None for one in parts) else st.tuples(*(one for one in parts if one is not None))
        made = st.lists(inner, max_size=8)
        return made.map(origin) if origin in (tuple, set, frozenset) else made
    return None


def taken(told: Any) -> Any:
    """What is told bit by bit, told."""
    return list(islice(told, _MOST_TAKEN)) if isinstance(told, Iterator) else told


def _is_text(value: Any) -> bool:
    """As a wire carries it."""
    return isinstance(value, str) and (value.encode("utf-8", "ignore").decode() == value)


def _filled(form: str, level: str) -> str:
    return form.replace("+", level).replace("#", level)
