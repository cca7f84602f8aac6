"""What every store does with the present."""

import msgspec
import pytest

from parvis.broker.bounds import Bounds
from parvis.broker.model.change import ALL_DATASETS, Change, Mode, Status
from parvis.broker.model.entity import SCOPE, Instance, Kind
from parvis.broker.model.merge import NULL
from parvis.broker.ports.store import Store
from parvis.broker.query.tree import (
    AllTypes,
    And,
    AnyType,
    Compare,
    EntityQuery,
    Exists,
    GeoQuery,
    GeoRelation,
    Missing,
    OneOf,
    Operator,
    Or,
    Path,
    Range,
    ScopeQuery,
    TypeIs,
)
from parvis.kernel.errors import AlreadyExists, BadRequestData, Forbidden, NonexistentTenant, ResourceNotFound
from parvis.kernel.identity import OPERATOR, Caller
from parvis.kernel.reach import Hidden, local_name
from tests.contract.territory import (
    BIN,
    LAMP,
    LEVEL,
    NOON,
    NOTE,
    PLACE,
    STREET,
    TENANT,
    Ticking,
    bin_,
    bin_id,
    level,
    note,
    place,
)


async def ids(store: Store, **query: object) -> list[str]:
    page = await store.query(TENANT, EntityQuery(**query))  # type: ignore[arg-type]
    return [entity.id for entity in page.entities]


async def test_what_is_written_is_read_back_with_its_kind_and_metadata(store: Store, clock: Ticking) -> None:
    written = (
        level(62, NOON, extra={"https://example.org/accuracy": {"type": "Property", "value": 2}}),
        note("full of leaves"),
        place(-3.3, 47.7),
        Instance(STREET, Kind.RELATIONSHIP, "urn:ngsi-ld:Street:quai"),
        Instance(NOTE, Kind.LANGUAGE_PROPERTY, {"fr": "plein", "en": "full"}, dataset="urn:ngsi-ld:Dataset:label"),
    )
    [outcome] = await store.write(TENANT, [bin_(1, *written, scopes=("/port",))])

    entity = await store.find(TENANT, bin_id(1))

    assert outcome.status is Status.CREATED
    assert entity is not None
    assert (entity.types, entity.scopes, entity.created_at) == ((BIN,), ("/port",), clock.now)
    stamped = {msgspec.structs.replace(one, created_at=clock.now, modified_at=clock.now).key for one in written}
    assert {one.key for one in entity.instances} == stamped
    for one in written:
        found = entity.find(*one.key)
        assert found == msgspec.structs.replace(one, created_at=clock.now, modified_at=clock.now)


@pytest.mark.parametrize(
    "value",
    [
        0,
        1,
        -7,
        2**53 + 1,
        2**70,
        0.1,
        5.0,
        1e300,
        "",
        "62",
        "é ☂",
        True,
        False,
        [1, "a", None],
        {"a": {"b": [1.5]}},
        [],
    ],
    ids=repr,
)
async def test_values_keep_their_json_type(store: Store, value: object) -> None:
    await store.write(TENANT, [bin_(1, note(value))])

    entity = await store.find(TENANT, bin_id(1))

    assert entity is not None
    found = entity.find(NOTE)
    assert found is not None
    assert found.value == value
    assert type(found.value) is type(value)


async def test_creating_twice_is_refused_and_changes_nothing(store: Store) -> None:
    first = bin_(1, level(10), mode=Mode.CREATE)
    again = bin_(1, level(99), mode=Mode.CREATE)

    created, refused = await store.write(TENANT, [first, again])

    assert created.status is Status.CREATED
    assert isinstance(refused.error, AlreadyExists)
    assert await level_of(store, 1) == 10


async def test_a_new_entity_needs_a_type(store: Store) -> None:
    [outcome] = await store.write(TENANT, [Change(bin_id(1), Mode.UPSERT_UPDATE, (level(1),))])

    assert isinstance(outcome.error, BadRequestData)
    assert await store.find(TENANT, bin_id(1)) is None


@pytest.mark.parametrize(
    "mode", [Mode.APPEND, Mode.APPEND_NEW, Mode.UPDATE, Mode.REPLACE, Mode.MERGE, Mode.PATCH_ATTRIBUTE, Mode.DELETE]
)
async def test_only_what_exists_can_be_changed(store: Store, mode: Mode) -> None:
    [outcome] = await store.write(TENANT, [bin_(1, level(1), mode=mode)])

    assert outcome.status is Status.FAILED
    assert isinstance(outcome.error, ResourceNotFound)


async def test_one_failure_leaves_the_others_standing(store: Store) -> None:
    outcomes = await store.write(TENANT, [bin_(1, level(1)), bin_(2, mode=Mode.DELETE), bin_(3, level(3))])

    assert [one.status for one in outcomes] == [Status.CREATED, Status.FAILED, Status.CREATED]
    assert await ids(store, types=TypeIs(BIN)) == [bin_id(1), bin_id(3)]


async def test_an_update_leaves_other_attributes_alone_and_keeps_the_birth(store: Store, clock: Ticking) -> None:
    await store.write(TENANT, [bin_(1, level(10), note("old"))])
    born = clock.now
    [outcome] = await store.write(TENANT, [bin_(1, level(20))])

    entity = await store.find(TENANT, bin_id(1))

    assert outcome.status is Status.UPDATED
    assert entity is not None
    changed, kept = entity.find(LEVEL), entity.find(NOTE)
    assert changed is not None
    assert kept is not None
    assert (changed.value, changed.created_at, changed.modified_at) == (20, born, clock.now)
    assert (kept.value, kept.modified_at) == ("old", born)
    assert (entity.created_at, entity.modified_at) == (born, clock.now)


async def test_types_are_added_never_lost_by_an_update(store: Store) -> None:
    await store.write(TENANT, [bin_(1, level(1))])
    await store.write(TENANT, [bin_(1, types=(LAMP,))])

    assert await ids(store, types=AllTypes((TypeIs(BIN), TypeIs(LAMP)))) == [bin_id(1)]
    assert await store.count_types(TENANT) == {BIN: 1, LAMP: 1}


async def test_replacing_takes_away_what_is_not_given(store: Store) -> None:
    await store.write(TENANT, [bin_(1, level(10), note("old"))])
    await store.write(TENANT, [bin_(1, level(11), mode=Mode.UPSERT_REPLACE)])

    entity = await store.find(TENANT, bin_id(1))

    assert entity is not None
    assert [(one.name, one.value) for one in entity.instances] == [(LEVEL, 11)]


async def test_no_overwrite_tells_what_it_ignored(store: Store) -> None:
    await store.write(TENANT, [bin_(1, level(10))])
    [outcome] = await store.write(TENANT, [bin_(1, level(99), note("new"), mode=Mode.APPEND_NEW)])

    assert outcome.ignored == (LEVEL,)
    assert await level_of(store, 1) == 10


async def test_an_update_gives_no_scope_to_what_has_none(store: Store) -> None:
    await store.write(TENANT, [bin_(1, level(10)), bin_(2, level(10), scopes=("/Port",))])
    outcomes = await store.write(
        TENANT, [bin_(n, level(11), note("new"), mode=Mode.UPDATE, scopes=("/Quay",)) for n in (1, 2)]
    )

    assert [one.ignored for one in outcomes] == [(SCOPE,), ()]
    found = [await store.find(TENANT, bin_id(n)) for n in (1, 2)]
    assert [(one.scopes, len(one.instances)) for one in found if one is not None] == [((), 2), (("/Quay",), 2)]


async def test_what_is_appended_without_overwriting_joins_the_scopes(store: Store) -> None:
    await store.write(TENANT, [bin_(1, level(10), scopes=("/Port",))])
    await store.write(TENANT, [bin_(1, mode=Mode.APPEND_NEW, scopes=("/Quay", "/Port"))])
    entity = await store.find(TENANT, bin_id(1))
    assert entity is not None
    assert entity.scopes == ("/Port", "/Quay")


async def test_a_patch_of_a_member_takes_its_place_and_a_merge_goes_into_it(store: Store) -> None:
    held = Instance(NOTE, Kind.JSON_PROPERTY, {"a": 1, "b": 2})
    given = Instance(NOTE, Kind.JSON_PROPERTY, {"b": 3})
    for number, mode in ((1, Mode.PATCH_ATTRIBUTE), (2, Mode.MERGE)):
        await store.write(TENANT, [bin_(number, held), Change(bin_id(number), mode, (given,))])
    found = [await store.find(TENANT, bin_id(n)) for n in (1, 2)]
    assert [one.instances[0].value for one in found if one is not None] == [{"b": 3}, {"a": 1, "b": 3}]


async def test_a_patch_merges_members_into_the_instance(store: Store) -> None:
    await store.write(TENANT, [bin_(1, level(10, NOON))])
    patch = Instance(LEVEL, Kind.PROPERTY, msgspec.UNSET, unit_code="C62")
    await store.write(TENANT, [Change(bin_id(1), Mode.PATCH_ATTRIBUTE, (patch,))])

    entity = await store.find(TENANT, bin_id(1))

    assert entity is not None
    patched = entity.find(LEVEL)
    assert patched is not None
    assert (patched.value, patched.observed_at, patched.unit_code) == (10, NOON, "C62")


async def test_a_patch_with_null_clears_a_member(store: Store) -> None:
    await store.write(
        TENANT, [bin_(1, level(10, NOON, extra={"https://example.org/by": {"type": "Property", "value": 1}}))]
    )
    nulls = {"observedAt": NULL, "unitCode": NULL, "https://example.org/by": NULL}
    patch = Instance(LEVEL, Kind.PROPERTY, 11, extra=nulls)
    await store.write(TENANT, [Change(bin_id(1), Mode.PATCH_ATTRIBUTE, (patch,))])

    entity = await store.find(TENANT, bin_id(1))

    assert entity is not None
    patched = entity.find(LEVEL)
    assert patched is not None
    assert (patched.value, patched.observed_at, patched.unit_code, patched.extra) == (11, None, "", None)


async def test_a_merge_reaches_into_objects_and_removes_what_is_null(store: Store) -> None:
    await store.write(TENANT, [bin_(1, level(10), note({"lid": "shut", "wheels": 4}))])
    merge = bin_(1, note({"lid": "open", "wheels": "urn:ngsi-ld:null"}), mode=Mode.MERGE, removals=((LEVEL, ""),))
    await store.write(TENANT, [merge])

    entity = await store.find(TENANT, bin_id(1))

    assert entity is not None
    assert [(one.name, one.value) for one in entity.instances] == [(NOTE, {"lid": "open"})]


@pytest.mark.parametrize(
    "given",
    [
        Instance(PLACE, Kind.PROPERTY, 5),
        Instance(PLACE, Kind.PROPERTY, {"coordinates": NULL}),
        Instance(PLACE, Kind.PROPERTY, {"coordinates": [[9]]}),
        Instance(PLACE, Kind.PROPERTY, '{"type":"Point","coordinates":[1,2]}'),
        Instance(STREET, Kind.PROPERTY, 5),
        Instance(STREET, Kind.PROPERTY, []),
        Instance(STREET, Kind.PROPERTY, ["no uri"]),
        Instance(NOTE, Kind.PROPERTY, "full"),
        Instance(LEVEL, Kind.RELATIONSHIP, "urn:ngsi-ld:Street:quai"),
    ],
    ids=repr,
)
async def test_a_value_without_a_kind_must_suit_the_kind_that_is_stored(store: Store, given: Instance) -> None:
    street = Instance(STREET, Kind.RELATIONSHIP, "urn:ngsi-ld:Street:quai")
    await store.write(
        TENANT, [bin_(1, level(1), place(1, 1), street, Instance(NOTE, Kind.LANGUAGE_PROPERTY, {"fr": "plein"}))]
    )
    before = await store.find(TENANT, bin_id(1))

    merge = Change(bin_id(1), Mode.MERGE, (given,), expected_kind_open=True)
    [outcome] = await store.write(TENANT, [merge])

    assert isinstance(outcome.error, BadRequestData)
    assert await store.find(TENANT, bin_id(1)) == before


async def test_a_value_without_a_kind_takes_the_kind_that_is_stored(store: Store) -> None:
    street = Instance(STREET, Kind.RELATIONSHIP, "urn:ngsi-ld:Street:quai")
    await store.write(TENANT, [bin_(1, street, Instance(NOTE, Kind.LANGUAGE_PROPERTY, {"fr": "plein", "en": "full"}))])

    given = (Instance(STREET, Kind.PROPERTY, "urn:ngsi-ld:Street:mole"), Instance(NOTE, Kind.PROPERTY, {"en": NULL}))
    await store.write(TENANT, [Change(bin_id(1), Mode.MERGE, given, expected_kind_open=True)])

    entity = await store.find(TENANT, bin_id(1))
    assert entity is not None
    assert [(one.kind, one.value) for one in entity.instances] == [
        (Kind.LANGUAGE_PROPERTY, {"fr": "plein"}),
        (Kind.RELATIONSHIP, "urn:ngsi-ld:Street:mole"),
    ]


async def test_removing_every_instance_of_an_attribute(store: Store) -> None:
    await store.write(TENANT, [bin_(1, level(1), level(2, dataset="urn:ngsi-ld:Dataset:b"), note("x"))])
    removal = Change(bin_id(1), Mode.DELETE_ATTRIBUTE, removals=((LEVEL, ALL_DATASETS),))
    await store.write(TENANT, [removal])

    entity = await store.find(TENANT, bin_id(1))

    assert entity is not None
    assert [one.name for one in entity.instances] == [NOTE]


async def test_a_deleted_entity_is_gone_and_may_be_born_again(store: Store, clock: Ticking) -> None:
    await store.write(TENANT, [bin_(1, level(1))])
    [deleted] = await store.write(TENANT, [bin_(1, mode=Mode.DELETE)])
    gone = await store.find(TENANT, bin_id(1))
    [reborn] = await store.write(TENANT, [bin_(1, note("new"))])
    entity = await store.find(TENANT, bin_id(1))

    assert (deleted.status, gone, reborn.status) == (Status.DELETED, None, Status.CREATED)
    assert entity is not None
    assert entity.created_at == clock.now
    assert [one.name for one in entity.instances] == [NOTE]


async def test_changes_of_one_call_see_each_other(store: Store) -> None:
    outcomes = await store.write(
        TENANT,
        [bin_(1, level(1)), bin_(1, level(2), mode=Mode.UPDATE), bin_(1, mode=Mode.DELETE), bin_(1, level(3))],
    )

    statuses = [Status.CREATED, Status.UPDATED, Status.DELETED, Status.CREATED]
    assert [one.status for one in outcomes] == statuses
    assert await level_of(store, 1) == 3


async def test_a_late_measurement_does_not_displace_a_newer_one(store: Store) -> None:
    await store.write(TENANT, [bin_(1, level(50, NOON), keep_newest=True)])
    await store.write(TENANT, [bin_(1, level(40, NOON - 1), keep_newest=True)])
    assert await level_of(store, 1) == 50

    await store.write(TENANT, [bin_(1, level(60, NOON + 1), keep_newest=True)])
    assert await level_of(store, 1) == 60


async def test_a_plain_update_after_a_measurement_wins_even_in_the_same_call(store: Store) -> None:
    await store.write(TENANT, [bin_(1, level(50, NOON), keep_newest=True), bin_(1, level(1))])

    assert await level_of(store, 1) == 1


async def test_a_tenant_sees_only_its_own(store: Store) -> None:
    await store.add_tenant("quimperven")
    await store.write(TENANT, [bin_(1, level(1))])
    await store.write("quimperven", [bin_(1, level(2)), bin_(2, level(3))])

    assert await level_of(store, 1) == 1
    assert await ids(store, types=TypeIs(BIN)) == [bin_id(1)]
    assert await store.count_types("quimperven") == {BIN: 2}
    assert await store.find(TENANT, bin_id(2)) is None


async def test_an_unknown_tenant_is_refused(store: Store) -> None:
    with pytest.raises(NonexistentTenant):
        await store.write("nowhere", [bin_(1, level(1))])


async def test_pages_follow_the_order_of_creation_and_count_all(store: Store) -> None:
    await store.write(TENANT, [bin_(number, level(number)) for number in (5, 3, 9, 1)])

    page = await store.query(TENANT, EntityQuery(types=TypeIs(BIN), limit=2, offset=1, count=True))

    assert [entity.id for entity in page.entities] == [bin_id(3), bin_id(9)]
    assert page.total == 4


async def test_a_page_over_several_types_is_in_the_same_order(store: Store) -> None:
    await store.write(TENANT, [bin_(1, level(1)), bin_(2, types=(LAMP,)), bin_(3, level(3)), bin_(4, types=(LAMP,))])

    found = await ids(store, types=AnyType((TypeIs(BIN), TypeIs(LAMP))), limit=3)

    assert found == [bin_id(1), bin_id(2), bin_id(3)]


async def test_q_finds_by_value(store: Store) -> None:
    await store.write(
        TENANT,
        [
            bin_(1, level(10), note("blue")),
            bin_(2, level(55.5), note(["red", "blue"])),
            bin_(3, level(90), note("green")),
            bin_(4, level("full"), note(True)),
            bin_(5, note(1)),
        ],
    )

    async def holding(condition: object) -> list[int]:
        return [int(one.rsplit(":", 1)[1]) for one in await ids(store, types=TypeIs(BIN), q=condition)]

    fill, remark = Path(LEVEL), Path(NOTE)
    assert await holding(Compare(fill, Operator.GREATER, 50)) == [2, 3]
    assert await holding(Compare(fill, Operator.LESS_EQUAL, 55.5)) == [1, 2]
    assert await holding(Compare(fill, Operator.EQUAL, Range(10, 60))) == [1, 2]
    assert await holding(Compare(fill, Operator.UNEQUAL, 10)) == [2, 3, 4]
    assert await holding(Compare(remark, Operator.EQUAL, "blue")) == [1, 2]
    assert await holding(Compare(remark, Operator.EQUAL, OneOf(("green", True)))) == [3, 4]
    assert await holding(Compare(remark, Operator.EQUAL, 1)) == [5]
    assert await holding(Compare(remark, Operator.MATCH, "^gr")) == [3]
    assert await holding(Exists(Path(LEVEL))) == [1, 2, 3, 4]
    both = And(
        (Compare(fill, Operator.GREATER, 5), Or((Exists(Path(STREET)), Compare(remark, Operator.EQUAL, "green"))))
    )
    assert await holding(both) == [3]
    assert await holding(Exists(Path("https://example.org/never-seen"))) == []


async def test_q_reaches_into_values_and_sub_attributes(store: Store) -> None:
    accuracy = "https://example.org/accuracy"
    await store.write(
        TENANT,
        [
            bin_(
                1, note({"lid": {"state": "open"}}), level(1, NOON, extra={accuracy: {"type": "Property", "value": 2}})
            ),
            bin_(2, note({"lid": {"state": "shut"}}), level(2, NOON + 60_000_000)),
        ],
    )

    opened = Compare(Path(NOTE, members=("lid", "state")), Operator.EQUAL, "open")
    precise = Compare(Path(LEVEL, subs=(accuracy,)), Operator.LESS, 3)
    later = Compare(Path(LEVEL, subs=("observedAt",)), Operator.GREATER, "2026-11-22T12:00:00Z")
    assert await ids(store, types=TypeIs(BIN), q=opened) == [bin_id(1)]
    assert await ids(store, types=TypeIs(BIN), q=precise) == [bin_id(1)]
    assert await ids(store, types=TypeIs(BIN), q=later) == [bin_id(2)]


async def test_geo_queries_find_what_is_near_and_what_is_inside(store: Store) -> None:
    await store.write(TENANT, [bin_(1, place(-3.30, 47.70)), bin_(2, place(-3.31, 47.70)), bin_(3, place(2.35, 48.85))])
    here = {"type": "Point", "coordinates": [-3.30, 47.70]}
    harbour = {
        "type": "Polygon",
        "coordinates": [[[-3.4, 47.6], [-3.2, 47.6], [-3.2, 47.8], [-3.4, 47.8], [-3.4, 47.6]]],
    }

    near = GeoQuery(GeoRelation.NEAR, here, PLACE, max_distance_m=100)
    not_near = GeoQuery(GeoRelation.NEAR, here, PLACE, min_distance_m=100)
    within = GeoQuery(GeoRelation.WITHIN, harbour, PLACE)
    outside = GeoQuery(GeoRelation.DISJOINT, harbour, PLACE)

    assert await ids(store, geo=near) == [bin_id(1)]
    assert await ids(store, geo=not_near) == [bin_id(2), bin_id(3)]
    assert await ids(store, geo=within) == [bin_id(1), bin_id(2)]
    assert await ids(store, geo=outside) == [bin_id(3)]


async def test_an_entity_that_moved_is_found_where_it_is(store: Store) -> None:
    await store.write(TENANT, [bin_(1, place(2.35, 48.85))])
    await store.write(TENANT, [bin_(1, place(-3.30, 47.70))])
    there = GeoQuery(GeoRelation.NEAR, {"type": "Point", "coordinates": [-3.30, 47.70]}, PLACE, max_distance_m=10)
    before = GeoQuery(GeoRelation.NEAR, {"type": "Point", "coordinates": [2.35, 48.85]}, PLACE, max_distance_m=10)

    assert await ids(store, geo=there) == [bin_id(1)]
    assert await ids(store, geo=before) == []

    await store.write(TENANT, [Change(bin_id(1), Mode.DELETE_ATTRIBUTE, removals=((PLACE, ""),))])
    assert await ids(store, geo=there) == []


async def test_a_late_position_does_not_move_an_entity_on_the_map(store: Store) -> None:
    port, sea = place(-3.3, 47.7), place(-4.3, 47.1)
    await store.write(TENANT, [bin_(1, msgspec.structs.replace(port, observed_at=NOON), keep_newest=True)])
    await store.write(TENANT, [bin_(1, msgspec.structs.replace(sea, observed_at=NOON - 1), keep_newest=True)])

    assert await ids(store, geo=GeoQuery(GeoRelation.NEAR, port.value, PLACE, max_distance_m=10)) == [bin_id(1)]
    assert await ids(store, geo=GeoQuery(GeoRelation.NEAR, sea.value, PLACE, max_distance_m=10)) == []


async def test_what_is_no_geometry_is_nowhere(store: Store) -> None:
    somewhere = place(-3.3, 47.7)
    written = [bin_(1, Instance(PLACE, Kind.PROPERTY, {"quay": 4})), bin_(2, somewhere), bin_(3, somewhere)]
    await store.write(TENANT, [*written, bin_(3, Instance(PLACE, Kind.PROPERTY, {"quay": 5}))])

    assert await ids(store, geo=GeoQuery(GeoRelation.NEAR, somewhere.value, PLACE, min_distance_m=0)) == [bin_id(2)]
    assert await ids(store, geo=GeoQuery(GeoRelation.DISJOINT, place(0, 0).value, PLACE)) == [bin_id(2)]
    assert await ids(store, geo=GeoQuery(GeoRelation.EQUALS, somewhere.value, PLACE)) == [bin_id(2)]


async def test_nothing_is_counted_by_an_attribute_that_nobody_ever_wrote(store: Store) -> None:
    await store.write(TENANT, [bin_(1, level(10))])
    never = Path("https://example.org/never")

    for condition in (Compare(never, Operator.EQUAL, 5), Compare(never, Operator.UNEQUAL, 5), Exists(never)):
        page = await store.query(TENANT, EntityQuery(q=condition, count=True))
        assert (page.entities, page.total) == ((), 0)
    page = await store.query(TENANT, EntityQuery(q=Missing(never), count=True))
    assert page.total == 1


async def test_ids_patterns_attributes_and_scopes_select(store: Store) -> None:
    await store.write(
        TENANT, [bin_(1, level(1), scopes=("/port/quay",)), bin_(2, note("x"), scopes=("/town",)), bin_(13, level(2))]
    )

    assert await ids(store, ids=(bin_id(2), bin_id(1), "urn:ngsi-ld:Nothing:1")) == [bin_id(1), bin_id(2)]
    assert await ids(store, id_pattern=":1") == [bin_id(1), bin_id(13)]
    assert await ids(store, attrs=(LEVEL,)) == [bin_id(1), bin_id(13)]
    assert await ids(store, scope=ScopeQuery((("/port/#",), ("/town",)))) == [bin_id(1), bin_id(2)]
    assert await ids(store, scope=ScopeQuery((("/port/+",),))) == [bin_id(1)]


async def test_attribute_names_are_listed_by_type(store: Store) -> None:
    await store.write(TENANT, [bin_(1, level(1), note("x")), bin_(2, types=(LAMP,))])

    assert await store.list_attributes(TENANT) == {BIN: {LEVEL, NOTE}}


async def level_of(store: Store, number: int) -> object:
    entity = await store.find(TENANT, bin_id(number))
    assert entity is not None
    found = entity.find(LEVEL)
    assert found is not None
    return found.value


async def test_a_page_resumes_where_the_last_one_ended_whatever_was_written_since(store: Store) -> None:
    await store.write(TENANT, [bin_(number, level(number)) for number in range(6)])
    first = await store.query(TENANT, EntityQuery(limit=2, count=True))
    await store.write(TENANT, [bin_(0, mode=Mode.DELETE), bin_(1, level(99)), bin_(7, level(7))])

    second = await store.query(TENANT, EntityQuery(limit=2, after=first.resume, count=True))
    rest = await store.query(TENANT, EntityQuery(limit=10, after=second.resume))

    assert [one.id for one in second.entities] == [bin_id(2), bin_id(3)]
    assert [one.id for one in rest.entities] == [bin_id(4), bin_id(5), bin_id(7)]
    assert (first.total, second.total, rest.resume) == (6, 6, None)


async def test_nobody_deletes_what_has_an_attribute_that_is_hidden_from_them(store: Store) -> None:
    await store.write(TENANT, [bin_(1, level(1), note("of Odile")), bin_(2, level(2))])
    agent = Bounds(Caller(TENANT, "user:agent", OPERATOR), None, Hidden(frozenset({local_name(NOTE)})))

    told = await store.write(TENANT, [Change(bin_id(n), Mode.DELETE) for n in (1, 2)], None, agent)

    assert [one.status for one in told] == [Status.FAILED, Status.DELETED]
    assert isinstance(told[0].error, Forbidden)
    assert await ids(store) == [bin_id(1)]
