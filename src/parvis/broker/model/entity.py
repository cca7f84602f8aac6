"""The NGSI-LD information model with expanded names (NGSI-LD 1.9.1, 4.2 and 4.5)."""

from collections.abc import Iterable, Mapping
from enum import IntEnum
from typing import Any, Final

import msgspec

from parvis.kernel.time import Instant

Iri = str
Json = Any
AttributeKey = tuple[Iri, str]
"""(attribute name, datasetId or "" for the default instance)."""


SCOPE: Final[Iri] = "https://uri.etsi.org/ngsi-ld/scope"
"""By which the scopes of an entity are named where attributes are (4.18)."""


class Kind(IntEnum):
    """The attribute kinds (4.5.2 to 4.5.24). Numbers are stored: never reuse one."""

    PROPERTY = 1
    GEO_PROPERTY = 2
    RELATIONSHIP = 3
    LANGUAGE_PROPERTY = 4
    VOCAB_PROPERTY = 5
    JSON_PROPERTY = 6
    LIST_PROPERTY = 7
    LIST_RELATIONSHIP = 8


TYPE_NAMES: Mapping[Kind, str] = {
    Kind.PROPERTY: "Property",
    Kind.GEO_PROPERTY: "GeoProperty",
    Kind.RELATIONSHIP: "Relationship",
    Kind.LANGUAGE_PROPERTY: "LanguageProperty",
    Kind.VOCAB_PROPERTY: "VocabProperty",
    Kind.JSON_PROPERTY: "JsonProperty",
    Kind.LIST_PROPERTY: "ListProperty",
    Kind.LIST_RELATIONSHIP: "ListRelationship",
}
LINKS = frozenset({Kind.RELATIONSHIP, Kind.LIST_RELATIONSHIP})
"""What leads to other entities."""
VALUE_MEMBERS: Mapping[Kind, str] = {
    Kind.PROPERTY: "value",
    Kind.GEO_PROPERTY: "value",
    Kind.RELATIONSHIP: "object",
    Kind.LANGUAGE_PROPERTY: "languageMap",
    Kind.VOCAB_PROPERTY: "vocab",
    Kind.JSON_PROPERTY: "json",
    Kind.LIST_PROPERTY: "valueList",
    Kind.LIST_RELATIONSHIP: "objectList",
}


INSTANCE_NUMBER: Final = "instanceId"
"""In `Instance.extra`: the number that a corrected instance had at first, and by which it is known outside."""


class Instance(msgspec.Struct, frozen=True):
    """One instance of an attribute.

    `value` is the kind's value member: any JSON for a Property, a GeoJSON geometry for a GeoProperty, a URI or a list
    of URIs for a Relationship, an expanded IRI (or a list) for a VocabProperty.
    `extra` holds what is left, normalized, or None: sub-attributes under their expanded IRI, and the core members that
    have no field here (`objectType`, `valueType`, `expiresAt`) under their core term.
    `created_at`, `modified_at` and `seq` are the store's; 0 until stored. `seq` numbers the stored instances.
    """

    name: Iri
    kind: Kind
    value: Json
    dataset: str = ""
    observed_at: Instant | None = None
    unit_code: str = ""
    extra: dict[str, Json] | None = None
    created_at: Instant = 0
    modified_at: Instant = 0
    seq: int = 0

    @property
    def key(self) -> AttributeKey:
        return (self.name, self.dataset)

    @property
    def seen_at(self) -> Instant:
        """When it was observed, else when it was recorded."""
        return self.modified_at if self.observed_at is None else self.observed_at


class Entity(msgspec.Struct):
    """An entity as it stands; `instances` ordered by name, then datasetId. Do not change one in place.

    `expires_at` is when it is over (4.22); `due` when the first part of it is, or it itself: None where nothing will
    be. It may be too early, never too late. `rendered` is a place for bytes that a reader made of this very entity and
    may use again.
    """

    id: str
    types: tuple[Iri, ...]
    instances: tuple[Instance, ...]
    scopes: tuple[str, ...] = ()
    created_at: Instant = 0
    modified_at: Instant = 0
    expires_at: Instant | None = None
    due: Instant | None = None
    rendered: dict[object, bytes] = msgspec.field(default_factory=dict)

    def find(self, name: Iri, dataset: str = "") -> Instance | None:
        return next((one for one in self.instances if one.name == name and one.dataset == dataset), None)


def number_of(instance: Instance) -> int:
    """By which it is known outside (instanceId)."""
    number: int = (instance.extra or {}).get(INSTANCE_NUMBER, instance.seq)
    return number


def in_order(instances: Iterable[Instance]) -> tuple[Instance, ...]:
    return tuple(sorted(instances, key=lambda one: (one.name, one.dataset)))
