"""By what a person is known, and where a text names them.

A text is taken apart into what could be an identifier, each in one spelling, and these are compared with the ones
that are looked for: as they are, or as keyed digests, by which an erasure can be done again without telling of whom.
"""

import hmac
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final, NamedTuple, assert_never

import msgspec

from parvis.kernel.errors import BadRequestData

Marks = frozenset[int]
"""Places of identifiers in the list of what is looked for."""
NOTHING: Final[Marks] = frozenset()
MOST_IDENTIFIERS: Final = 20
LONGEST: Final = 300
DIGEST_CHARACTERS: Final = 32
_TELEPHONE_DIGITS: Final = 9
"""The last ones are compared: what comes before says the country, and is written in several ways."""
_SHORTEST_TELEPHONE: Final = 6
_LONGEST_TELEPHONE: Final = 15
_LONGEST_TYPED: Final = 40
_EMAIL = re.compile(r"[^\s<>()\[\]{}\"',;:\\|/=?&]+@[^\s<>()\[\]{}\"',;:\\|/=?&@]+\.[^\s<>()\[\]{}\"',;:\\|/=?&@.]+")
_TELEPHONE = re.compile(r"(?<![\w.+])\+?\(?\d(?:[ \u00a0\u202f.\-/()]{0,2}\d){5,16}(?![\w])")
_NAMED_BY_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s\"'<>,;]+")
_URN = re.compile(r"(?<![A-Za-z0-9+.-])urn:[^\s\"'<>,;/?#&]+")
_ENDS_A_SENTENCE = ".:!?)]}"
_WORD = re.compile(r"[^\W_]+")
_REMEMBERED_TEXTS = 65_536
_LONGEST_REMEMBERED = 512


class By(StrEnum):
    """A name is of many: what is found by nothing else is shown, and neither given away nor erased."""

    EMAIL = "email"
    TELEPHONE = "telephone"
    ACCOUNT = "account"
    KEY = "key"
    ENTITY = "entity"
    NAME = "name"


class Identifier(msgspec.Struct, frozen=True, order=True):
    """`value` in its one spelling; of a telephone, how it was `typed`."""

    by: By
    value: str
    typed: str = ""

    @property
    def is_certain(self) -> bool:
        return self.by is not By.NAME

    @property
    def shown(self) -> str:
        """As people read it; of a telephone whose spelling was not kept, its last digits."""
        if self.by is By.TELEPHONE:
            return self.typed or f"…{self.value}"
        return self.value.title() if self.by is By.NAME else self.value


def identifier(by: By, given: str) -> Identifier:
    """Raises BadRequestData."""
    value = _spelled(by, given.strip())
    if not value or len(value) > LONGEST:
        raise BadRequestData(
            f"{given[:80]!r} cannot be looked for: give an e-mail address, a telephone of 6 to 15 digits, the name of"
            " an account, the id of a key, the URI of an object, or a first and a last name.",
            rule="person-identifier",
        )
    return Identifier(by, value, " ".join(given.split())[:_LONGEST_TYPED] if by is By.TELEPHONE else "")


def _spelled(by: By, given: str) -> str:
    match by:
        case By.EMAIL:
            return given.casefold() if _EMAIL.fullmatch(given) else ""
        case By.TELEPHONE:
            return telephone_of(given)
        case By.ACCOUNT | By.KEY:
            return given
        case By.ENTITY:
            return given if _NAMED_BY_URI.fullmatch(given) else ""
        case By.NAME:
            words = words_of(given)
            return " ".join(words) if len(words) > 1 else ""
    assert_never(by)


def telephone_of(text: str) -> str:
    """Its last digits; empty where it is none."""
    digits = re.sub(r"\D", "", text)
    if not _SHORTEST_TELEPHONE <= len(digits) <= _LONGEST_TELEPHONE:
        return ""
    return digits[-_TELEPHONE_DIGITS:]


def words_of(text: str) -> list[str]:
    bare = "".join(one for one in unicodedata.normalize("NFKD", text) if not unicodedata.combining(one))
    return _WORD.findall(bare.casefold())


class Candidate(NamedTuple):
    by: By
    value: str


def candidates_in(text: str) -> Iterator[Candidate]:
    """What a text names that could be somebody, but for names."""
    if "@" in text:
        for email in _EMAIL.findall(text):
            yield Candidate(By.EMAIL, email.rstrip(".").casefold())
    for found in _TELEPHONE.finditer(text):
        if telephone := telephone_of(found[0]):
            yield Candidate(By.TELEPHONE, telephone)
    if ":" in text:
        for uri in _uris_in(text):
            yield Candidate(By.ENTITY, uri)
            scheme, _, rest = uri.partition(":")
            if scheme == "user":
                yield Candidate(By.ACCOUNT, rest)
            elif scheme == "key":
                yield Candidate(By.KEY, rest)


def _uris_in(text: str) -> Iterator[str]:
    """The whole of it, those within a sentence, and URNs within the address of something else."""
    if len(text) <= LONGEST:
        yield text
    for uri in (*_NAMED_BY_URI.findall(text), *_URN.findall(text)):
        bare = uri.rstrip(_ENDS_A_SENTENCE)
        if bare != text:
            yield bare


Digested = Callable[[By, str], str]


def keyed(key: bytes) -> Digested:
    def digest(by: By, value: str) -> str:
        return hmac.digest(key, f"{by.value}:{value}".encode(), "sha256").hex()[:DIGEST_CHARACTERS]

    return digest


class Sought:
    """What is looked for. With `digested` the wanted are digests, and names cannot be."""

    def __init__(self, wanted: Iterable[Identifier], digested: Digested | None = None) -> None:
        self.wanted = tuple(wanted)
        self._digested = digested
        self._places: dict[str, int] = {}
        self._names: list[tuple[int, frozenset[str]]] = []
        for place, one in enumerate(self.wanted):
            if one.by is By.NAME:
                self._names.append((place, frozenset(one.value.split())))
            else:
                self._places[one.value if digested else f"{one.by.value}:{one.value}"] = place
        self._short = lru_cache(_REMEMBERED_TEXTS)(self._marks)

    def is_named(self, by: By, value: str) -> Marks:
        """Whether this very one is looked for."""
        digest = self._digested(by, value) if self._digested else f"{by.value}:{value}"
        place = self._places.get(digest)
        return NOTHING if place is None else frozenset((place,))

    def marks(self, text: str) -> Marks:
        """Which of them a text names."""
        return self._short(text) if len(text) <= _LONGEST_REMEMBERED else self._marks(text)

    def marks_in(self, value: Any, *, with_numbers: bool = False) -> Marks:
        """Of any JSON, its members' names left aside."""
        if isinstance(value, str):
            return self.marks(value)
        if isinstance(value, Mapping):
            return self._together(value.values(), with_numbers)
        if isinstance(value, list | tuple):
            return self._together(value, with_numbers)
        if with_numbers and isinstance(value, int) and not isinstance(value, bool):
            return self.marks(str(value))
        return NOTHING

    def is_certain(self, marks: Marks) -> bool:
        return any(self.wanted[place].is_certain for place in marks)

    def with_entities(self, ids: Iterable[str]) -> "Sought":
        """And whoever is named by these ids of entities."""
        return self._with(By.ENTITY, ids)

    def with_accounts(self, names: Iterable[str]) -> "Sought":
        return self._with(By.ACCOUNT, names)

    def _with(self, by: By, values: Iterable[str]) -> "Sought":
        known = [Identifier(by, self._digested(by, one) if self._digested else one) for one in values]
        return Sought(dict.fromkeys((*self.wanted, *known)), self._digested)

    def _together(self, values: Iterable[Any], with_numbers: bool) -> Marks:
        return NOTHING.union(*(self.marks_in(one, with_numbers=with_numbers) for one in values))

    def _marks(self, text: str) -> Marks:
        found = NOTHING
        for candidate in candidates_in(text):
            found |= self.is_named(*candidate)
        if self._names:
            words = frozenset(words_of(text))
            found |= {place for place, name in self._names if name <= words}
        return found
