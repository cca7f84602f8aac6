"""Texts in the order of a collation (NGSI-LD 1.9.1, 4.23.3; RFC 6067): the root collation of Unicode for Latin letters.

First come base letters whatever their accents and case, then accents, then case, small letters before capitals; before
letters stand spaces, punctuation, symbols and digits. Other scripts follow in the order of their code points. Languages
whose dictionaries order otherwise are refused: an order that is not theirs helps nobody.
"""

import re
import unicodedata
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from parvis.kernel.errors import BadRequestData

Collation = Callable[[str], str]

_TAG = re.compile(r"[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8})*", re.ASCII)
_AS_ROOT = frozenset({"und", "root", "en", "fr", "de", "it", "nl", "pt", "ga", "lb", "ca"})
_LEVELS: Final = {"level1": 1, "level2": 2, "level3": 3}
_LETTERS = str.maketrans({"æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "đ": "d"})
_PHONE_BOOK = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue"})
_CLASSES: Final = {"Z": "0", "P": "1", "S": "2", "N": "3"}


@lru_cache(maxsize=64)
def find_collation(tag: str) -> Collation:
    """What puts texts in the order of `tag`, such as und, fr or de-u-co-phonebk. Raises BadRequestData."""
    if not _TAG.fullmatch(tag) or len(tag) > 64:
        raise BadRequestData(f"The collation {tag!r:.70} is no language tag.")
    place, _, extension = tag.lower().partition("-u-")
    language, *regions = place.split("-")
    if language not in _AS_ROOT or (language == "fr" and "ca" in regions):
        raise BadRequestData(f"The collation {tag} is not known here: {', '.join(sorted(_AS_ROOT))} are.")
    keywords = _keywords(tag, extension)
    is_phone_book = keywords.pop("co", "standard") == "phonebk"
    level = _LEVELS.get(keywords.pop("ks", "level3"))
    if keywords or level is None or (is_phone_book and language != "de"):
        raise BadRequestData(f"The collation {tag} asks for what is not known here: co-phonebk (of de) and ks are.")
    return lambda text: _key(text, level, is_phone_book)


def _keywords(tag: str, extension: str) -> dict[str, str]:
    parts = extension.split("-") if extension else []
    if len(parts) % 2 or any(len(key) != 2 for key in parts[::2]):
        raise BadRequestData(f"The collation {tag} is not understood: its keywords go in pairs, as co-phonebk.")
    found = dict(zip(parts[::2], parts[1::2], strict=True))
    if found.get("co", "standard") not in ("standard", "phonebk"):
        raise BadRequestData(f"The collation {tag} is not known here.")
    return found


def _key(text: str, level: int, is_phone_book: bool) -> str:
    if is_phone_book:
        text = unicodedata.normalize("NFC", text).translate(_PHONE_BOOK)
    signs = unicodedata.normalize("NFD", text.translate(_LETTERS))
    bases = [sign for sign in signs if not unicodedata.combining(sign)]
    primary = "".join(_CLASSES.get(unicodedata.category(sign)[0], "4") + sign.casefold() for sign in bases)
    levels = [primary, _accents(signs), "".join("1" if sign.isupper() else "0" for sign in bases)]
    return "\0".join(levels[:level])


def _accents(signs: str) -> str:
    """The accents of each base letter, after a mark that none of them comes before."""
    return "".join(sign if unicodedata.combining(sign) else "\1" for sign in signs)
