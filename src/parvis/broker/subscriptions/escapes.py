"""q as many write it in a body: percent-encoded, as it must be in a URL only (NGSI-LD 1.9.1, 4.9; RFC 3986, 2.1)."""

import re
from urllib.parse import unquote

_ENCODED_QUOTE = re.compile("%22")
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')


def unescaped(q: str) -> str:
    """With %22 as the quote that it stands for, and what is quoted decoded; an address that is not quoted stays."""
    if "%" not in q:
        return q
    return _QUOTED.sub(lambda quoted: unquote(quoted[0]), _ENCODED_QUOTE.sub('"', q))
