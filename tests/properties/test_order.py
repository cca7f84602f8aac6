"""Orders and their pages (NGSI-LD 1.9.1, 4.23), and projections (4.21)."""

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from parvis.broker.jsonld.contexts import Contexts
from parvis.broker.model.entity import Entity
from parvis.broker.query.collation import find_collation
from parvis.broker.query.order import ENTITY_MEMBERS, Key, is_key, page_in_order, parse_order
from parvis.broker.query.projection import parse_projection
from parvis.broker.query.tree import EntityQuery, OrderTerm, Path
from parvis.kernel.errors import ParvisError
from tests.strategies import PLACE, entities, paths, points

CONTEXT = Contexts().core
_SIGNS = st.text(alphabet='ab.[]{},|;" :-descit', max_size=30)

order_terms = st.one_of(
    st.builds(OrderTerm, st.one_of(paths(), st.sampled_from(ENTITY_MEMBERS).map(Path)), st.booleans()),
    st.builds(OrderTerm, st.just(Path(PLACE)), st.booleans(), points),
)
queries = st.builds(
    EntityQuery,
    order=st.lists(order_terms, min_size=1, max_size=3).map(tuple),
    limit=st.integers(1, 3),
    collation=st.sampled_from([None, "und", "de-u-co-phonebk"]),
)


@settings(max_examples=80, deadline=None)
@given(st.lists(entities(), max_size=6), queries)
def test_pages_together_are_everybody_once_and_in_order(held: list[Entity], query: EntityQuery) -> None:
    numbered = [(number, replace(one, id=f"urn:ngsi-ld:Bin:{number}")) for number, one in enumerate(held, 1)]
    whole = [one.id for one in page_in_order(numbered, replace(query, limit=100)).entities]
    told: list[str] = []
    page = page_in_order(numbered, query)
    while True:
        told += [one.id for one in page.entities]
        if page.resume is None:
            break
        key = msgspec.json.decode(msgspec.json.encode(page.resume_key), type=Key)
        assert is_key(key, query)
        page = page_in_order(numbered, replace(query, after=page.resume, after_key=key))
    assert told == whole
    assert sorted(told) == sorted(one.id for _, one in numbered)


@settings(max_examples=80, deadline=None)
@given(st.lists(entities(), max_size=5), queries, st.randoms())
def test_an_order_rests_on_nothing_but_what_it_names(held: list[Entity], query: EntityQuery, chance: object) -> None:
    numbered = [(number, replace(one, id=f"urn:ngsi-ld:Bin:{number}")) for number, one in enumerate(held, 1)]
    shuffled = sorted(numbered, key=lambda one: hash((one[0], str(chance))))
    everyone = replace(query, limit=100)
    assert page_in_order(shuffled, everyone).entities == page_in_order(numbered, everyone).entities


@settings(max_examples=120, deadline=None)
@given(_SIGNS)
def test_any_text_is_a_projection_or_refused(text: str) -> None:
    for parse in (
        lambda: parse_projection(text, "pick", CONTEXT),
        lambda: parse_order(text, None, None, None, CONTEXT),
        lambda: parse_order("location;dist-asc", text, None, None, CONTEXT),
        lambda: find_collation(text),
    ):
        try:
            parse()
        except ParvisError as refusal:
            assert refusal.status in (400, 403)  # noqa: PT017 -- either outcome is right


@settings(max_examples=120, deadline=None)
@given(st.text(max_size=8), st.text(max_size=8), st.sampled_from(["und", "fr-u-ks-level1", "de-u-co-phonebk"]))
def test_a_collation_orders_any_texts(one: str, other: str, tag: str) -> None:
    key = find_collation(tag)
    assert (key(one) < key(other)) + (key(one) == key(other)) + (key(one) > key(other)) == 1
