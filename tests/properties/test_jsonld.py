"""Laws of names, parsing and rendering, for any input."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyld import jsonld

from parvis.broker.jsonld.attribute import ENTITY, FRAGMENT, PATCH, Reading
from parvis.broker.jsonld.context import Context
from parvis.broker.jsonld.contexts import CORE_FILE, CORE_URL, Contexts, packaged
from parvis.broker.jsonld.parse import decode, decode_batch, parse_attribute, parse_entity, parse_fragment
from parvis.broker.jsonld.render import Form, Representation, render_entity
from parvis.broker.model.entity import Entity, in_order
from parvis.kernel.errors import ParvisError
from tests.strategies import entities

CONTEXTS = Contexts()
CORE = msgspec.json.decode(packaged(CORE_FILE))

_NAMES = ["level", "state", "Bin", "ex", "deep", "location", "status", "value2"]
_IRIS = ["https://example.org/vocab#", "https://example.org/a/", "ex:level", "deep:er", "https://example.org/a/level"]


def _definition(iri: str) -> st.SearchStrategy[Any]:
    return st.sampled_from([iri, {"@id": iri}, {"@id": iri, "@type": "@id"}, {"@id": iri, "@container": "@set"}])


flat_contexts = st.dictionaries(st.sampled_from(_NAMES), st.sampled_from(_IRIS).flatmap(_definition), max_size=5)
asked_names = st.sampled_from([*_NAMES, "other", "ex:own", "deep:own", "urn:a:b", "https://example.org/vocab#x"])


def _load(url: str, _: Any) -> dict[str, Any]:
    assert url == CORE_URL
    return {"contentType": "application/ld+json", "contextUrl": None, "documentUrl": url, "document": CORE}


async def _context(local: dict[str, Any]) -> Context:
    return await CONTEXTS.resolve(local)


@settings(max_examples=40, deadline=None)
@given(flat_contexts, asked_names)
async def test_names_expand_as_the_reference_processor_expands_them(local: dict[str, Any], name: str) -> None:
    document = {"@context": [local, CORE_URL], name: {"@value": 1}}
    try:
        expected = list(jsonld.expand(document, {"documentLoader": _load})[0])
    except jsonld.JsonLdError:
        with pytest.raises(ParvisError):
            await _context(local)
        return
    assert [(await _context(local)).expand(name)] == expected


@settings(max_examples=40, deadline=None)
@given(flat_contexts, asked_names)
async def test_a_compacted_name_expands_to_the_same_iri(local: dict[str, Any], name: str) -> None:
    try:
        context = await _context(local)
    except ParvisError:
        return
    iri = context.expand(name)
    assert context.expand(context.compact(iri)) == iri


@settings(max_examples=40, deadline=None)
@given(
    st.dictionaries(st.sampled_from(_NAMES), st.sampled_from(_IRIS[:2] + _IRIS[4:]), max_size=5),
    st.sampled_from(
        ["https://example.org/vocab#x", "https://example.org/a/level", "https://example.org/a/x", "urn:a:b"]
    ),
)
async def test_iris_compact_as_the_reference_processor_compacts_them(local: dict[str, Any], iri: str) -> None:
    compacted = jsonld.compact({iri: [{"@value": 1}]}, [local, CORE_URL], {"documentLoader": _load})
    (name,) = [key for key in compacted if key != "@context"]
    assert (await _context(local)).compact(iri) == name


@pytest.mark.parametrize("form", [Form.NORMALIZED, Form.CONCISE])
@settings(max_examples=150, deadline=None)
@given(entity=entities())
def test_what_is_rendered_reads_back_as_the_same_entity(form: Form, entity: Entity) -> None:
    text = render_entity(entity, CONTEXTS.parvis, Representation(form=form))
    read = parse_entity(decode(text), CONTEXTS.parvis)
    bare = [msgspec.structs.replace(one, created_at=0, modified_at=0) for one in entity.instances]
    assert (read.id, read.types, read.scopes or ()) == (entity.id, entity.types, entity.scopes)
    assert in_order(read.instances) == tuple(bare)


@settings(max_examples=60, deadline=None)
@given(entities())
def test_the_simplified_form_has_the_name_of_every_attribute(entity: Entity) -> None:
    simplified = decode(render_entity(entity, CONTEXTS.parvis, Representation(form=Form.SIMPLIFIED)))
    names = {CONTEXTS.parvis.compact(one.name) for one in entity.instances}
    assert simplified.keys() - {"id", "type", "scope"} == names


_MEMBERS = [
    "id",
    "type",
    "scope",
    "value",
    "object",
    "languageMap",
    "vocab",
    "json",
    "valueList",
    "objectList",
    "datasetId",
    "observedAt",
    "unitCode",
    "level",
    "location",
    "@context",
    "coordinates",
    "dataset",
    "objectType",
    "expiresAt",
    "urn:ngsi-ld:null",
]
_WORDS = [
    "urn:ngsi-ld:null",
    "urn:a:b",
    "Property",
    "GeoProperty",
    "Relationship",
    "LanguageProperty",
    "VocabProperty",
    "JsonProperty",
    "ListProperty",
    "ListRelationship",
    "Point",
    "Polygon",
    "2026-01-01T00:00:00Z",
    "@none",
]
_KEYS = st.one_of(
    st.sampled_from(
        [
            "id",
            "type",
            "scope",
            "value",
            "object",
            "languageMap",
            "vocab",
            "json",
            "valueList",
            "objectList",
            "datasetId",
            "observedAt",
            "unitCode",
            "level",
            "location",
            "@context",
            "coordinates",
            "dataset",
            "objectType",
            "expiresAt",
            "urn:ngsi-ld:null",
        ]
    ),
    st.text(max_size=4),
)
_LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=5),
    st.sampled_from(
        [
            "urn:ngsi-ld:null",
            "urn:a:b",
            "Property",
            "GeoProperty",
            "Relationship",
            "LanguageProperty",
            "VocabProperty",
            "JsonProperty",
            "ListProperty",
            "ListRelationship",
            "Point",
            "Polygon",
            "2026-01-01T00:00:00Z",
            "@none",
        ]
    ),
)
anything: st.SearchStrategy[Any] = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(_KEYS, inner, max_size=5)),
    max_leaves=20,
)
readings = st.sampled_from([ENTITY, FRAGMENT, PATCH, Reading(simplified=True), Reading(True, True, True)])


@settings(max_examples=400, deadline=None)
@given(st.dictionaries(_KEYS, anything, max_size=5), readings)
def test_any_json_is_read_or_refused_with_a_reason(body: dict[str, Any], reading: Reading) -> None:
    body = {"id": "urn:ngsi-ld:Bin:1", "type": "Bin", **body}
    reads: tuple[Callable[[], object], ...] = (
        lambda: parse_entity(body, CONTEXTS.parvis, reading),
        lambda: parse_fragment(body, "urn:ngsi-ld:Bin:1", CONTEXTS.parvis, reading),
        lambda: parse_attribute("level", body, "urn:ngsi-ld:Bin:1", CONTEXTS.parvis, reading),
    )
    for read in reads:
        try:
            read()
        except ParvisError as refusal:
            assert refusal.detail  # noqa: PT017 -- either outcome is right


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(_KEYS, anything, max_size=5))
def test_what_was_read_can_be_rendered_in_every_form(body: dict[str, Any]) -> None:
    try:
        read = parse_entity({**body, "id": "urn:ngsi-ld:Bin:1", "type": "Bin"}, CONTEXTS.parvis)
    except ParvisError:
        return
    for form in Form:
        entity = Entity(read.id, read.types or (), in_order(read.instances), read.scopes or ())
        decode(render_entity(entity, CONTEXTS.parvis, Representation(form=form, sys_attrs=True, lang=("fr",))))


@settings(max_examples=100, deadline=None)
@given(st.one_of(st.binary(max_size=40), anything.map(msgspec.json.encode)))
def test_any_bytes_are_a_batch_or_refused(raw: bytes) -> None:
    try:
        for document in decode_batch(raw):
            parse_entity(document, CONTEXTS.parvis)
    except ParvisError as refusal:
        assert refusal.status == 400  # noqa: PT017 -- either outcome is right


@settings(max_examples=40, deadline=None)
@given(
    st.dictionaries(st.sampled_from(_NAMES), st.sampled_from(["https://example.org/vocab#", *_IRIS[1:2]]), max_size=4),
    st.lists(
        st.sampled_from(["level", "state", "Bin", "deep", "value2", "other"]), min_size=1, max_size=4, unique=True
    ),
)
async def test_what_is_told_as_json_ld_expands_to_the_names_that_are_held(
    local: dict[str, str], names: list[str]
) -> None:
    """By the reference processor: prefixes of the context, its terms and those of nobody (5.5.7, 6.3.5)."""
    value = {term: f"{iri}{term}" for term, iri in local.items()}
    context = await _context(value)
    document = {name: {"type": "Property", "value": 1, "by": {"type": "Property", "value": 2}} for name in names}
    read = parse_entity({"id": "urn:ngsi-ld:Bin:1", "type": "Bin", **document}, context)
    entity = Entity(read.id, read.types or (), in_order(read.instances))
    told = decode(render_entity(entity, context, Representation()))
    [expanded] = jsonld.expand({"@context": [value, CORE_URL], **told}, {"documentLoader": _load})
    assert expanded.keys() - {"@id", "@type"} == {one.name for one in entity.instances}
    assert expanded["@type"] == list(entity.types)
    subs = {name for one in entity.instances for name in one.extra or {}}
    assert all(subs <= one.keys() for name in expanded.keys() - {"@id", "@type"} for one in expanded[name])
