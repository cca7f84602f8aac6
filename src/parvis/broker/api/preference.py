"""The version of NGSI-LD that a reader prefers, in the Prefer header (NGSI-LD 1.9.1, 6.3.6 and 4.3.6.8; RFC 7240)."""

import re
from functools import lru_cache
from typing import Final

from parvis.broker.api.request import Request
from parvis.broker.api.responses import Headers

_NAME: Final = "ngsi-ld"
_PREFERENCES = re.compile(r'(?:[^,"]|"(?:[^"\\]|\\.)*")+')
_VERSION = re.compile(r"\d{1,3}\.\d{1,3}")


def preferred_version(request: Request) -> str | None:
    """As `major.minor`; None where the reader prefers none."""
    header = request.headers.get(b"prefer")
    return None if header is None else version_in(header)


def preference_applied(request: Request) -> Headers:
    """For an answer that holds for the version asked for."""
    version = preferred_version(request)
    return () if version is None else ((b"preference-applied", f"{_NAME}={version}".encode()),)


@lru_cache(maxsize=256)
def version_in(header: bytes) -> str | None:
    """The first of its preferences that names a version: names are case-insensitive, values may be quoted."""
    for preference in _PREFERENCES.findall(header.decode("latin-1")):
        name, _, value = preference.partition(";")[0].partition("=")
        if name.strip().lower() == _NAME:
            version = value.strip().strip('"').strip()
            return version if _VERSION.fullmatch(version) else None
    return None
