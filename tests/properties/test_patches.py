"""Laws of merging and of the two ways to write an entity down (NGSI-LD 1.9.1, 4.5.2, 5.5.12, 5.6.17)."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from parvis.broker.api.writing import change_of
from parvis.broker.jsonld.attribute import MERGE
from parvis.broker.jsonld.contexts import Contexts
from parvis.broker.jsonld.parse import decode, parse_entity, parse_fragment
from parvis.broker.jsonld.render import Form, Representation, render_entity
from parvis.broker.model.change import Mode, Status
from parvis.broker.model.entity import Entity, in_order
from parvis.broker.model.merge import json_merge, resolve
from tests.strategies import entities

CONTEXT = Contexts().parvis
BIN = "urn:ngsi-ld:Bin:1"
NULL = "urn:ngsi-ld:null"
NOW = 1_767_229_200_000_000

_names = st.sampled_from(["a", "b", "c"])
_leaves = st.one_of(
    st.integers(-2, 2), st.booleans(), st.sampled_from(["", "x"]), st.lists(st.integers(0, 1), max_size=2)
)
documents = st.recursive(_leaves, lambda inner: st.dictionaries(_names, inner, max_size=3), max_leaves=8)
objects = st.dictionaries(_names, documents, max_size=3)
patches = st.recursive(
    st.one_of(_leaves, st.just(NULL)), lambda inner: st.dictionaries(_names, inner, max_size=3), max_leaves=8
)


def by_the_rfc(target: Any, patch: Any) -> Any:
    """The procedure of RFC 7396, 2, word by word."""
    if not isinstance(patch, dict):
        return patch
    target = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value == NULL:
            target.pop(name, None)
        else:
            target[name] = by_the_rfc(target.get(name), value)
    return target


def difference(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """The patch that leads from the one to the other."""
    patch: dict[str, Any] = dict.fromkeys(old.keys() - new.keys(), NULL)
    for name, value in new.items():
        before = old.get(name)
        if isinstance(value, dict) and isinstance(before, dict):
            patch[name] = difference(before, value)
        elif name not in old or before != value or type(before) is not type(value):
            patch[name] = value
    return patch


@given(objects, patches)
def test_merging_is_that_of_the_rfc(document: dict[str, Any], patch: Any) -> None:
    assert json_merge(document, patch) == by_the_rfc(document, patch)


@given(objects, patches)
def test_merging_twice_is_merging_once(document: dict[str, Any], patch: Any) -> None:
    once = json_merge(document, patch)
    assert json_merge(once, patch) == once


@given(objects, objects)
def test_there_is_a_patch_from_everything_to_everything(old: dict[str, Any], new: dict[str, Any]) -> None:
    assert json_merge(old, difference(old, new)) == new


@given(objects, patches)
def test_what_is_merged_is_left_as_it_was(document: dict[str, Any], patch: Any) -> None:
    before = (repr(document), repr(patch))
    json_merge(document, patch)
    assert (repr(document), repr(patch)) == before


_times = st.sampled_from(["2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"])
_values = st.one_of(
    st.integers(0, 2), st.sampled_from(["x", "y"]), st.dictionaries(_names, st.integers(0, 1), min_size=1)
)


def _property(value: st.SearchStrategy[Any], *, whole: bool) -> st.SearchStrategy[dict[str, Any]]:
    """With a patch, members may be left out or set to null."""
    unsaid = st.just(NULL) if not whole else st.nothing()
    members = {
        "observedAt": st.one_of(_times, unsaid),
        "unitCode": st.one_of(st.sampled_from(["CEL", "P1"]), unsaid),
        "by": st.one_of(st.fixed_dictionaries({"type": st.just("Property"), "value": st.integers(0, 2)}), unsaid),
    }
    required = {"type": st.just("Property"), "value": value}
    if whole:
        return st.fixed_dictionaries(required, optional=members)
    return st.fixed_dictionaries({"type": required["type"]}, optional={**members, "value": value})


_attributes = st.sampled_from(["level", "state", "note"])
held_documents = st.dictionaries(_attributes, _property(_values, whole=True), min_size=1)
fragments = st.dictionaries(
    _attributes,
    _property(st.one_of(_values, st.dictionaries(_names, st.just(NULL), min_size=1)), whole=False),
    min_size=1,
)


def _entity(document: dict[str, Any]) -> Entity:
    parsed = parse_entity({"id": BIN, "type": "Bin", **document}, CONTEXT)
    return Entity(parsed.id, parsed.types or (), in_order(parsed.instances), parsed.scopes or ())


def _document(entity: Entity, form: Form = Form.NORMALIZED) -> dict[str, Any]:
    document: dict[str, Any] = decode(render_entity(entity, CONTEXT, Representation(form=form)))
    return document


@settings(deadline=None)
@given(held_documents, fragments)
def test_merging_an_entity_is_merging_its_document(document: dict[str, Any], fragment: dict[str, Any]) -> None:
    """For attributes that are there: what is new needs a value."""
    fragment = {name: patch for name, patch in fragment.items() if name in document}
    change = change_of(parse_fragment(fragment, BIN, CONTEXT, MERGE), Mode.MERGE)
    resolution = resolve(_entity(document), change, NOW)
    assert resolution.outcome.status is not Status.FAILED
    assert resolution.entity is not None
    expected = {"id": BIN, "type": "Bin", **by_the_rfc(document, fragment)}
    assert _document(resolution.entity) == expected


@settings(deadline=None)
@given(entities())
def test_normalized_to_concise_and_back_is_the_same_text(entity: Entity) -> None:
    normalized = _document(entity)
    concise = _document(entity, Form.CONCISE)
    read = parse_entity(concise, CONTEXT)
    again = Entity(read.id, read.types or (), in_order(read.instances), read.scopes or ())
    assert _document(again) == normalized
    assert _document(again, Form.CONCISE) == concise
