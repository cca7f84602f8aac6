"""What a receiver gets (NGSI-LD 1.9.1, 5.3.1, 5.8.6 and 7.2)."""

import json
from typing import Any

import pytest
from msgspec.structs import replace

from parvis.broker.jsonld.contexts import CORE_URL, PARVIS_URL, Contexts
from parvis.broker.jsonld.render import Form
from parvis.broker.linked import Neighbours
from parvis.broker.model.entity import Entity, Instance, Kind
from parvis.broker.query.linking import Join
from parvis.broker.query.projection import Projection
from parvis.broker.subscriptions.model import (
    Accept,
    Endpoint,
    NotificationParams,
    Occurrence,
    Selector,
    Subscription,
    Trigger,
)
from parvis.broker.subscriptions.notification import (
    Linked,
    Message,
    Notices,
    addressed,
    context_url,
    linkage_of,
    mqtt_payload,
    shape_of,
    write_merged,
    write_periodic,
)
from parvis.kernel.identity import DEFAULT_TENANT
from parvis.kernel.time import MINUTE, parse_instant

NOON = parse_instant("2026-05-01T12:00:00Z")
CONTEXT = Contexts().parvis
BIN, LEVEL, STATE = (CONTEXT.expand(name) for name in ("WasteContainer", "fillingLevel", "status"))
NAME = CONTEXT.expand("name")
PLACE = CONTEXT.expand("location")
BIN_ID = "urn:ngsi-ld:WasteContainer:1"
NULL = "urn:ngsi-ld:null"


def members(*names: str) -> Projection:
    return Projection(dict.fromkeys(names))


def instance(name: str, value: Any, kind: Kind = Kind.PROPERTY, **more: Any) -> Instance:
    return Instance(name, kind, value, created_at=NOON - MINUTE, modified_at=NOON, **more)


A_BIN = Entity(
    BIN_ID,
    (BIN,),
    (
        instance(LEVEL, 0.9, observed_at=NOON, unit_code="C62"),
        instance(NAME, {"fr": "Le quai", "en": "The quay"}, Kind.LANGUAGE_PROPERTY),
        instance(PLACE, {"type": "Point", "coordinates": [-3.1, 48.2]}, Kind.GEO_PROPERTY),
    ),
    ("/port",),
    NOON - MINUTE,
    NOON,
)
UPDATED = Occurrence(7, DEFAULT_TENANT, NOON, A_BIN, written=(A_BIN.instances[0],))


def wish(accept: Accept = Accept.JSON, **params: Any) -> Subscription:
    own = {name: params.pop(name) for name in ("triggers", "lang", "datasets", "tenant") if name in params}
    endpoint = Endpoint("http://receiver.example/", accept)
    plain = Subscription(DEFAULT_TENANT, "urn:ngsi-ld:Subscription:1", NotificationParams(endpoint, **params))
    return replace(plain, selectors=(Selector(),), **own)


def written(subscription: Subscription, occurrence: Occurrence = UPDATED) -> Message:
    return Notices(occurrence).write(subscription, shape_of(subscription), CONTEXT, NOON + MINUTE)


def told(subscription: Subscription, occurrence: Occurrence = UPDATED) -> dict[str, Any]:
    [entity] = json.loads(written(subscription, occurrence).body)["data"]
    return dict(entity)


def test_the_envelope() -> None:
    message = written(wish(pick=members("id", LEVEL)))
    body = json.loads(message.body)

    assert body.pop("id").startswith("urn:ngsi-ld:Notification:")
    assert body == {
        "type": "Notification",
        "subscriptionId": "urn:ngsi-ld:Subscription:1",
        "notifiedAt": "2026-05-01T12:01:00Z",
        "data": [
            {
                "id": BIN_ID,
                "fillingLevel": {
                    "type": "Property",
                    "value": 0.9,
                    "observedAt": "2026-05-01T12:00:00Z",
                    "unitCode": "C62",
                },
            }
        ],
    }
    assert message.headers == {
        "Content-Type": "application/json",
        "Link": f'<{PARVIS_URL}>; rel="http://www.w3.org/ns/json-ld#context"; type="application/ld+json"',
    }


def test_the_same_change_told_twice_has_the_same_id_twice() -> None:
    first, again = json.loads(written(wish()).body)["id"], json.loads(written(wish()).body)["id"]
    later = json.loads(written(wish(), replace(UPDATED, seq=8)).body)["id"]
    elsewhere = json.loads(written(wish(tenant="port")).body)["id"]

    assert first == again
    assert len({first, later, elsewhere}) == 3


@pytest.mark.parametrize(
    ("params", "members"),
    [
        ({"form": Form.SIMPLIFIED, "attributes": (LEVEL,)}, {"fillingLevel": 0.9, "scope": "/port"}),
        ({"form": Form.SIMPLIFIED, "omit": members(NAME, PLACE, "scope")}, {"fillingLevel": 0.9}),
        (
            {"form": Form.CONCISE, "pick": members("id", "type", NAME), "lang": "fr"},
            {"name": {"value": "Le quai", "lang": "fr"}},
        ),
    ],
)
def test_forms_and_projections(params: dict[str, Any], members: dict[str, Any]) -> None:
    assert told(wish(**params)) == {"id": BIN_ID, "type": "WasteContainer", **members}


def test_times_of_the_system() -> None:
    shown = told(wish(sys_attrs=True))
    assert (shown["createdAt"], shown["modifiedAt"]) == ("2026-05-01T11:59:00Z", "2026-05-01T12:00:00Z")
    assert shown["fillingLevel"]["createdAt"] == "2026-05-01T11:59:00Z"


def test_json_ld_has_its_context_inside() -> None:
    message = written(wish(Accept.JSON_LD))
    assert json.loads(message.body)["@context"] == PARVIS_URL
    assert message.headers == {"Content-Type": "application/ld+json"}


def test_geojson_is_a_collection_of_features() -> None:
    message = written(wish(Accept.GEO_JSON, form=Form.SIMPLIFIED, attributes=(LEVEL,)))
    data = json.loads(message.body)["data"]

    assert message.headers["Content-Type"] == "application/geo+json"
    assert "Link" not in message.headers
    assert data == {
        "@context": PARVIS_URL,
        "type": "FeatureCollection",
        "features": [
            {
                "id": BIN_ID,
                "type": "Feature",
                "geometry": {"type": "Point", "coordinates": [-3.1, 48.2]},
                "properties": {"type": "WasteContainer", "scope": "/port", "fillingLevel": 0.9},
            }
        ],
    }


def test_geojson_leaves_its_context_to_the_header_where_the_receiver_prefers_that() -> None:
    plain = wish(Accept.GEO_JSON)
    endpoint = replace(plain.notification.endpoint, receiver_info=(("prefer", "x, body=json"),))
    message = written(replace(plain, notification=replace(plain.notification, endpoint=endpoint)))

    assert PARVIS_URL in message.headers["Link"]
    assert "@context" not in json.loads(message.body)["data"]


def test_another_tenant_than_the_default_is_named() -> None:
    assert written(wish(tenant="port")).headers["NGSILD-Tenant"] == "port"
    assert "NGSILD-Tenant" not in written(wish()).headers


def test_changes_are_shown_with_what_was_before() -> None:
    previous = (
        instance(LEVEL, 0.4),
        instance(NAME, {"fr": "Quai"}, Kind.LANGUAGE_PROPERTY),
        instance(PLACE, {"type": "Point", "coordinates": [0, 0]}, Kind.GEO_PROPERTY),
    )
    shown = told(wish(show_changes=True), replace(UPDATED, written=A_BIN.instances, previous=previous))

    assert shown["fillingLevel"]["previousValue"] == 0.4
    assert shown["name"]["previousLanguageMap"] == {"fr": "Quai"}
    assert shown["location"]["previousValue"] == {"type": "Point", "coordinates": [0, 0]}
    assert "previousValue" not in json.dumps(told(wish(), replace(UPDATED, previous=previous)))


@pytest.mark.parametrize(
    ("kind", "before", "member", "null"),
    [
        (Kind.PROPERTY, "ok", "Value", {"type": "Property", "value": NULL}),
        (Kind.RELATIONSHIP, "urn:x:1", "Object", {"type": "Relationship", "object": NULL}),
        (Kind.VOCAB_PROPERTY, STATE, "Vocab", {"type": "VocabProperty", "vocab": NULL}),
        (Kind.LIST_PROPERTY, [1, 2], "ValueList", {"type": "ListProperty", "valueList": [NULL]}),
        (
            Kind.LIST_RELATIONSHIP,
            ["urn:x:1"],
            "ObjectList",
            {"type": "ListRelationship", "objectList": [{"object": NULL}]},
        ),
        (
            Kind.LANGUAGE_PROPERTY,
            {"fr": "x"},
            "LanguageMap",
            {"type": "LanguageProperty", "languageMap": {"@none": NULL}},
        ),
    ],
)
def test_a_removed_attribute_is_null(kind: Kind, before: Any, member: str, null: dict[str, Any]) -> None:
    removal = replace(UPDATED, written=(), removed=((STATE, ""),), previous=(instance(STATE, before, kind),))
    triggers = (Trigger.ATTRIBUTE_DELETED,)

    assert told(wish(triggers=triggers), removal)["status"] == null
    shown = told(wish(triggers=triggers, show_changes=True, sys_attrs=True), removal)["status"]
    assert shown["deletedAt"] == "2026-05-01T12:00:00Z"
    assert f"previous{member}" in shown
    assert "status" not in told(wish(), removal)


def test_a_removed_attribute_in_simplified_form() -> None:
    removal = replace(UPDATED, written=(), removed=((STATE, ""),))
    assert told(wish(triggers=(Trigger.ENTITY_UPDATED,), form=Form.SIMPLIFIED), removal)["status"] == NULL


def test_a_deleted_entity_is_its_id_type_and_time() -> None:
    deletion = Occurrence(
        9,
        DEFAULT_TENANT,
        NOON,
        A_BIN,
        is_deletion=True,
        removed=tuple(one.key for one in A_BIN.instances),
        previous=A_BIN.instances,
    )
    about = {"id": BIN_ID, "type": "WasteContainer", "deletedAt": "2026-05-01T12:00:00Z"}

    assert told(wish(triggers=(Trigger.ENTITY_DELETED,)), deletion) == about
    shown = told(wish(show_changes=True, pick=members("id", LEVEL)), deletion)
    assert shown == {
        "id": BIN_ID,
        "fillingLevel": {"type": "Property", "value": NULL, "previousValue": 0.9},
        "deletedAt": "2026-05-01T12:00:00Z",
    }
    [feature] = json.loads(written(wish(Accept.GEO_JSON), deletion).body)["data"]["features"]
    assert feature["properties"] == {"type": "WasteContainer", "deletedAt": "2026-05-01T12:00:00Z"}
    assert feature["geometry"] is None


def deletion_of(*instances: Instance) -> Occurrence:
    return Occurrence(
        9,
        DEFAULT_TENANT,
        NOON,
        replace(A_BIN, instances=instances),
        is_deletion=True,
        removed=tuple(one.key for one in instances),
        previous=instances,
    )


def test_who_waits_for_attributes_is_told_which_went_with_their_entity() -> None:
    deletion = deletion_of(*A_BIN.instances)
    level = {"type": "Property", "value": NULL}

    watching = replace(wish(triggers=(Trigger.ATTRIBUTE_DELETED,)), watched=(LEVEL,))
    assert told(watching, deletion) == {
        "id": BIN_ID,
        "type": "WasteContainer",
        "fillingLevel": level,
        "deletedAt": "2026-05-01T12:00:00Z",
    }
    every = told(wish(triggers=(Trigger.ENTITY_UPDATED,)), deletion)
    assert {"fillingLevel", "name", "location"} <= every.keys()
    both = wish(triggers=(Trigger.ENTITY_DELETED, Trigger.ATTRIBUTE_DELETED))
    assert told(both, deletion).keys() == {"id", "type", "deletedAt"}


def test_an_attribute_that_is_gone_in_all_its_instances_is_told_once() -> None:
    here, radar = instance(STATE, "ok"), instance(STATE, "full", dataset="urn:ngsi-ld:Dataset:radar")
    removal = replace(UPDATED, written=(), removed=(radar.key, here.key), previous=(here, radar))
    alone = replace(UPDATED, written=(), removed=(radar.key,), previous=(radar,))
    triggers = (Trigger.ATTRIBUTE_DELETED,)

    assert told(wish(triggers=triggers), removal)["status"] == {"type": "Property", "value": NULL}
    assert told(wish(triggers=triggers), alone)["status"]["datasetId"] == "urn:ngsi-ld:Dataset:radar"
    shown = told(wish(triggers=triggers, show_changes=True), removal)["status"]
    assert {one["previousValue"] for one in shown} == {"ok", "full"}
    filtered = told(wish(triggers=triggers, datasets=("urn:ngsi-ld:Dataset:radar",)), removal)["status"]
    assert filtered["datasetId"] == "urn:ngsi-ld:Dataset:radar"


REFERS = CONTEXT.expand("refDevice")
A_DEVICE = Entity(
    "urn:ngsi-ld:Device:1", (CONTEXT.expand("Device"),), (instance(NAME, "Sonde"),), ("/port",), NOON, NOON
)


def linked_to_a_device(subscription: Subscription) -> list[dict[str, Any]]:
    link = instance(REFERS, A_DEVICE.id, Kind.RELATIONSHIP)
    entity = replace(A_BIN, instances=(*A_BIN.instances, link), rendered={})
    linkage = linkage_of(subscription)
    assert linkage is not None
    shown = linkage.shown.below(REFERS)
    found = Linked(linkage, Neighbours({A_DEVICE.id: A_DEVICE}, [(A_DEVICE, shown)]))
    occurrence = replace(UPDATED, entity=entity)
    shape = shape_of(subscription)
    message = write_merged(subscription, shape, CONTEXT, [occurrence], NOON, found)
    return list(json.loads(message.body)["data"])


def test_linked_entities_follow_or_stand_inside() -> None:
    [flat, device] = linked_to_a_device(wish(join=Join.FLAT, attributes=(REFERS,)))
    [inline] = linked_to_a_device(wish(join=Join.INLINE, attributes=(REFERS,)))
    [simple] = linked_to_a_device(wish(join=Join.INLINE, attributes=(REFERS,), form=Form.SIMPLIFIED))

    assert flat["refDevice"] == {"type": "Relationship", "object": A_DEVICE.id}
    assert device == {
        "id": A_DEVICE.id,
        "type": "Device",
        "scope": "/port",
        "name": {"type": "Property", "value": "Sonde"},
    }
    assert inline["refDevice"]["entity"] == device
    assert simple["refDevice"] == {**device, "name": "Sonde"}


def test_of_linked_entities_what_is_picked_is_told() -> None:
    pick = Projection({"id": None, REFERS: members("id")})
    assert linked_to_a_device(wish(join=Join.FLAT, pick=pick))[1] == {"id": A_DEVICE.id}


def test_entities_keep_to_the_version_asked_for() -> None:
    message = written(replace(wish(), conformance="1.3"))
    [entity] = json.loads(message.body)["data"]

    assert message.headers["Preference-Applied"] == "ngsi-ld=1.3"
    assert entity["name"] == {"type": "Property", "value": {"fr": "Le quai", "en": "The quay"}}
    assert "scope" not in entity


def test_the_entity_itself_stays_as_it_is() -> None:
    told(wish(show_changes=True), replace(UPDATED, previous=(instance(LEVEL, 0.4),)))
    assert A_BIN.instances[0].extra is None
    assert "previousValue" not in json.dumps(told(wish()))


def test_data_wanted_alike_are_rendered_once() -> None:
    notices = Notices(UPDATED)
    one, other = wish(), replace(wish(), id="urn:ngsi-ld:Subscription:2")
    bodies = [notices.write(each, shape_of(each), CONTEXT, NOON).body for each in (one, other, wish(sys_attrs=True))]

    assert len(notices._data) == 2
    assert [json.loads(body)["subscriptionId"][-1] for body in bodies] == ["1", "2", "1"]


def test_by_the_clock_several_entities_come_together() -> None:
    subscription = wish(form=Form.SIMPLIFIED, attributes=(LEVEL,))
    other = replace(A_BIN, id=BIN_ID[:-1] + "2", rendered={})
    message = write_periodic(subscription, shape_of(subscription), CONTEXT, [A_BIN, other], NOON)

    assert [one["id"][-1] for one in json.loads(message.body)["data"]] == ["1", "2"]


def test_over_mqtt_headers_stand_in_the_message() -> None:
    message = written(wish(Accept.JSON_LD))
    payload = json.loads(mqtt_payload(message, (("X-Key", "é"),)))

    assert payload["metadata"] == {"Content-Type": "application/ld+json", "X-Key": "é"}
    assert payload["body"] == json.loads(message.body)


def test_a_header_that_the_receiver_asks_for_is_sent_once() -> None:
    """A broker behind it may have another tenant."""
    ours = {"Content-Type": "application/json", "NGSILD-Tenant": "port"}
    assert addressed(ours, (("ngsild-tenant", "theirs"), ("X-Key", "1"))) == {
        "Content-Type": "application/json",
        "ngsild-tenant": "theirs",
        "X-Key": "1",
    }


@pytest.mark.parametrize(
    ("source", "url"),
    [
        ("https://example.org/c", "https://example.org/c"),
        (["https://example.org/c", CORE_URL], "https://example.org/c"),
        ([CORE_URL], CORE_URL),
        (["https://example.org/c", "https://example.org/d"], None),
        ([{"a": "urn:x:a"}, CORE_URL], None),
        ({"a": "urn:x:a"}, None),
    ],
)
def test_the_link_to_a_context(source: Any, url: str | None) -> None:
    assert context_url(source) == url
