"""One parser for the query parameters of every route; a route declares which it knows."""

from typing import Final
from urllib.parse import unquote_plus

from parvis.kernel.errors import BadRequestData, InvalidRequest, TooManyResults
from parvis.kernel.time import parse_duration

DEFAULT_LIMIT: Final = 20
MAX_LIMIT: Final = 1000
MAX_DIGITS: Final = 15

_FORMS = frozenset({"normalized", "concise", "simplified", "keyValues", "temporalValues", "aggregatedValues"})
_BOOLEANS = {"true": True, "false": False}
_NEVER_A_SPACE = frozenset({"scopeQ", "timeAt", "endTimeAt", "observedAt"})
"""Here a "+" is a level of a scope or the sign of a zone, even where a client forgot to encode it."""


def read_lifetime(text: str | None, where: str) -> int | None:
    """An ISO 8601 duration in microseconds. Raises BadRequestData."""
    if text is None:
        return None
    try:
        return parse_duration(text).span
    except ValueError as error:
        raise BadRequestData(f"{where}: {error}.") from None


class Parameters:
    """The decoded query string of one request."""

    __slots__ = ("_given",)

    def __init__(self, given: dict[str, str]) -> None:
        self._given = given

    def __contains__(self, name: str) -> bool:
        return name in self._given

    def joined(self, others: dict[str, str]) -> "Parameters":
        return Parameters({**self._given, **others})

    def pairs_without(self, names: frozenset[str]) -> tuple[tuple[str, str], ...]:
        return tuple(pair for pair in self._given.items() if pair[0] not in names)

    def without_empty(self) -> "Parameters":
        return Parameters({name: given for name, given in self._given.items() if given})

    def text(self, name: str) -> str | None:
        return self._given.get(name)

    def words(self, name: str) -> tuple[str, ...]:
        """The members of a comma-separated list; empty where the parameter is absent."""
        given = self._given.get(name)
        if given is None:
            return ()
        words = tuple(word.strip() for word in given.split(","))
        if not all(words):
            raise BadRequestData(f"The parameter {name} is a comma-separated list without empty members.")
        return words

    def flag(self, name: str) -> bool:
        given = self._given.get(name, "false")
        if given not in _BOOLEANS:
            raise BadRequestData(f"The parameter {name} is true or false, not {given!r}.")
        return _BOOLEANS[given]

    def integer(self, name: str, default: int, lowest: int) -> int:
        given = self._given.get(name)
        if given is None:
            return default
        if not (given.isdecimal() and given.isascii() and len(given) <= MAX_DIGITS) or int(given) < lowest:
            raise BadRequestData(f"The parameter {name} is a whole number from {lowest} on, not {given!r:.40}.")
        return int(given)

    def limit(self, counting: bool) -> int:
        """The size of a page (NGSI-LD 1.9.1, 6.3.10): 0 only to count."""
        limit = self.integer("limit", DEFAULT_LIMIT, 0)
        if limit == 0 and not counting:
            raise BadRequestData("The parameter limit is 0 only to count: add count=true, or ask for 1 or more.")
        if limit > MAX_LIMIT:
            raise TooManyResults(f"A page holds at most {MAX_LIMIT} results, not {limit}.")
        return limit

    def options(self, known: frozenset[str]) -> frozenset[str]:
        """The words of `options` and `format`; the form in `format` comes first (6.3.7)."""
        options = frozenset(self.words("options"))
        if "format" in self._given:
            options = (options - _FORMS) | {self._given["format"]}
        unknown = options - known
        if unknown:
            raise InvalidRequest(f"Unknown option {', '.join(sorted(unknown))}: here are {', '.join(sorted(known))}.")
        return options


NO_PARAMETERS: Final = Parameters({})


def parse_parameters(query_string: bytes, known: frozenset[str]) -> Parameters:
    """Raises InvalidRequest for a parameter that the route does not know, or that is given twice."""
    if not query_string:
        return NO_PARAMETERS
    given: dict[str, str] = {}
    for pair in query_string.decode("latin-1").split("&"):
        if not pair:
            continue
        name, value = _decoded(pair)
        if name not in known:
            raise InvalidRequest(f"Unknown parameter {name}: here are {', '.join(sorted(known)) or 'none'}.")
        if name in given:
            raise InvalidRequest(f"The parameter {name} is given twice.")
        given[name] = value
    return Parameters(given)


def _decoded(pair: str) -> tuple[str, str]:
    try:
        name, value = (unquote_plus(part, errors="strict") for part in (pair.partition("=")[::2]))
    except UnicodeDecodeError:
        raise InvalidRequest("The query string is not UTF-8, percent-encoded.") from None
    return name, value.replace(" ", "+") if name in _NEVER_A_SPACE else value
