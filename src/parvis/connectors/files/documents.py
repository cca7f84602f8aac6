"""JSON Lines and GeoJSON as rows, one document at a time however long the file is."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from parvis.connectors.files.config import InvalidMapping
from parvis.connectors.files.table import GEOMETRY, Cell, Table, Unreadable, flattened, is_geometry, table_of_records

LONGEST_FEATURE = 16 << 20
_CHUNK = 1 << 18
_HEAD = 1 << 20
_FEATURES = re.compile(rb'"features"\s*:\s*\[')
_CRS = re.compile(rb'"crs"\s*:\s*\{[^{}]*\{[^{}]*"name"\s*:\s*"([^"]*)"')
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*+"|[{}\]"]', re.DOTALL)
_EPSG = re.compile(r"EPSG:+(?:[\d.]*:)?(\d+)$")
_FAILURES = (msgspec.MsgspecError, RecursionError, UnicodeError)

Read = Callable[[int], bytes]


def open_json_lines(lines: Iterator[str], expected: int) -> Table:
    def records() -> Iterator[tuple[int, dict[str, Cell] | Unreadable]]:
        for number, line in enumerate(lines, 1):
            if line.strip():
                yield number, _record(line)

    return table_of_records(records(), expected)


def _record(line: str) -> dict[str, Cell] | Unreadable:
    try:
        document = msgspec.json.decode(line)
    except _FAILURES as error:
        return Unreadable(f"no JSON: {error}"[:200])
    if not isinstance(document, dict):
        return Unreadable("no JSON object")
    return flattened(document)


@contextmanager
def open_geojson(path: Path) -> Iterator[Table]:
    """A FeatureCollection, an array of features or of objects, or one feature (RFC 7946)."""
    with path.open("rb") as content:
        head = content.read(_HEAD).removeprefix(b"\xef\xbb\xbf").lstrip()
        found = _FEATURES.search(head)
        crs = _named_crs(head[: found.start() if found else _HEAD])
        expected = max(1, path.stat().st_size // 400)
        if found is not None:
            pieces = split_objects(content.read, head[found.end() :], path.name)
        elif head.startswith(b"["):
            pieces = split_objects(content.read, head[1:], path.name)
        elif head.startswith(b"{"):
            pieces = split_objects(content.read, head, path.name)
        else:
            raise InvalidMapping(f"{path.name} is no GeoJSON.")
        yield table_of_records(((number, _feature(piece)) for number, piece in enumerate(pieces, 1)), expected, crs)


def _named_crs(head: bytes) -> str:
    """GeoJSON of before 2016 says which projection it is in, and many a portal still writes it."""
    found = _CRS.search(head)
    name = found[1].decode("utf-8", "replace") if found else ""
    code = _EPSG.search(name)
    return f"EPSG:{code[1]}" if code else ""


def _feature(piece: bytes) -> dict[str, Cell] | Unreadable:
    try:
        document: Any = msgspec.json.decode(piece)
    except _FAILURES as error:
        return Unreadable(f"no JSON: {error}"[:200])
    if document.get("type") != "Feature":
        return flattened(document)
    properties = document.get("properties")
    flat = flattened(properties) if isinstance(properties, dict) else {}
    if isinstance(document.get("id"), str | int):
        flat.setdefault("id", document["id"])
    geometry = document.get("geometry")
    flat[GEOMETRY] = geometry if is_geometry(geometry) else None
    return flat


def split_objects(read: Read, start: bytes, name: str) -> Iterator[bytes]:
    """The objects of an array whose beginning has been read, until its end. Raises InvalidMapping."""
    tokens = _Tokens(read, start, name)
    depth = 0
    for token in tokens:
        if token == b"{":
            depth += 1
            if depth == 1:
                tokens.hold()
        elif token == b"}":
            depth -= 1
            if depth == 0:
                yield tokens.held()
        if depth < 0 or (token == b"]" and depth == 0):
            return
    if depth:
        raise InvalidMapping(f"{name} ends in the middle of an object.")


class _Tokens:
    """Brackets and texts of a stream, of which no more is kept than the object that is held."""

    def __init__(self, read: Read, start: bytes, name: str) -> None:
        self._read = read
        self._buffer = start
        self._position = 0
        self._begin = -1
        self._token_at = 0
        self._name = name

    def __iter__(self) -> Iterator[bytes]:
        while True:
            token = _TOKEN.search(self._buffer, self._position)
            if token is None or token[0] == b'"':
                at = token.start() if token else len(self._buffer)
                if not self._fill(at):
                    return
                continue
            self._token_at, self._position = token.span()
            yield token[0]

    def hold(self) -> None:
        """From the bracket that came last."""
        self._begin = self._token_at

    def held(self) -> bytes:
        held, self._begin = self._buffer[self._begin : self._position], -1
        return held

    def _fill(self, at: int) -> bool:
        """Go on reading at `at`; False at the end."""
        keep = at if self._begin < 0 else self._begin
        more = self._read(_CHUNK)
        self._buffer, self._position = self._buffer[keep:] + more, at - keep
        self._begin = min(self._begin, 0)
        if len(self._buffer) > LONGEST_FEATURE + _HEAD:
            raise InvalidMapping(f"{self._name} has an object of more than {LONGEST_FEATURE >> 20} MiB.")
        return bool(more)
