"""Whatever stands in a registration, or in what a source answers: it is read, or refused with a reason."""

from contextlib import suppress
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from parvis.broker.jsonld.contexts import Contexts
from parvis.broker.sources.assemble import Piece, Rank, assemble, read_entities
from parvis.broker.sources.divide import divide
from parvis.broker.sources.documents import join_evolutions, join_kinds
from parvis.broker.sources.model import Operation, Registration
from parvis.broker.sources.parse import new_registration, read_patch
from parvis.broker.sources.render import render_registration
from parvis.kernel.errors import BadRequestData, OperationNotSupported, ParvisError
from parvis.kernel.identity import ADMINISTRATOR, DEFAULT_TENANT, Caller

CONTEXT = Contexts().core
CALLER = Caller(DEFAULT_TENANT, "anybody", ADMINISTRATOR)
NOW = 1_795_348_800_000_000
MEMBERS = (
    "endpoint",
    "information",
    "mode",
    "operations",
    "management",
    "contextSourceInfo",
    "observationInterval",
    "location",
    "scope",
    "datasetId",
    "expiresAt",
    "refreshRate",
    "tenant",
    "localOnly",
    "owner",
)
words = st.sampled_from(
    [
        "http://town.example",
        "exclusive",
        "redirect",
        "federationOps",
        "Bin",
        "urn:x:1",
        "startAt",
        "PT1H",
        "/a/b",
        "[",
        "",
    ]
)
leaves = st.none() | st.booleans() | st.integers(-2, 2**70) | st.floats() | words
names = st.sampled_from(
    ["entities", "type", "id", "idPattern", "propertyNames", "startAt", "endAt", "key", "value", "timeout", "createdAt"]
)
anything = st.recursive(
    leaves, lambda below: st.lists(below, max_size=3) | st.dictionaries(names, below, max_size=4), max_leaves=12
)
entities = st.lists(
    st.fixed_dictionaries({}, optional={"type": words, "id": words, "idPattern": words}), min_size=1, max_size=2
)
infos = st.lists(
    st.fixed_dictionaries(
        {"entities": entities}, optional={"propertyNames": st.lists(st.sampled_from(["a", "b"]), max_size=2)}
    ),
    min_size=1,
    max_size=2,
)
documents = st.builds(
    lambda base, more: {**base, **more},
    st.fixed_dictionaries(
        {"type": st.just("ContextSourceRegistration"), "endpoint": st.just("http://town.example"), "information": infos}
    ),
    st.dictionaries(st.sampled_from(MEMBERS), anything, max_size=3),
)


@settings(max_examples=300, deadline=None)
@given(documents)
def test_a_registration_is_refused_or_comes_back_as_it_is(document: dict[str, Any]) -> None:
    try:
        one = new_registration(document, CONTEXT, CALLER, NOW)
    except (BadRequestData, OperationNotSupported):
        return
    stored = msgspec.json.decode(msgspec.json.encode(one), type=Registration)
    assert stored == one
    shown = render_registration(stored, CONTEXT, secrets=True)
    again = read_patch(shown, CONTEXT).apply(Registration(one.tenant, one.id, ""), one.created_at)
    assert msgspec.structs.replace(again, modified_at=one.modified_at) == one


@settings(max_examples=200, deadline=None)
@given(st.lists(documents, max_size=3), st.sets(st.sampled_from(["a", "b", "c"])))
def test_no_attribute_is_lost_or_in_two_hands(registrations: list[dict[str, Any]], asked: set[str]) -> None:
    registered = []
    for document in registrations:
        with suppress(ParvisError):
            registered.append(new_registration(document, CONTEXT, CALLER, NOW))
    names_asked = tuple(sorted(CONTEXT.expand(name) for name in asked))
    division = divide(registered, "urn:x:1", None, names_asked, [Operation.CREATE_ENTITY])
    proxied = {name for share in division.shares if share.registration.mode.is_proxied for name in share.attrs}
    assert proxied.isdisjoint(division.left)
    assert proxied | set(division.left) == set(names_asked)
    assert not names_asked or division.is_elsewhere == (not division.left)


@settings(max_examples=300, deadline=None)
@given(anything, st.binary(max_size=20))
def test_an_answer_is_entities_or_refused(answer: Any, noise: bytes) -> None:
    entity = {"id": "urn:x:1", "type": "Bin", "level": answer, "createdAt": answer}
    for body in (noise, msgspec.json.encode(answer), msgspec.json.encode([entity])):
        with suppress(ParvisError):
            found = read_entities(body, CONTEXT)
            assert len(assemble(Piece(Rank.EQUAL, one) for one in [*found, *found])) == len({one.id for one in found})


@settings(max_examples=200, deadline=None)
@given(st.lists(anything, min_size=1, max_size=3))
def test_documents_of_any_shape_are_joined(some: list[Any]) -> None:
    join_kinds([{"id": "x", "typeList": []}, *some])
    join_kinds([[], *some])
    join_evolutions([{"id": "x", "level": []}, *some])
    join_evolutions([[], *some])
