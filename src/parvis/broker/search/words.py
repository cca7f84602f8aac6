"""What an entity is found by: words without accents or case, the ones that name it before those that tell of it."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from enum import IntEnum
from functools import lru_cache

from parvis.broker.model.entity import Iri, Json

MOST_WORDS = 64
"""Of one entity: a description is not searched to its end."""
LONGEST_WORD = 40
LIFTED_FROM = 8
"""A mark as long as this (a DevEUI, a serial number) is found by its ending too: that is what people read out."""
ENDINGS = (4, 5, 6)

_WORD = re.compile(r"[^\W_]+")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_LIGATURES = str.maketrans({"œ": "oe", "æ": "ae", "Œ": "oe", "Æ": "ae", "ø": "o", "Ø": "o", "ł": "l", "Ł": "l"})


class Part(IntEnum):
    """What a word does for its entity; the lower the better the finding."""

    TITLE = 0
    MARK = 1
    TELLING = 2


PARTS = {
    "name": Part.TITLE,
    "title": Part.TITLE,
    "alternateName": Part.MARK,
    "hardwareId": Part.MARK,
    "serialNumber": Part.MARK,
    "description": Part.TELLING,
    "address": Part.TELLING,
    "deviceProfile": Part.TELLING,
}
"""Attributes that are searched, by the last part of their names: vocabularies differ in the first."""


@lru_cache(maxsize=4096)
def part_of(attribute: Iri) -> Part | None:
    return PARTS.get(local_name(attribute))


def local_name(iri: Iri) -> str:
    return re.split(r"[/#:]", iri)[-1]


def fold(text: str) -> str:
    """Without accents and case: "Trévalan" and "TREVALAN" are one."""
    if text.isascii():
        return text.casefold()
    decomposed = unicodedata.normalize("NFKD", text.translate(_LIGATURES))
    return "".join(one for one in decomposed if not unicodedata.combining(one)).casefold()


def words_in(text: str) -> list[str]:
    return [word[:LONGEST_WORD] for word in _WORD.findall(fold(text))]


def words_of_type(iri: Iri) -> list[str]:
    name = local_name(iri)
    return [*words_in(name), *words_in(_CAMEL.sub(" ", name))]


def words_of_mark(mark: str) -> list[str]:
    """The words of an identifier, each also without leading zeros and, where it is long, by its endings."""
    return [form for word in words_in(mark) for form in _forms(word)]


def words_of_id(entity_id: str) -> list[str]:
    """Of "urn:ngsi-ld:WasteContainer:trevalan:0012" what comes after the type."""
    parts = entity_id.split(":", 3)
    return words_of_mark(parts[-1] if entity_id.startswith("urn:") else local_name(entity_id))


def texts_in(value: Json) -> list[str]:
    """A text, or those in an address, a language map or a list."""
    match value:
        case str():
            return [value]
        case dict():
            return [text for key, part in value.items() if not key.startswith("@") for text in texts_in(part)]
        case list():
            return [text for part in value for text in texts_in(part)]
        case _:
            return []


def _forms(word: str) -> Iterable[str]:
    yield word
    if bare := word.lstrip("0"):
        yield bare
    if len(word) >= LIFTED_FROM:
        yield from (word[-length:] for length in ENDINGS)


def unique(words: Iterable[str], most: int = MOST_WORDS) -> Sequence[str]:
    return list(dict.fromkeys(words))[:most]
