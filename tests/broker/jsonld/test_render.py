"""Writing entities: each form, what is shown of it, and the frames around it."""

from typing import Any

import msgspec
import pytest

from parvis.broker.jsonld.contexts import CORE_URL, PARVIS_URL, Contexts
from parvis.broker.jsonld.parse import parse_entity
from parvis.broker.jsonld.render import (
    MAX_KEPT,
    Form,
    Representation,
    context_link,
    render_entity,
    render_feature,
    render_feature_collection,
    render_page,
    with_context,
)
from parvis.broker.model.entity import Entity, in_order
from parvis.kernel.time import SECOND, parse_instant

CONTEXT = Contexts().core
NOON = "2026-05-01T12:00:00Z"
VOCABULARY = "https://uri.etsi.org/ngsi-ld/default-context/"
HALL = {
    "id": "urn:ngsi-ld:Building:hall",
    "type": "Building",
    "level": {"type": "Property", "value": 21.5, "observedAt": NOON, "unitCode": "CEL"},
    "location": {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [-3.1, 48.2]}},
    "name": {"type": "LanguageProperty", "languageMap": {"fr": "mairie", "en": "town hall"}},
    "owner": {
        "type": "Relationship",
        "object": "urn:a:b",
        "since": {"type": "Property", "value": 3, "by": {"type": "VocabProperty", "vocab": "mayor"}},
    },
    "state": {"type": "VocabProperty", "vocab": "open"},
}


def entity(data: dict[str, Any]) -> Entity:
    parsed = parse_entity(data, CONTEXT)
    return Entity(
        parsed.id,
        parsed.types or (),
        in_order(parsed.instances),
        parsed.scopes or (),
        parse_instant(NOON),
        parse_instant(NOON) + SECOND // 2,
    )


def shown(data: dict[str, Any], representation: Representation) -> Any:
    return msgspec.json.decode(render_entity(entity(data), CONTEXT, representation))


def test_normalized_is_what_was_read() -> None:
    assert shown(HALL, Representation()) == HALL


def test_concise_leaves_out_what_the_value_tells() -> None:
    assert shown(HALL, Representation(form=Form.CONCISE)) == {
        "id": HALL["id"],
        "type": "Building",
        "level": {"value": 21.5, "observedAt": NOON, "unitCode": "CEL"},
        "location": {"type": "Point", "coordinates": [-3.1, 48.2]},
        "name": {"languageMap": {"fr": "mairie", "en": "town hall"}},
        "owner": {"object": "urn:a:b", "since": {"value": 3, "by": {"vocab": "mayor"}}},
        "state": {"vocab": "open"},
    }


def test_simplified_is_the_values() -> None:
    assert shown(HALL, Representation(form=Form.SIMPLIFIED)) == {
        "id": HALL["id"],
        "type": "Building",
        "level": 21.5,
        "location": {"type": "Point", "coordinates": [-3.1, 48.2]},
        "name": {"languageMap": {"fr": "mairie", "en": "town hall"}},
        "owner": "urn:a:b",
        "state": {"vocab": "open"},
    }


TWO = {"id": "urn:a:b", "type": "Bin", "level": [{"value": 1}, {"value": 2, "datasetId": "urn:d:1"}]}


@pytest.mark.parametrize(
    ("form", "level"),
    [
        (
            Form.NORMALIZED,
            [{"type": "Property", "value": 1}, {"type": "Property", "value": 2, "datasetId": "urn:d:1"}],
        ),
        (Form.CONCISE, [{"value": 1}, {"value": 2, "datasetId": "urn:d:1"}]),
        (Form.SIMPLIFIED, {"dataset": {"@none": 1, "urn:d:1": 2}}),
    ],
)
def test_several_instances_stand_together(form: Form, level: Any) -> None:
    assert shown(TWO, Representation(form=form))["level"] == level


def test_one_dataset_can_be_asked_for() -> None:
    only_default = shown(TWO, Representation(datasets=frozenset({"@none"})))
    only_other = shown(TWO, Representation(datasets=frozenset({"urn:d:1"}), form=Form.SIMPLIFIED))
    assert (only_default["level"], only_other["level"]) == ({"type": "Property", "value": 1}, 2)


def test_system_attributes_are_shown_on_demand() -> None:
    seen = shown({"id": "urn:a:b", "type": "Bin", "level": 1}, Representation(sys_attrs=True))
    assert (seen["createdAt"], seen["modifiedAt"]) == (NOON, "2026-05-01T12:00:00.5Z")
    assert seen["level"].keys() == {"type", "value", "createdAt", "modifiedAt"}


@pytest.mark.parametrize(
    ("representation", "members"),
    [
        (Representation(attrs=frozenset({VOCABULARY + "level"})), {"id", "type", "level"}),
        (Representation(pick=frozenset({"id", VOCABULARY + "level"})), {"id", "level"}),
        (
            Representation(omit=frozenset({"type", VOCABULARY + "level", VOCABULARY + "state"})),
            {"id", "location", "name", "owner"},
        ),
    ],
)
def test_only_what_is_asked_for_is_shown(representation: Representation, members: set[str]) -> None:
    assert shown(HALL, representation).keys() == members


@pytest.mark.parametrize(
    ("wishes", "text", "tag"),
    [
        (("en",), "town hall", "en"),
        (("de", "fr-FR"), "mairie", "fr"),
        (("de",), "mairie", "fr"),
        (("*",), "mairie", "fr"),
    ],
)
def test_a_language_map_is_told_in_the_language_asked_for(wishes: tuple[str, ...], text: str, tag: str) -> None:
    assert shown(HALL, Representation(lang=wishes))["name"] == {"type": "Property", "value": text, "lang": tag}
    assert shown(HALL, Representation(lang=wishes, form=Form.SIMPLIFIED))["name"] == text


def test_whole_renderings_are_kept_by_context_and_form() -> None:
    hall = entity(HALL)
    first = render_entity(hall, CONTEXT)
    assert render_entity(hall, CONTEXT) is first
    assert render_entity(hall, Contexts().parvis) != render_entity(hall, CONTEXT, Representation(form=Form.SIMPLIFIED))
    render_entity(hall, CONTEXT, Representation(attrs=frozenset({"x"})))
    assert len(hall.rendered) == 3


async def test_renderings_for_many_contexts_do_not_fill_the_memory() -> None:
    hall, contexts = entity(HALL), Contexts()
    for number in range(20):
        render_entity(hall, await contexts.resolve({"x": f"https://example.org/{number}"}))
    assert len(hall.rendered) <= MAX_KEPT


def test_names_are_compacted_by_the_reader_s_context() -> None:
    bin_ = parse_entity({"id": "urn:a:b", "type": "WasteContainer", "fillingLevel": 0.5}, Contexts().parvis)
    stored = Entity(bin_.id, bin_.types or (), bin_.instances)
    prefix = "https://smartdatamodels.org/dataModel.WasteManagement/"
    assert msgspec.json.decode(render_entity(stored, Contexts().parvis)).keys() == {"id", "type", "fillingLevel"}
    assert msgspec.json.decode(render_entity(stored, CONTEXT)).keys() == {"id", "type", prefix + "fillingLevel"}


def test_the_context_stands_in_the_body_or_in_a_link() -> None:
    body = with_context(b'{"id":"urn:a:b"}', Contexts().parvis)
    assert msgspec.json.decode(body) == {"id": "urn:a:b", "@context": PARVIS_URL}
    assert msgspec.json.decode(with_context(b"{}", CONTEXT)) == {"@context": CORE_URL}
    assert (context_link(CONTEXT) or "").startswith(f"<{CORE_URL}>; rel=")


async def test_a_context_that_is_no_url_has_no_link() -> None:
    assert context_link(await Contexts().resolve({"x": "https://example.org/x"})) is None


def test_a_page_is_an_array() -> None:
    assert render_page([b"{}", b"{}"]) == b"[{},{}]"
    assert render_page([]) == b"[]"


def test_a_feature_has_the_place_as_its_geometry() -> None:
    text = render_feature(entity(HALL), CONTEXT, Representation(form=Form.SIMPLIFIED))
    feature = msgspec.json.decode(text)
    assert feature["geometry"] == {"type": "Point", "coordinates": [-3.1, 48.2]}
    assert feature["type"] == "Feature"
    assert feature["properties"]["type"] == "Building"
    assert feature["properties"]["level"] == 21.5
    assert "id" not in feature["properties"]


def test_a_feature_without_a_place_has_no_geometry() -> None:
    feature = msgspec.json.decode(render_feature(entity({"id": "urn:a:b", "type": "Bin", "place": "here"}), CONTEXT))
    assert feature["geometry"] is None


def test_features_make_a_collection() -> None:
    assert msgspec.json.decode(render_feature_collection([b"{}"])) == {"type": "FeatureCollection", "features": [{}]}
