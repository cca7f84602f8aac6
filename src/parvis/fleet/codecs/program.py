"""A codec's source made into a program that the engine can run anew for each frame."""

import json
import re
import time
from collections.abc import Callable
from enum import Enum
from importlib.resources import files

import msgspec
import quickjs

MEMORY_LIMIT_BYTES = 16 << 20
STACK_LIMIT_BYTES = 512 << 10
START_LIMIT_S = 1.0
TIME_LIMIT_S = 0.05


class Routine(Enum):
    """The functions of a codec, by their names in The Things Stack."""

    DECODE_UPLINK = "decodeUplink"
    NORMALIZE_UPLINK = "normalizeUplink"
    ENCODE_DOWNLINK = "encodeDownlink"
    DECODE_DOWNLINK = "decodeDownlink"


class Found(msgspec.Struct, frozen=True):
    """Where in the codec a routine is, and in which form it is called (FORMS of engine.js)."""

    expression: str = "undefined"
    form: str = ""


_NAMES: dict[Routine, tuple[tuple[str, str], ...]] = {
    Routine.DECODE_UPLINK: (
        ("decodeUplink", "published"),
        # ChirpStack v3 has three parameters here, and another order than The Things Network v2 below.
        ("Decode", "port_first"),
        ("Decoder", "bytes_first"),
        ("decoder", "bytes_first"),
        ("decode", "bytes_first"),
        ("rakSensorDataDecode", "hex"),
    ),
    Routine.NORMALIZE_UPLINK: (("normalizeUplink", "published"),),
    Routine.ENCODE_DOWNLINK: (
        ("encodeDownlink", "published"),
        ("Encode", "port_and_data"),
        ("Encoder", "data_and_port"),
    ),
    Routine.DECODE_DOWNLINK: (("decodeDownlink", "published"),),
}
_PLACES = (
    "(typeof {0} === 'function' ? {0} : undefined)",
    "(module.exports || {{}}).{0}",
    "exports.{0}",
    "((module.exports || {{}}).default || {{}}).{0}",
    "(typeof driver === 'object' && driver || {{}}).{0}",
    "((module.exports || {{}}).driver || {{}}).{0}",
)
_CANDIDATES = tuple(
    (routine, Found(place.format(name), form))
    for routine, names in _NAMES.items()
    for name, form in names
    for place in _PLACES
)


def _read(name: str) -> str:
    return files("parvis.fleet.codecs").joinpath("engine", name).read_text(encoding="utf-8")


_LANGUAGE, _ENGINE = _read("language.js"), _read("engine.js")
_TEXT, _BUFFER, _LOCALE, _UTC = _read("text.js"), _read("buffer.js"), _read("locale.js"), _read("utc.js")

Run = Callable[..., str]


class Program:
    """A codec's source, and where its routines are. Starts it in contexts of its own."""

    def __init__(self, source: str) -> None:
        """Raises quickjs.JSException or quickjs.StackOverflow: the source does not run."""
        self._source = _as_script(source)
        self._globals = _globals(self._source)
        self._shims = _shims(source)
        self.found = self._find()

    def start(self, limit_s: float = TIME_LIMIT_S) -> Run:
        """The engine's `run` in a new context, each call of it limited. Raises as the constructor."""
        context, language = self._open()
        expressions = ", ".join(one.expression for one in self.found.values())
        program = self._compile(context, expressions)
        run: Run = context.eval(_ENGINE)(language, program, context.eval(self._forms()))
        context.set_time_limit(limit_s)
        return run

    def _forms(self) -> str:
        return json.dumps([one.form for one in self.found.values()])

    def _open(self) -> tuple[quickjs.Context, object]:
        context = quickjs.Context()
        context.set_memory_limit(MEMORY_LIMIT_BYTES)
        context.set_max_stack_size(STACK_LIMIT_BYTES)
        context.set_time_limit(START_LIMIT_S)
        if time.timezone or time.daylight:
            context.eval(_UTC)
        language = context.eval(_LANGUAGE)
        for shim in self._shims:
            context.eval(shim)
        return context, language

    def _compile(self, context: quickjs.Context, expressions: str) -> quickjs.Object:
        return context.eval(f"(function () {{{self._source}\n;{self._globals}return [{expressions}];\n}})")

    def _find(self) -> dict[Routine, Found]:
        context, _ = self._open()
        looks = ", ".join(f"typeof {found.expression} === 'function'" for _, found in _CANDIDATES)
        program = self._compile(context, looks)
        context.eval("module = {exports: {}}, exports = module.exports")
        call = context.eval("(program) => JSON.stringify(Reflect.apply(program, globalThis, []))")
        told = json.loads(call(program) or "null")  # a source that returns on its top level tells what it likes
        are_there = told if isinstance(told, list) else []
        found = dict.fromkeys(Routine, Found())
        for (routine, one), is_there in reversed(list(zip(_CANDIDATES, are_there, strict=False))):
            if is_there is True:
                found[routine] = one
        return found


def _shims(source: str) -> list[str]:
    """What the source names and the engine does not have: a context without them starts in half the time."""
    shims = []
    if "Buffer" in source:
        shims.append(f"({_BUFFER.strip().rstrip(';')})({_TEXT.strip().rstrip(';')})")
    elif "TextDecoder" in source or "TextEncoder" in source:
        shims.append(_TEXT)
    if "toLocale" in source:
        shims.append(_LOCALE)
    return shims


_DECLARED_ON_TOP = re.compile(r"\b(?:function\s*\*?|var)\s+([A-Za-z_$][\w$]*)")
_REACHED_BY_OBJECT = re.compile(r"\b(?:this|globalThis|global|self|window)\s*\.\s*([A-Za-z_$][\w$]*)")
_REACHED_BY_NAME = re.compile(r"\b(?:this|globalThis|global)\s*\[")


def _globals(source: str) -> str:
    """A script's functions are members of the global object, which some codecs reach as `this.name`."""
    declared = set(_DECLARED_ON_TOP.findall(source))
    if not _REACHED_BY_NAME.search(source):
        declared &= set(_REACHED_BY_OBJECT.findall(source))
    return "".join(f"typeof {one} === 'undefined' || (globalThis.{one} = {one});" for one in sorted(declared))


_DEFAULT = re.compile(r"^([ \t]*)export\s+default\s+", re.MULTILINE)
_DECLARED = re.compile(r"^([ \t]*)export\s+(?=(?:async\s+)?function\b|const\b|let\b|var\b|class\b)", re.MULTILINE)
_LISTED = re.compile(r"^[ \t]*export\s*\{([^}]*)\}[ \t]*;?", re.MULTILINE)
_IMPORTED = re.compile(r"^[ \t]*import\s+(?:[^;'\"]*?\sfrom\s*)?(['\"])[^'\"\n]*\1[ \t]*;?", re.MULTILINE)


def _as_script(source: str) -> str:
    """An ES module as a script: what it exports is set on `exports`; what it imports is not there."""
    source = source.removeprefix("\ufeff")
    if source.startswith("#!"):
        source = "//" + source
    if not (_DEFAULT.search(source) or _DECLARED.search(source) or _LISTED.search(source)):
        return source
    script = _IMPORTED.sub("", source)
    script = _DEFAULT.sub(r"\1exports.default = ", script)
    script = _DECLARED.sub(r"\1", script)
    return _LISTED.sub(_exported, script)


def _exported(listed: re.Match[str]) -> str:
    names = [one.split() for one in listed.group(1).split(",") if one.strip()]
    return "".join(f"exports.{name[-1]} = {name[0]};" for name in names)
