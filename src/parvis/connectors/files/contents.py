"""What a file holds, by its first bytes: its name is what somebody called it."""

from parvis.connectors.files.config import BOOK_ENDINGS, COLUMN_ENDINGS, InvalidMapping

LOOKED_AT_BYTES = 1024
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_MAGIC: dict[str, tuple[bytes, ...]] = {
    **dict.fromkeys(BOOK_ENDINGS, _ZIP),
    ".zip": _ZIP,
    **dict.fromkeys(COLUMN_ENDINGS, (b"PAR1",)),
    ".gpkg": (b"SQLite format 3\0",),
    ".shp": (b"\0\0\x27\x0a",),
    ".gz": (b"\x1f\x8b",),
}
_WIDE = (b"\xff\xfe", b"\xfe\xff")
"""A text of two bytes a character says so by a mark (UTF-16)."""
_NO_TEXT = (b"\x7fELF", b"MZ", b"%PDF", b"PK\x03\x04", b"\x1f\x8b", b"\x89PNG", b"\xff\xd8\xff", b"Rar!", b"7z\xbc\xaf")
_MARKUP = (b"<!doctype", b"<html", b"<script", b"<?xml", b"<svg")


def check_contents(name: str, head: bytes) -> None:
    """`head` is what a file called `name` begins with. Raises InvalidMapping where it is something else."""
    if not head or _fits(name.lower(), head[:LOOKED_AT_BYTES]):
        return
    raise InvalidMapping(f"{name} does not hold what its name says.")


def _fits(name: str, head: bytes) -> bool:
    for ending, beginnings in _MAGIC.items():
        if name.endswith(ending):
            return head.startswith(beginnings)
    if head.startswith(_NO_TEXT) or head.lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith(_MARKUP):
        return False
    return head.startswith(_WIDE) or b"\0" not in head
