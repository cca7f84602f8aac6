"""Reading entities: what each form means, and what is refused in which words."""

from typing import Any

import pytest
from msgspec import UNSET

from parvis.broker.jsonld.attribute import ENTITY, FRAGMENT, MERGE, PATCH, Reading
from parvis.broker.jsonld.contexts import Contexts
from parvis.broker.jsonld.parse import (
    ParsedEntity,
    decode,
    decode_batch,
    parse_attribute,
    parse_entity,
    parse_fragment,
)
from parvis.broker.model.entity import Instance, Kind
from parvis.broker.model.merge import NULL
from parvis.kernel.errors import BadRequestData, InvalidRequest, ParvisError
from parvis.kernel.time import parse_instant

CONTEXT = Contexts().core
VOCABULARY = "https://uri.etsi.org/ngsi-ld/default-context/"
NOON = "2026-05-01T12:00:00Z"
HALL = "urn:ngsi-ld:Building:hall"
SIMPLIFIED = Reading(simplified=True)


def read(attributes: dict[str, Any], reading: Reading = ENTITY) -> ParsedEntity:
    return parse_entity({"id": HALL, "type": "Building", **attributes}, CONTEXT, reading)


def read_one(body: Any, reading: Reading = ENTITY) -> Instance:
    (instance,) = read({"level": body}, reading).instances
    return instance


def test_a_measurement_becomes_an_instance_with_expanded_name() -> None:
    instance = read_one({"type": "Property", "value": 21.5, "observedAt": NOON, "unitCode": "CEL"})
    assert instance == Instance(VOCABULARY + "level", Kind.PROPERTY, 21.5, "", parse_instant(NOON), "CEL")


def test_an_entity_has_its_types_and_scopes() -> None:
    parsed = parse_entity({"id": HALL, "type": ["Building", "Room"], "scope": ["/a/b", "c"]}, CONTEXT)
    assert parsed.types == (VOCABULARY + "Building", VOCABULARY + "Room")
    assert parsed.scopes == ("/a/b", "/c")


@pytest.mark.parametrize(
    ("body", "kind", "value"),
    [
        ({"type": "Property", "value": {"a": [1, True]}}, Kind.PROPERTY, {"a": [1, True]}),
        ({"type": "Relationship", "object": "urn:a:b"}, Kind.RELATIONSHIP, "urn:a:b"),
        ({"type": "Relationship", "object": ["urn:a:b", "urn:a:c"]}, Kind.RELATIONSHIP, ["urn:a:b", "urn:a:c"]),
        ({"type": "LanguageProperty", "languageMap": {"fr": "pont"}}, Kind.LANGUAGE_PROPERTY, {"fr": "pont"}),
        ({"type": "VocabProperty", "vocab": "open"}, Kind.VOCAB_PROPERTY, VOCABULARY + "open"),
        ({"type": "VocabProperty", "vocab": ["open"]}, Kind.VOCAB_PROPERTY, [VOCABULARY + "open"]),
        ({"type": "JsonProperty", "json": {"type": 1}}, Kind.JSON_PROPERTY, {"type": 1}),
        ({"type": "ListProperty", "valueList": [1, "a"]}, Kind.LIST_PROPERTY, [1, "a"]),
        ({"type": "ListRelationship", "objectList": [{"object": "urn:a:b"}]}, Kind.LIST_RELATIONSHIP, ["urn:a:b"]),
        (
            {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [-3, 48]}},
            Kind.GEO_PROPERTY,
            {"type": "Point", "coordinates": [-3, 48]},
        ),
        (
            {"type": "GeoProperty", "value": '{"type":"Point","coordinates":[-3,48]}'},
            Kind.GEO_PROPERTY,
            {"type": "Point", "coordinates": [-3, 48]},
        ),
    ],
)
def test_every_kind_is_read_normalized_and_concise(body: dict[str, Any], kind: Kind, value: Any) -> None:
    normalized = read_one(body)
    assert (normalized.kind, normalized.value) == (kind, value)
    if not (kind is Kind.GEO_PROPERTY and isinstance(body["value"], str)):
        concise = read_one({member: part for member, part in body.items() if member != "type"})
        assert (concise.kind, concise.value) == (kind, value)


@pytest.mark.parametrize(
    ("body", "kind", "value"),
    [
        (21, Kind.PROPERTY, 21),
        ([1, 2], Kind.PROPERTY, [1, 2]),
        ([], Kind.PROPERTY, []),
        ({"street": "Quai"}, Kind.PROPERTY, {"street": "Quai"}),
        ({"type": "Point", "coordinates": [-3, 48]}, Kind.GEO_PROPERTY, {"type": "Point", "coordinates": [-3, 48]}),
    ],
)
def test_a_bare_value_is_a_property_or_a_place(body: Any, kind: Kind, value: Any) -> None:
    instance = read_one(body)
    assert (instance.kind, instance.value) == (kind, value)


@pytest.mark.parametrize(
    ("body", "kind", "value"),
    [
        ({"type": "Property", "value": 1}, Kind.PROPERTY, {"type": "Property", "value": 1}),
        ({"languageMap": {"fr": "pont"}}, Kind.LANGUAGE_PROPERTY, {"fr": "pont"}),
        ({"objectList": ["urn:a:b"]}, Kind.LIST_RELATIONSHIP, ["urn:a:b"]),
        ({"json": {"a": 1}}, Kind.JSON_PROPERTY, {"a": 1}),
        ({"type": "Point", "coordinates": [-3, 48]}, Kind.GEO_PROPERTY, {"type": "Point", "coordinates": [-3, 48]}),
    ],
)
def test_in_simplified_form_all_is_value(body: Any, kind: Kind, value: Any) -> None:
    instance = read_one(body, SIMPLIFIED)
    assert (instance.kind, instance.value) == (kind, value)


async def test_the_context_tells_relationships_in_simplified_form() -> None:
    context = await Contexts().resolve({"owner": {"@id": "https://example.org/owner", "@type": "@id"}})
    parsed = parse_entity({"id": HALL, "type": "Building", "owner": "urn:a:b"}, context, SIMPLIFIED)
    assert parsed.instances[0].kind is Kind.RELATIONSHIP


def test_instances_of_one_attribute_are_told_by_their_dataset() -> None:
    parsed = read({"level": [{"value": 1}, {"value": 2, "datasetId": "urn:a:b"}]})
    assert [(one.dataset, one.value) for one in parsed.instances] == [("", 1), ("urn:a:b", 2)]
    simplified = read({"level": {"dataset": {"@none": 1, "urn:a:b": 2}}}, SIMPLIFIED)
    assert simplified.instances == parsed.instances


def test_sub_attributes_are_held_normalized_under_expanded_names() -> None:
    instance = read_one(
        {
            "type": "Relationship",
            "object": "urn:a:b",
            "objectType": "Person",
            "since": {"value": 3, "unitCode": "ANN", "by": {"type": "VocabProperty", "vocab": "mayor"}},
            "place": {"type": "Point", "coordinates": [-3, 48]},
        }
    )
    assert instance.extra == {
        "objectType": VOCABULARY + "Person",
        VOCABULARY + "since": {
            "type": "Property",
            "value": 3,
            "unitCode": "ANN",
            VOCABULARY + "by": {"type": "VocabProperty", "vocab": VOCABULARY + "mayor"},
        },
        VOCABULARY + "place": {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [-3, 48]}},
    }


def test_what_only_the_platform_says_is_passed_over() -> None:
    parsed = read(
        {"createdAt": NOON, "level": {"type": "Property", "value": 1, "createdAt": NOON, "instanceId": "urn:a:b"}}
    )
    assert parsed.instances == (Instance(VOCABULARY + "level", Kind.PROPERTY, 1),)


_NESTED: Any = 1
for _ in range(40):
    _NESTED = [_NESTED]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (None, "level must not be null"),
        ({"type": "Property"}, 'needs the member "value"'),
        ({"type": "Property", "value": None}, "level must not be null"),
        ({"type": "Property", "value": NULL}, "only a patch or merge"),
        ({"type": "Property", "value": 2**70}, "64 bits"),
        ({"type": "Property", "value": _NESTED}, "nested deeper"),
        ({"type": "Porperty", "value": 1}, "'Porperty'"),
        ({"type": "Property", "value": 1, "observedAt": "2026-05-01"}, "level.observedAt must be"),
        ({"type": "Property", "value": 1, "observedAt": "2026-02-30T00:00:00Z"}, "level.observedAt must be"),
        ({"type": "Property", "value": 1, "observedAt": "2026-05-01T12:00:00"}, "level.observedAt must be"),
        ({"type": "Property", "value": 1, "observedAt": 5}, "level.observedAt must be"),
        ({"type": "Property", "value": 1, "observedAt": ["x"]}, "level.observedAt must be"),
        ({"type": "Property", "value": 1, "unitCode": 5}, "level.unitCode must be"),
        ({"type": "Property", "value": 1, "unitCode": ""}, "level.unitCode must be"),
        ({"type": "Property", "value": 1, "datasetId": "no uri"}, "level.datasetId must be a URI"),
        ({"type": "Property", "value": 1, "datasetId": NULL}, "level.datasetId cannot be taken away"),
        ({"type": "LanguageProperty", "languageMap": {"fr": "quai"}, "valueType": "xsd:string"}, "langString"),
        ({"type": "Property", "value": 1, "expiresAt": "soon"}, "level.expiresAt must be a UTC date-time"),
        ({"type": "Property", "value": 1, "object": "urn:a:b"}, 'stands in "value"'),
        ({"type": "Property", "value": 1, "sub": {"type": "Relationship", "object": "x"}}, "level.sub must be a URI"),
        ({"type": "Property", "value": 1, "sub": None}, "level.sub must not be null"),
        ({"type": "Relationship", "value": "urn:a:b"}, 'stands in "object"'),
        ({"type": "Relationship", "object": "hall"}, "must be a URI"),
        ({"type": "Relationship", "object": []}, "names no object"),
        ({"type": "LanguageProperty", "languageMap": {"fr": 1}}, "for each language"),
        ({"type": "LanguageProperty", "languageMap": {}}, "language tags"),
        ({"type": "VocabProperty", "vocab": 1}, "a term or a URI"),
        ({"type": "ListProperty", "valueList": 1}, "must be an array"),
        (
            {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [48.2, -190]}},
            "longitude (-180 to 180) comes",
        ),
        ({"type": "GeoProperty", "value": {"type": "Point", "coordinates": [1]}}, "[longitude, latitude]"),
        ({"type": "GeoProperty", "value": {"type": "Point", "coordinates": [True, 1]}}, "[longitude, latitude]"),
        ({"type": "GeoProperty", "value": {"type": "LineString", "coordinates": [[1, 1]]}}, "2 to"),
        (
            {"type": "GeoProperty", "value": {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 1]]]}},
            "not closed",
        ),
        ({"type": "GeoProperty", "value": {"type": "GeometryCollection", "geometries": []}}, "of type LineString"),
        ({"type": "GeoProperty", "value": "here"}, "not the JSON"),
        ([{"value": 1}, {"value": 2}], "same datasetId"),
        ([{"value": 1, "datasetId": "urn:a:b"}, {"value": 2, "datasetId": "urn:a:b"}], "same datasetId"),
    ],
)
def test_what_breaks_a_rule_is_refused_by_name(body: Any, words: str) -> None:
    with pytest.raises(BadRequestData) as refusal:
        read({"level": body})
    assert words in refusal.value.detail
    assert "level" in refusal.value.detail


@pytest.mark.parametrize(
    "entity",
    [
        [],
        {},
        {"type": "Building"},
        {"id": "hall", "type": "Building"},
        {"id": 5, "type": "Building"},
        {"id": "urn:with space:x", "type": "Building"},
        {"id": "urn:" + "x" * 2048, "type": "Building"},
        {"id": HALL},
        {"id": HALL, "type": None},
        {"id": HALL, "type": []},
        {"id": HALL, "type": [5]},
        {"id": HALL, "type": "a b"},
        {"id": HALL, "type": "Building", "a b": 1},
        {"id": HALL, "type": "Building", "scope": 5},
        {"id": HALL, "type": "Building", "scope": "/a//b"},
        {"id": HALL, "type": "Building", "level": 1, VOCABULARY + "level": 2},
    ],
)
def test_what_is_no_entity_is_refused(entity: Any) -> None:
    with pytest.raises(BadRequestData):
        parse_entity(entity, CONTEXT)


@pytest.mark.parametrize("raw", [b"", b"{", b'{"a":1e999}', b"\xff", b"[" * 100_000])
def test_what_is_no_json_cannot_be_understood(raw: bytes) -> None:
    with pytest.raises(InvalidRequest):
        decode(raw)


@pytest.mark.parametrize("raw", [b"{}", b"[]", b"[null]", b'[{"id":"urn:a:b","type":"T"},5]'])
def test_a_batch_is_an_array_with_entities(raw: bytes) -> None:
    with pytest.raises(BadRequestData):
        decode_batch(raw)


def test_a_fragment_needs_neither_id_nor_type() -> None:
    parsed = parse_fragment({"level": 1}, HALL, CONTEXT, FRAGMENT)
    assert (parsed.id, parsed.types, parsed.scopes) == (HALL, None, None)


def test_a_fragment_of_another_entity_is_refused() -> None:
    with pytest.raises(BadRequestData, match="leave the id out"):
        parse_fragment({"id": "urn:a:b", "level": 1}, HALL, CONTEXT, FRAGMENT)


@pytest.mark.parametrize(
    "body",
    [
        NULL,
        {"type": "Property", "value": NULL},
        {"value": NULL},
        {"type": "Relationship", "object": NULL},
        {"type": "LanguageProperty", "languageMap": {"@none": NULL}},
        {"type": "ListRelationship", "objectList": [NULL]},
    ],
)
def test_a_patch_removes_what_it_sets_to_null(body: Any) -> None:
    parsed = parse_fragment({"level": body}, HALL, CONTEXT, PATCH)
    assert parsed.instances == ()
    assert parsed.removals == ((VOCABULARY + "level", ""),)


def test_a_patch_removes_the_instance_of_a_dataset() -> None:
    parsed = parse_attribute("level", {"value": NULL, "datasetId": "urn:a:b"}, HALL, CONTEXT)
    assert parsed.removals == ((VOCABULARY + "level", "urn:a:b"),)


def test_a_patch_may_give_less_than_a_whole_attribute() -> None:
    parsed = parse_attribute("level", {"observedAt": NOON, "unitCode": NULL, "by": NULL}, HALL, CONTEXT)
    (instance,) = parsed.instances
    assert instance.value is UNSET
    assert instance.observed_at == parse_instant(NOON)
    assert instance.extra == {VOCABULARY + "by": NULL, "unitCode": NULL}
    assert parsed.is_kind_open


@pytest.mark.parametrize(
    ("body", "is_open"),
    [
        ({"type": "Property", "value": 2}, False),
        ({"object": "urn:a:b"}, False),
        ({"value": 2}, True),
        (2, True),
    ],
)
def test_the_kind_is_open_where_a_patch_does_not_tell_it(body: Any, is_open: bool) -> None:
    assert parse_fragment({"level": body}, HALL, CONTEXT, PATCH).is_kind_open is is_open


def test_a_patch_may_empty_the_scopes() -> None:
    assert parse_fragment({"scope": NULL}, HALL, CONTEXT, PATCH).scopes == ()


def test_a_simplified_patch_gives_the_value_alone() -> None:
    reading = Reading(simplified=True, partial=True, patch=True)
    assert parse_attribute("level", {"value": 3}, HALL, CONTEXT, reading).instances[0].value == 3
    assert parse_attribute("level", 3, HALL, CONTEXT, reading).instances[0].value == 3


def test_the_common_way_and_the_general_way_agree() -> None:
    plain = read_one({"type": "Property", "value": "x", "observedAt": NOON, "unitCode": "C62"})
    general = read_one({"value": "x", "observedAt": NOON, "unitCode": "C62"})
    assert plain == general


@pytest.mark.parametrize("depth", [9, 500])
def test_sub_attributes_have_a_bound(depth: int) -> None:
    body: dict[str, Any] = {"type": "Property", "value": 1}
    for _ in range(depth):
        body = {"type": "Property", "value": 1, "sub": body}
    with pytest.raises(ParvisError, match="deeper than 8"):
        read({"level": body})


@pytest.mark.parametrize(
    "members",
    [
        {"scope": "9bad"},
        {"scope": "a-b"},
        {"scope": ["/ok", "/a//b"]},
        {"scope": NULL},
        {"datasetId": {"type": "Property", "value": 1}},
        {"observedAt": {"type": "Property", "value": "2026-01-01T00:00:00Z"}},
        {"a": {"type": "JsonProperty", "json": {"a": 1}, "unitCode": "MTR"}},
        {"a": {"type": "JsonProperty", "json": 5}},
        {"a": {"type": "JsonProperty", "json": [{"a": 1}, 5]}},
        {"a": {"type": "Relationship", "object": "urn:a:b", "unitCode": "MTR"}},
        {"a": {"type": "Property", "value": 1, "previousValue": 0}},
        {"a": {"type": "Property", "value": 1, "entityIdSealed": "urn:a:b"}},
        {"a": {"type": "Property", "value": {"b": [{"c": NULL}]}}},
        {"a": {"type": "LanguageProperty", "languageMap": {"": "x"}}},
        {"location": {"type": "Property", "value": 7}},
        {"ngsildproof": {"type": "Property", "value": "no proof"}},
        {"ngsildproof": {"type": "Property", "value": {}, "entityTypeSealed": 42}},
        {"9lives": {"type": "Property", "value": 1}},
    ],
)
def test_what_the_information_model_does_not_know_is_refused(members: dict[str, Any]) -> None:
    with pytest.raises(BadRequestData):
        parse_entity({"id": "urn:a:b", "type": "Cat", **members}, CONTEXT)


@pytest.mark.parametrize(
    "hidden", ["\u202e", "\u200b", "\ufeff", "\u2028", "\u00a0", "\ufe0f", "\U000e0101", "\ufdd0", "\u3164"]
)
def test_an_identifier_holds_nothing_that_nobody_sees(hidden: str) -> None:
    with pytest.raises(BadRequestData):
        parse_entity({"id": f"urn:a:b{hidden}c", "type": "Cat"}, CONTEXT)


def test_only_a_merge_deletes_within_a_value() -> None:
    body = {"a": {"type": "Property", "value": {"b": NULL}}}
    assert parse_fragment(body, "urn:a:b", CONTEXT, MERGE).instances[0].value == {"b": NULL}
    with pytest.raises(BadRequestData):
        parse_fragment(body, "urn:a:b", CONTEXT, PATCH)


def test_a_proof_keeps_what_it_seals() -> None:
    proof = {"type": "Property", "value": {"proofValue": "z"}, "entityIdSealed": "urn:a:b", "entityTypeSealed": "Cat"}
    (read,) = parse_entity({"id": "urn:a:b", "type": "Cat", "ngsildproof": proof}, CONTEXT).instances
    assert read.extra == {"entityIdSealed": "urn:a:b", "entityTypeSealed": CONTEXT.expand("Cat")}
