"""The flat term map of a JSON-LD @context: all that NGSI-LD needs of one (JSON-LD 1.1, 4.1; NGSI-LD 1.9.1, 4.4)."""

import copy
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from parvis.broker.jsonld.names import Memo, check_name
from parvis.broker.model.entity import Iri
from parvis.kernel.errors import BadRequestData, OperationNotSupported

DEFAULT_VOCABULARY: Final = "https://uri.etsi.org/ngsi-ld/default-context/"
MAX_TERMS: Final = 20_000

CONTEXT_RELATION: Final = "http://www.w3.org/ns/json-ld#context"

_FLAT_CONTAINERS = frozenset({"@list", "@set", "@language", "@index"})
_FLAT_MEMBERS = frozenset({"@id", "@type", "@container", "@language", "@direction", "@protected", "@prefix", "@index"})
_CONTEXT_MEMBERS = frozenset(
    {"@version", "@base", "@vocab", "@language", "@direction", "@protected", "@propagate", "@import"}
)
SCOPED: Final = "its definition has a @context of its own"
_GENERIC_DELIMITERS = frozenset(":/?#[]@")


def link_to(url: str) -> str:
    """The Link header that names the @context at `url` (NGSI-LD 1.9.1, 6.3.5)."""
    return f'<{url}>; rel="{CONTEXT_RELATION}"; type="application/ld+json"'


class Term(msgspec.Struct, frozen=True):
    """One term of a context. `coercion` is its @type; `obstacle` says why it cannot be used here, or is empty."""

    iri: Iri
    coercion: str = ""
    is_prefix: bool = False
    obstacle: str = ""


class Terms:
    """A context while it is put together from local contexts, later ones over earlier ones."""

    def __init__(self) -> None:
        self.vocabulary = ""
        self.terms: dict[str, Term] = {}

    def add(self, local: Mapping[str, Any]) -> None:
        """Raises BadRequestData for what is no @context, OperationNotSupported for @import."""
        if "@import" in local:
            raise OperationNotSupported("The @context uses @import: list the imported context before it instead.")
        if "@vocab" in local:
            self.vocabulary = self._vocabulary_of(local["@vocab"])
        definitions = {name: what for name, what in local.items() if name not in _CONTEXT_MEMBERS}
        if len(definitions) + len(self.terms) > MAX_TERMS:
            raise BadRequestData(f"The @context has more than {MAX_TERMS} terms.")
        for name in definitions:
            self.terms.pop(name, None)
        for name in definitions:
            self._define(name, definitions, ())

    def _vocabulary_of(self, value: Any) -> str:
        if value is None:
            return ""
        if not isinstance(value, str):
            raise BadRequestData("The @vocab of a @context must be an IRI.")
        return self._expand(value, {}, ()) if value else ""

    def _define(self, name: str, definitions: Mapping[str, Any], above: tuple[str, ...]) -> None:
        if name in self.terms or name.startswith("@"):
            return
        if name in above:
            raise BadRequestData(f"The @context defines {name!r} by itself.")
        if not name or len(above) > 32:
            raise BadRequestData(f"The @context defines {name!r}, which cannot be a term.")
        self.terms[name] = self._term(name, definitions, (*above, name))

    def _term(self, name: str, definitions: Mapping[str, Any], above: tuple[str, ...]) -> Term:
        definition = definitions[name]
        if definition is None:
            return Term("", obstacle="the @context sets it to null")
        if isinstance(definition, str):
            iri = self._expand(definition, definitions, above)
            return Term(iri, is_prefix=iri[-1:] in _GENERIC_DELIMITERS)
        if isinstance(definition, dict):
            return self._expanded_term(name, definition, definitions, above)
        raise BadRequestData(f"The @context defines {name!r} by {type(definition).__name__}, not by an IRI.")

    def _expanded_term(
        self, name: str, definition: dict[str, Any], definitions: Mapping[str, Any], above: tuple[str, ...]
    ) -> Term:
        identifier = definition.get("@id", name)
        if identifier is None:
            return Term("", obstacle="the @context sets it to null")
        if not isinstance(identifier, str):
            raise BadRequestData(f"The @id of {name!r} in the @context must be an IRI.")
        coercion = definition.get("@type")
        is_own = identifier == name
        return Term(
            self._own_iri(name, definitions, above) if is_own else self._expand(identifier, definitions, above),
            coercion=self._expand(coercion, definitions, above) if isinstance(coercion, str) else "",
            is_prefix=definition.get("@prefix") is True,
            obstacle=_obstacle(definition),
        )

    def _own_iri(self, name: str, definitions: Mapping[str, Any], above: tuple[str, ...]) -> Iri:
        if ":" in name:
            return self._expand_compact(name, definitions, above)
        return self.vocabulary + name

    def _expand(self, value: str, definitions: Mapping[str, Any], above: tuple[str, ...]) -> Iri:
        if value.startswith("@"):
            return value
        if value in definitions and value not in above:
            self._define(value, definitions, above)
        known = self.terms.get(value)
        if known is not None and not known.obstacle:
            return known.iri
        if ":" in value:
            return self._expand_compact(value, definitions, above)
        return self.vocabulary + value

    def _expand_compact(self, value: str, definitions: Mapping[str, Any], above: tuple[str, ...]) -> Iri:
        prefix, _, suffix = value.partition(":")
        if suffix.startswith("//") or prefix == "_":
            return value
        if prefix in definitions:
            self._define(prefix, definitions, above)
        known = self.terms.get(prefix)
        return known.iri + suffix if known is not None and known.is_prefix and not known.obstacle else value


def _obstacle(definition: dict[str, Any]) -> str:
    """Why a term with this definition is not flat, or nothing."""
    if "@context" in definition:
        return SCOPED
    others = definition.keys() - _FLAT_MEMBERS
    if others:
        return f"its definition uses {', '.join(sorted(others))}"
    container = definition.get("@container")
    containers = container if isinstance(container, list) else [container] if container is not None else []
    strange = [repr(one) for one in containers if not isinstance(one, str) or one not in _FLAT_CONTAINERS]
    return f"its definition uses @container {', '.join(strange)}" if strange else ""


class Context:
    """A whole @context, the core context last (NGSI-LD 1.9.1, 5.5.7): names to IRIs and back. Never changed.

    `key` names its meaning: contexts with equal terms have equal keys. `source` is what a user would write as @context.
    `names` and `types` are the hot way in: reading `names[term]` expands (and checks) the term.
    """

    __slots__ = (
        "_inverse",
        "_prefixes",
        "_terms",
        "_vocabulary",
        "compacted",
        "key",
        "labels",
        "names",
        "source",
        "types",
    )

    def __init__(self, terms: Terms, source: Any) -> None:
        self._terms: Mapping[str, Term] = terms.terms
        self._vocabulary = terms.vocabulary
        self._inverse = _inverse(self._terms)
        self._prefixes = _prefixes(self._terms)
        self.key = _key(terms)
        self.source = source
        self.names: Memo[str, Iri] = Memo(self._expand)
        self.types: Memo[str, tuple[Iri, ...]] = Memo(lambda name: (self.names[name],))
        self.compacted: Memo[Iri, str] = Memo(self._compact)
        self.labels: Memo[Iri, bytes] = Memo(lambda iri: msgspec.json.encode(self.compacted[iri]) + b":")

    def sourced(self, source: str) -> "Context":
        """The same context by another name."""
        other = copy.copy(self)
        other.source = source
        return other

    def __len__(self) -> int:
        """How many terms it defines."""
        return len(self._terms)

    def expand(self, name: str) -> Iri:
        """The IRI of a term, a compact IRI or an IRI.

        Raises:
            BadRequestData: it can be no name, or the context sets it to null or scopes it (5.5.7).
            OperationNotSupported: the context defines it by a feature that is not flat.
        """
        return self.names[name]

    def compact(self, iri: Iri) -> str:
        return self.compacted[iri]

    def coercion(self, name: str) -> str:
        """The @type of a term's definition ("@id", "@vocab", "@json", an IRI), or nothing."""
        term = self._terms.get(name)
        return term.coercion if term is not None else ""

    def _expand(self, name: str) -> Iri:
        term = self._terms.get(name)
        if term is None:
            return self._expand_unknown(check_name(name))
        if term.obstacle == SCOPED:
            raise BadRequestData(f"The term {name!r} cannot be used, for {SCOPED}: only flat terms can (5.5.7).")
        if term.obstacle:
            raise OperationNotSupported(f"The term {name!r} cannot be used, for {term.obstacle}: only flat terms can.")
        if term.iri.startswith("@"):
            raise BadRequestData(f"{name!r} stands for {term.iri} and can name no attribute or type.")
        return term.iri

    def _expand_unknown(self, name: str) -> Iri:
        prefix, colon, suffix = name.partition(":")
        if not colon:
            return self._vocabulary + name
        known = self._terms.get(prefix)
        if known is None or not known.is_prefix or known.obstacle or prefix == "_" or suffix.startswith("//"):
            return name
        return known.iri + suffix

    def _compact(self, iri: Iri) -> str:
        term = self._inverse.get(iri)
        if term is not None:
            return term
        vocabulary = self._vocabulary
        if vocabulary and iri.startswith(vocabulary) and self._is_plain(iri[len(vocabulary) :]):
            return iri[len(vocabulary) :]
        return self._with_prefix(iri) or iri

    def _is_plain(self, name: str) -> bool:
        return bool(name) and name not in self._terms and ":" not in name

    def _with_prefix(self, iri: Iri) -> str:
        candidates = [
            f"{prefix}:{iri[len(start) :]}"
            for prefix, start in self._prefixes
            if iri.startswith(start) and len(iri) > len(start) and not iri[len(start) :].startswith("//")
        ]
        return min((one for one in candidates if one not in self._terms), key=_shortest, default="")


def _shortest(term: str) -> tuple[int, str]:
    return (len(term), term)


def _inverse(terms: Mapping[str, Term]) -> dict[Iri, str]:
    """IRI to the shortest of its terms, then the first in the alphabet (JSON-LD 1.1 API, 4.3)."""
    inverse: dict[Iri, str] = {}
    for name in sorted(terms, key=_shortest):
        term = terms[name]
        if not term.obstacle and not term.iri.startswith("@"):
            inverse.setdefault(term.iri, name)
    return inverse


def _prefixes(terms: Mapping[str, Term]) -> Sequence[tuple[str, Iri]]:
    return [
        (name, term.iri)
        for name, term in terms.items()
        if term.is_prefix and not term.obstacle and ":" not in name and not term.iri.startswith("@")
    ]


def _key(terms: Terms) -> str:
    content = [terms.vocabulary, sorted((name, *msgspec.structs.astuple(term)) for name, term in terms.terms.items())]
    return hashlib.blake2b(msgspec.json.encode(content), digest_size=16).hexdigest()
