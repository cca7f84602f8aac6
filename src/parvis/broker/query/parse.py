"""The query languages of NGSI-LD to the query tree: q (4.9), type selection (4.17), scopeQ (4.19), georel (4.10)."""

import math
import re
from collections.abc import Collection
from typing import Any, Final

import msgspec

from parvis.broker.jsonld.context import Context
from parvis.broker.jsonld.geojson import check_geometry
from parvis.broker.jsonld.names import is_uri
from parvis.broker.model.entity import Iri
from parvis.broker.query.pattern import pattern_finder
from parvis.broker.query.scanner import Scanner
from parvis.broker.query.tree import (
    ENTITY_TIMES,
    AllTypes,
    And,
    AnyType,
    Compare,
    Condition,
    Exists,
    GeoQuery,
    GeoRelation,
    Linked,
    Missing,
    OneOf,
    Operand,
    Operator,
    Or,
    Path,
    Range,
    ScopeQuery,
    TypeIs,
    TypeSelection,
)
from parvis.kernel.errors import BadRequestData, TooComplexQuery

MAX_ALTERNATIVES: Final = 256

CORE_SUBS: Final = frozenset({"observedAt", "createdAt", "modifiedAt", "unitCode", "datasetId"})

_OPERATORS: Final = ("!~=", "~=", "==", "!=", ">=", "<=", ">", "<")
_PATTERN_OPERATORS = frozenset({Operator.MATCH, Operator.NOT_MATCH})
_EQUALITIES = frozenset({Operator.EQUAL, Operator.UNEQUAL})
_NUMBER = re.compile(r"[+-]?\d{1,40}(?:\.\d{1,40})?(?:[eE][+-]?\d{1,3})?")
_DATE_OR_TIME = re.compile(
    r"\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?(?:Z|[+-]\d\d:\d\d)?)?|\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?Z?"
)
_TERM = re.compile(r"[A-Za-z_][\w-]{0,255}")
_BOOLEANS = {"true": True, "false": False}
_DISTANCE = re.compile(r"(maxDistance|minDistance)==(\d{1,12}(?:\.\d{1,12})?)", re.ASCII)


def parse_q(text: str, context: Context, expand_values: Collection[Iri] = (), levels: int = 0) -> Condition:
    """The condition of a q parameter.

    `expand_values` names attributes whose text operands are terms to expand (VocabProperty; expandValues, 4.9).
    `levels` is how far it may ask about linked entities: as far as they are to be retrieved (5.7.2.4).

    Raises:
        BadRequestData: with the position.
        TooComplexQuery: too long, too deep, too many terms.
    """
    scanner = Scanner(text, "The query q")
    reader = _ConditionReader(scanner, context, expand_values, levels)
    return scanner.read_all(reader.term, And, Or, ("|",))


def parse_types(text: str, context: Context) -> TypeSelection:
    """`A,B` or `A|B`: either; `A;B`: both; parentheses (4.17). Raises BadRequestData, TooComplexQuery."""
    scanner = Scanner(text, "The type selection")

    def term() -> TypeSelection:
        name = scanner.take_until(";|,()").strip()
        if not name:
            scanner.refuse("the name of a type")
        return TypeIs(context.names[name])

    return scanner.read_all(term, AllTypes, AnyType, ("|", ","))


def parse_scope_q(text: str) -> ScopeQuery:
    """Patterns such as /Trevalan/+/Port and /Trevalan/#, joined like types (4.19). Raises BadRequestData."""
    scanner = Scanner(text, "The query scopeQ")

    def term() -> tuple[tuple[str, ...], ...]:
        pattern = scanner.take_until(";|,()").strip()
        levels = pattern.removeprefix("/").split("/")
        if not all(level == "+" or _is_level(level) for level in levels[:-1]) or not (
            levels[-1] in ("+", "#") or _is_level(levels[-1])
        ):
            scanner.refuse("a scope such as /Trevalan/Port, with + for one level or a last # for all below")
        return (("/" + "/".join(levels),),)

    return ScopeQuery(scanner.read_all(term, _every, _some, ("|", ",")))


def parse_path(text: str, parameter: str, context: Context) -> Path:
    """`name.sub[member.member]` (4.9, 4.23). Raises BadRequestData."""
    scanner = Scanner(text, f"The parameter {parameter}")
    path = _ConditionReader(scanner, context, (), 0).path()
    if not scanner.at_end():
        scanner.refuse("the end")
    return path


def _is_level(level: str) -> bool:
    return bool(level) and "#" not in level and "+" not in level


Alternatives = tuple[tuple[str, ...], ...]


def _some(parts: tuple[Alternatives, ...]) -> Alternatives:
    return tuple(alternative for part in parts for alternative in part)


def _every(parts: tuple[Alternatives, ...]) -> Alternatives:
    if math.prod(len(part) for part in parts) > MAX_ALTERNATIVES:
        raise TooComplexQuery(f"The query scopeQ comes to more than {MAX_ALTERNATIVES} alternatives.")
    joined: Alternatives = ((),)
    for part in parts:
        joined = tuple((*head, *tail) for head in joined for tail in part)
    return joined


def parse_geo(georel: str, geometry: str, coordinates: Any, geoproperty: str | None, context: Context) -> GeoQuery:
    """A geo-query (4.10). `coordinates` is JSON text, or what it decodes to; without `geoproperty` it is location.

    Raises:
        BadRequestData: naming the parameter.
    """
    relation, *modifiers = georel.split(";")
    if relation not in _RELATIONS:
        raise BadRequestData(f"The georel {relation!r:.40} is none of {', '.join(_RELATIONS)}.")
    distances = _distances(modifiers, _RELATIONS[relation])
    shape = parse_coordinates(geometry, coordinates, "The geo-query")
    return GeoQuery(
        _RELATIONS[relation],
        shape,
        context.names[geoproperty or "location"],
        distances.get("maxDistance"),
        distances.get("minDistance"),
    )


def parse_coordinates(geometry: str, coordinates: Any, what: str) -> dict[str, Any]:
    """A GeoJSON geometry of its type and its coordinates, which may be JSON text. Raises BadRequestData."""
    return check_geometry({"type": geometry, "coordinates": _coordinates(coordinates)}, what)


_RELATIONS = {relation.value: relation for relation in GeoRelation}


def _coordinates(given: Any) -> Any:
    if not isinstance(given, str):
        return given
    try:
        return msgspec.json.decode(given)
    except (msgspec.MsgspecError, RecursionError, UnicodeEncodeError) as failure:
        raise BadRequestData("The coordinates of a geo-query must be a JSON array such as [-3.1,48.2].") from failure


def _distances(modifiers: list[str], relation: GeoRelation) -> dict[str, float]:
    if relation is not GeoRelation.NEAR:
        if modifiers:
            raise BadRequestData(f"The georel {relation.value} takes no modifier: only near has distances.")
        return {}
    found = [_DISTANCE.fullmatch(modifier) for modifier in modifiers]
    distances = {one.group(1): float(one.group(2)) for one in found if one is not None}
    if len(distances) != 1 or len(modifiers) != 1 or not all(distances.values()):
        raise BadRequestData("The georel near needs one distance in metres: near;maxDistance==2000, or minDistance.")
    return distances


class _ConditionReader:
    def __init__(self, scanner: Scanner, context: Context, expand_values: Collection[Iri], levels: int) -> None:
        self._scanner = scanner
        self._context = context
        self._expand_values = expand_values
        self._levels = levels

    def term(self) -> Condition:
        is_missing = bool(self._scanner.take("!"))
        hops: list[tuple[Iri, TypeSelection | None]] = []
        path = self.path()
        while self._scanner.take("{"):
            hops.append((self._relationship(path), self._type_hint()))
            path = self.path()
        self._close(len(hops))
        term: Exists | Missing | Compare | Linked = Missing(path) if is_missing else self._about(path)
        for name, types in reversed(hops):
            term = Linked(name, types, term)
        return term

    def _relationship(self, path: Path) -> Iri:
        if path.subs or path.members:
            self._scanner.refuse("the name of a Relationship before the brace")
        return path.name

    def _type_hint(self) -> TypeSelection | None:
        """`Building:` in `managedBy{Building:name}`, where it is no prefix of the @context (EXAMPLE 14)."""
        scanner, start = self._scanner, self._scanner.position
        word = scanner.take_until("=!<>~;|()[]{},\"' ")
        scanner.position = start
        hint, colon, rest = word.partition(":")
        if not (hint and colon and rest) or rest.startswith("//") or self._context.expand(word) != word:
            return None
        scanner.position += len(hint) + 1
        return TypeIs(self._context.names[hint])

    def _close(self, braces: int) -> None:
        if self._scanner.take("}" * braces) != "}" * braces:
            self._scanner.refuse("a closing brace")
        if braces > self._levels:
            raise BadRequestData(
                f"The query q asks about linked entities over {braces} levels: give join, and joinLevel={braces}.",
                position=self._scanner.position,
            )

    def _about(self, path: Path) -> Exists | Compare:
        scanner = self._scanner
        sign = scanner.take(*_OPERATORS)
        if not sign:
            if not scanner.at_end() and scanner.peek() not in ";|)":
                scanner.refuse(f"one of {' '.join(_OPERATORS)}, or ; | )")
            return Exists(path)
        operator = Operator(sign)
        if operator in _PATTERN_OPERATORS:
            return Compare(path, operator, self._pattern())
        return Compare(path, operator, self._operand(path, operator))

    def path(self) -> Path:
        scanner = self._scanner
        dotted = scanner.take_until("=!<>~;|()[]{},\"' ")
        names = [dotted] if "://" in dotted else dotted.split(".")
        if not all(names):
            scanner.refuse("the name of an attribute")
        members: tuple[str, ...] = ()
        if scanner.take("["):
            members = tuple(scanner.take_until("]").split("."))
            if not all(members) or not scanner.take("]"):
                scanner.refuse("a path such as [city.name]")
        if dotted in ENTITY_TIMES and not members:
            return Path(dotted)
        subs = tuple(name if name in CORE_SUBS else self._context.names[name] for name in names[1:])
        return Path(self._context.names[names[0]], subs, members)

    def _pattern(self) -> str:
        scanner = self._scanner
        pattern = scanner.take_quoted() if scanner.peek() == '"' else self._bare_pattern()
        if not pattern:
            scanner.refuse("a pattern")
        pattern_finder(pattern)
        return pattern

    def _bare_pattern(self) -> str:
        """Up to what must belong to the query: a `;`, or a `|` or `)` outside the pattern's own parentheses."""
        scanner, start, depth = self._scanner, self._scanner.position, 0
        while not scanner.at_end():
            sign = scanner.peek()
            if sign == ";" or (depth == 0 and sign in "|)"):
                break
            depth += (sign == "(") - (sign == ")")
            scanner.position += 2 if sign == "\\" else 1
        return scanner.text[start : scanner.position]

    def _operand(self, path: Path, operator: Operator) -> Operand:
        first = self._value(path, operator)
        if operator not in _EQUALITIES:
            if isinstance(first, bool):
                self._scanner.refuse("a number, a text or a time to compare by order")
            return first
        if self._scanner.take(".."):
            return self._range(path, operator, first)
        values = [first]
        while self._scanner.take(","):
            values.append(self._value(path, operator))
            if len(values) > MAX_ALTERNATIVES:
                raise TooComplexQuery(f"A list of values in q has at most {MAX_ALTERNATIVES} of them.")
        return first if len(values) == 1 else OneOf(tuple(values))

    def _range(self, path: Path, operator: Operator, low: Any) -> Range:
        high = self._value(path, operator)
        if isinstance(low, bool) or isinstance(high, bool) or isinstance(low, str) != isinstance(high, str):
            self._scanner.refuse("a range between two numbers, or between two texts or times")
        return Range(low, high)

    def _value(self, path: Path, operator: Operator) -> int | float | str | bool:
        scanner = self._scanner
        if scanner.peek() == '"':
            text = scanner.take_quoted()
        else:
            value = self._bare_value()
            if not isinstance(value, str):
                return value
            text = value
        return self._context.names[text] if path.name in self._expand_values and not path.subs else text

    def _bare_value(self) -> int | float | str | bool:
        """A number, a boolean, a date, a time, a URI or a term stands without quotation marks."""
        scanner = self._scanner
        start = scanner.position
        word = scanner.take_until(';|(),"')
        if ".." in word:
            word = word[: word.index("..")]
            scanner.position = start + len(word)
        if word in _BOOLEANS:
            return _BOOLEANS[word]
        if _NUMBER.fullmatch(word):
            return _number(word)
        if not (_DATE_OR_TIME.fullmatch(word) or _TERM.fullmatch(word) or is_uri(word)):
            scanner.position = start
            scanner.refuse(
                'a value: a number, true, false, a date-time, a URI, or a text in quotation marks, "like this"'
            )
        return word


def _number(word: str) -> int | float:
    number = float(word)
    if any(sign in word for sign in ".eE"):
        if math.isinf(number):
            raise BadRequestData(f"The number {word} is too large.")
        return number
    whole = int(word)
    return whole if -(2**63) <= whole < 2**63 else number
