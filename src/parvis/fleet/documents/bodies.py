"""What devices and services send over HTTP and CoAP, by its media type, to documents that a mapping can read.

Nothing of it may grow: what is packed is unpacked up to a limit.
"""

import csv
import io
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from parvis.kernel.errors import BadRequestData, PayloadTooLarge, UnsupportedMediaType

MOST_LINES = 10_000
MOST_MEMBERS = 100
_MOST_FORM_FIELDS = 1000
_NUMBER = re.compile(r"-?(?:0|[1-9]\d{0,14})(?:\.\d{1,15})?")
"""Written as a number is: what begins with zeros may be bytes in hexadecimal."""
_DELIMITERS = ";\t,"
_ZLIB, _GZIP, _RAW = zlib.MAX_WBITS, zlib.MAX_WBITS | 16, -zlib.MAX_WBITS

Read = Callable[[bytes], list[Any]]


class Unreadable(msgspec.Struct, frozen=True):
    """A line that is no document."""

    text: bytes
    detail: str


def unpack(body: bytes, encoding: str, limit_bytes: int) -> bytes:
    """The body without its Content-Encoding.

    Raises:
        PayloadTooLarge: there is more in it than `limit_bytes`, which is noticed before it is unpacked.
        UnsupportedMediaType, BadRequestData
    """
    match encoding.strip().lower():
        case "" | "identity":
            return body
        case "gzip" | "x-gzip":
            return _inflate(body, _GZIP, limit_bytes)
        case "deflate":
            is_wrapped = len(body) > 1 and body[0] & 0x0F == 8 and (body[0] << 8 | body[1]) % 31 == 0
            return _inflate(body, _ZLIB if is_wrapped else _RAW, limit_bytes)
        case other:
            raise UnsupportedMediaType(f"{other[:50]!r} is not unpacked here: send gzip, deflate, or nothing packed.")


def _inflate(body: bytes, bits: int, limit_bytes: int) -> bytes:
    """Of gzip all members (RFC 1952, 2.2), of which empty ones would cost their time without ever filling the limit."""
    unpacked = bytearray()
    left = body
    members = 0
    while left:
        members += 1
        if members > MOST_MEMBERS:
            raise PayloadTooLarge(f"A packed body may have at most {MOST_MEMBERS} parts: pack it as one.")
        inflate = zlib.decompressobj(bits)
        try:
            unpacked += inflate.decompress(left, limit_bytes - len(unpacked) + 1)
        except zlib.error as fault:
            raise BadRequestData(f"The body is not packed as it says: {fault}.") from None
        if len(unpacked) > limit_bytes:
            raise PayloadTooLarge(f"Unpacked the body may have at most {limit_bytes} bytes: send it in parts.")
        if not inflate.eof:
            raise BadRequestData("The packed body ends too early.")
        left = inflate.unused_data if bits == _GZIP else b""
    return bytes(unpacked)


def read_documents(body: bytes, content_type: str) -> list[Any]:
    """Documents, and Unreadable for lines that are none.

    Raises:
        UnsupportedMediaType, BadRequestData, PayloadTooLarge
    """
    media_type = content_type.partition(";")[0].strip().lower()
    read = _READERS.get(media_type)
    if read is None and media_type.endswith("+json"):
        read = _read_json
    if read is None:
        known = ", ".join(sorted(one for one in _READERS if one))
        raise UnsupportedMediaType(f"{media_type[:80]!r} is not read here: send one of {known}.")
    return read(body)


def _decode(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as fault:
        raise BadRequestData(f"The body is no JSON: {fault}.") from None
    except RecursionError:
        raise BadRequestData("The body is nested too deeply.") from None


def _read_json(body: bytes) -> list[Any]:
    return [_decode(body.removeprefix(b"\xef\xbb\xbf"))]


def _read_json_lines(body: bytes) -> list[Any]:
    return [_line(line) for line in _lines(body.splitlines())]


def _line(line: bytes) -> Any:
    try:
        return _decode(line)
    except BadRequestData as fault:
        return Unreadable(line, fault.detail)


def _lines(lines: list[bytes]) -> Iterator[bytes]:
    """Those with something in them; JSON text sequences begin each with a record separator (RFC 7464)."""
    if len(lines) > MOST_LINES:
        raise PayloadTooLarge(f"At most {MOST_LINES} lines are taken at once: send them in parts.")
    return (line for one in lines if (line := one.strip(b"\x1e \t")))


def _read_form(body: bytes) -> list[Any]:
    """What begins as JSON is read as such: curl says of all that it posts that it is a form."""
    if body.lstrip()[:1] in (b"{", b"["):
        return _read_json(body)
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=False, strict_parsing=True, max_num_fields=_MOST_FORM_FIELDS)
    except ValueError as fault:
        raise BadRequestData(
            f"The body is no form: {fault}. Of JSON say so with the header Content-Type: application/json."
        ) from None
    return [{name: _value(text) for name, text in pairs}]


def _read_csv(body: bytes) -> list[Any]:
    """The first line names the columns; comma, semicolon or tabulator between."""
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        raise BadRequestData(f"The lines are no UTF-8: {fault}.") from None
    if text.count("\n") > MOST_LINES:
        raise PayloadTooLarge(f"At most {MOST_LINES} lines are taken at once: send them in parts.")
    head = text.partition("\n")[0]
    delimiter = max(_DELIMITERS, key=head.count)
    try:
        rows = list(csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    except csv.Error as fault:
        raise BadRequestData(f"The lines are no CSV: {fault}.") from None
    return [{name.strip(): _value(cell) for name, cell in _cells(row)} for row in rows]


def _cells(row: Mapping[str | Any, str | Any]) -> Iterator[tuple[str, str]]:
    return ((name, cell) for name, cell in row.items() if isinstance(name, str) and isinstance(cell, str) and cell)


def _value(text: str) -> str | int | float:
    text = text.strip()
    if not _NUMBER.fullmatch(text):
        return text
    return float(text) if "." in text else int(text)


_READERS: dict[str, Read] = {
    "": _read_json,
    "application/json": _read_json,
    "text/json": _read_json,
    "text/plain": _read_json,
    "application/x-ndjson": _read_json_lines,
    "application/ndjson": _read_json_lines,
    "application/jsonl": _read_json_lines,
    "application/x-jsonlines": _read_json_lines,
    "application/json-seq": _read_json_lines,
    "application/x-www-form-urlencoded": _read_form,
    "text/csv": _read_csv,
}
