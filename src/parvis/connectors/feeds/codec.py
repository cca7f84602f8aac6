"""From the bytes of a feed to a document: JSON (GeoJSON too), CSV and XML, each within limits."""

import csv
import io
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from itertools import islice
from typing import Any
from xml.parsers import expat  # what makes it unsafe is refused below: no document type, so no entities of its own

import msgspec

from parvis.kernel.errors import Detailed

MOST_RECORDS = 200_000
MOST_ELEMENTS = 500_000
DEEPEST = 50
_DELIMITERS = ";\t,"
_ROWS_AT_ONCE = 1000


class Encoding(Enum):
    JSON = "json"
    CSV = "csv"
    XML = "xml"


class UnreadableFeed(Detailed):
    pass


def read_documents(body: bytes, encoding: Encoding, charset: str = "utf-8") -> Iterator[Any]:
    """One document, or the rows of a table in several arrays: those of a large one take far more room than its bytes.

    Raises:
        UnreadableFeed: also after some of it was read.
    """
    return _READERS[encoding](body, charset)


def _read_json(body: bytes, charset: str) -> Iterator[Any]:
    try:
        yield msgspec.json.decode(body.removeprefix(b"\xef\xbb\xbf"))
    except (msgspec.DecodeError, UnicodeDecodeError) as fault:
        raise UnreadableFeed(f"It is no JSON: {fault}.") from None
    except RecursionError:
        raise UnreadableFeed("It is nested too deeply.") from None


def _read_csv(body: bytes, charset: str) -> Iterator[Any]:
    """Arrays of objects by column name; every cell is text, empty ones are left out."""
    try:
        text = body.decode("utf-8-sig" if charset == "utf-8" else charset)
    except (ValueError, LookupError) as fault:
        raise UnreadableFeed(f"It is no {charset}: {fault}.") from None
    if text.count("\n") > MOST_RECORDS:
        raise UnreadableFeed(f"It has more than {MOST_RECORDS} lines.")
    head = text.partition("\n")[0]
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=max(_DELIMITERS, key=head.count), strict=True)
    try:
        names = next(rows, [])
        while chunk := list(islice(rows, _ROWS_AT_ONCE)):
            yield [{name: cell for name, cell in zip(names, row, strict=False) if cell} for row in chunk if row]
    except csv.Error as fault:
        raise UnreadableFeed(f"It is no CSV: {fault}.") from None


class _Elements:
    """`<a b="1"><c>2</c></a>` becomes `{"a": {"@b": "1", "c": ["2"]}}`: children are always arrays, an element with
    nothing but text is that text. Prefixes of namespaces are left out."""

    def __init__(self) -> None:
        self._open: list[tuple[dict[str, Any], list[str]]] = [({}, [])]
        self._count = 0

    @property
    def document(self) -> dict[str, Any]:
        return {name: one[0] for name, one in self._open[0][0].items()}

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._count += 1
        if self._count > MOST_ELEMENTS or len(self._open) > DEEPEST:
            raise UnreadableFeed("It has too many elements, or they are nested too deeply.")
        self._open.append(({"@" + _local(key): value for key, value in attributes.items()}, []))

    def end(self, name: str) -> None:
        members, texts = self._open.pop()
        text = "".join(texts).strip()
        if members and text:
            members["#text"] = text
        self._open[-1][0].setdefault(_local(name), []).append(members or text)

    def text(self, data: str) -> None:
        self._open[-1][1].append(data)


def _local(name: str) -> str:
    return name.rpartition(":")[2]


def _refuse_doctype(*_: Any) -> None:
    raise UnreadableFeed("It declares a document type, which feeds may not.")


def _read_xml(body: bytes, charset: str) -> Iterator[Any]:
    elements = _Elements()
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _refuse_doctype
    parser.StartElementHandler = elements.start
    parser.EndElementHandler = elements.end
    parser.CharacterDataHandler = elements.text
    try:
        parser.Parse(body, True)
    except (expat.ExpatError, ValueError, LookupError) as fault:
        raise UnreadableFeed(f"It is no XML: {fault}.") from None
    yield elements.document


_READERS: Mapping[Encoding, Callable[[bytes, str], Iterator[Any]]] = {
    Encoding.JSON: _read_json,
    Encoding.CSV: _read_csv,
    Encoding.XML: _read_xml,
}
