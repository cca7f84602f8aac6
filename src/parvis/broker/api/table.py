"""Every route of the NGSI-LD API with the parameters it knows (NGSI-LD 1.9.1, 6.2)."""

from msgspec.structs import replace

from parvis.broker.api import (
    attributes,
    batch,
    contexts,
    csource_subscriptions,
    csources,
    entities,
    entity_maps,
    forgetting,
    identity,
    purge,
    query,
    snapshots,
    subscriptions,
    temporal,
    types,
)
from parvis.broker.api.gathered import (
    ATTRIBUTE,
    ATTRIBUTES,
    EVOLUTION,
    EVOLUTIONS,
    TYPE,
    TYPES,
    create_past_map,
    create_past_map_by_body,
    gathered,
    query_past_by_body,
)
from parvis.broker.api.routing import VARIABLE, Handler, Route

FORM = frozenset({"options", "format", "lang"})
PROJECTION = frozenset({"attrs", "pick", "omit", "datasetId", "geometryProperty"})
GEO = frozenset({"georel", "geometry", "coordinates", "geoproperty"})
SELECTION = frozenset({"id", "idPattern", "type", "attrs", "q", "expandValues", "scopeQ"}) | GEO
PAGE = frozenset({"limit", "offset", "after", "count"})
COUNTED_PAGE = frozenset({"limit", "offset", "count"})
TEMPORAL = frozenset({"timerel", "timeAt", "endTimeAt", "timeproperty", "lastN", "attrs", "datasetId"}) | {
    "aggrMethods",
    "aggrPeriodDuration",
}
ORDER = frozenset({"orderBy", "orderFrom", "orderGeometry", "collation"})
LINKED = frozenset({"join", "joinLevel"})
MAPPED = frozenset({"entityMap", "entityMapLifetime"})
EVOLVED = FORM | TEMPORAL | MAPPED | {"pick", "omit"}
PAST = SELECTION | EVOLVED | PAGE | {"orderBy", "csf"}
TIME = frozenset({"timerel", "timeAt", "endTimeAt", "timeproperty"})
LIFETIME = frozenset({"entityMapLifetime"})
RETRIEVED = LINKED | {"containedBy"}
FEDERATED = frozenset({"csf", "splitEntities"})
QUERIED = FEDERATED | LINKED | ORDER | MAPPED
SOURCES = frozenset({"id", "idPattern", "type", "attrs", "q", "csf", "scopeQ"}) | GEO | TIME
LOCAL = frozenset({"local"})
"""It steers distributed operations and changes nothing in one broker."""
TARGET = LOCAL | {"type"}


def reading(method: str, template: str, handler: Handler, parameters: frozenset[str] = frozenset()) -> Route:
    return Route(method, template, handler, parameters | LOCAL)


def writing(method: str, template: str, handler: Handler, *parameters: str) -> Route:
    own = TARGET if VARIABLE in template else LOCAL
    return Route(method, template, handler, own | set(parameters), writes=True)


def creating(template: str, handler: Handler, *parameters: str) -> Route:
    return replace(writing("POST", template, handler, *parameters), begins=True)


ROUTES = (
    creating("/entities", entities.create_entity),
    reading("GET", "/entities", query.query_entities, SELECTION | FORM | PROJECTION | PAGE | QUERIED),
    writing("DELETE", "/entities", purge.purge_entities, "keep", "drop", *sorted(SELECTION)),
    reading("GET", "/entities/{}", entities.retrieve_entity, FORM | PROJECTION | TARGET | RETRIEVED | MAPPED),
    writing("PUT", "/entities/{}", entities.replace_entity),
    writing("PATCH", "/entities/{}", entities.merge_entity, "options", "format", "observedAt", "lang"),
    writing("DELETE", "/entities/{}", entities.delete_entity),
    writing("POST", "/entities/{}/attrs", attributes.append_attributes, "options"),
    writing("PATCH", "/entities/{}/attrs", attributes.update_attributes),
    writing("PATCH", "/entities/{}/attrs/{}", attributes.patch_attribute, "options", "format"),
    writing("PUT", "/entities/{}/attrs/{}", attributes.replace_attribute),
    writing("DELETE", "/entities/{}/attrs/{}", attributes.delete_attribute, "datasetId", "deleteAll"),
    creating("/entityOperations/create", batch.create_entities),
    creating("/entityOperations/upsert", batch.upsert_entities, "options"),
    writing("POST", "/entityOperations/update", batch.update_entities, "options"),
    writing("POST", "/entityOperations/merge", batch.merge_entities, "options", "format"),
    writing("POST", "/entityOperations/delete", batch.delete_entities),
    reading("POST", "/entityOperations/query", query.query_by_body, FORM | PAGE | FEDERATED | MAPPED),
    reading("GET", "/entityMaps", entity_maps.create_for_query, SELECTION | QUERIED),
    reading("POST", "/entityMaps", entity_maps.create_for_body, LIFETIME | FEDERATED),
    reading("GET", "/entityMaps/{}", entity_maps.retrieve_map),
    reading("PATCH", "/entityMaps/{}", entity_maps.update_map),
    reading("DELETE", "/entityMaps/{}", entity_maps.delete_map),
    reading("GET", "/temporal/entityMaps", create_past_map, SELECTION | TIME | LIFETIME),
    reading("POST", "/temporal/entityMaps", create_past_map_by_body, LIFETIME),
    Route("POST", "/snapshots", snapshots.create_snapshot, LOCAL, writes=True),
    Route("DELETE", "/snapshots", snapshots.purge_snapshots, LOCAL | {"q"}, writes=True),
    reading("GET", "/snapshots/{}", snapshots.retrieve_snapshot),
    Route("PATCH", "/snapshots/{}", snapshots.update_snapshot, LOCAL, writes=True),
    Route("DELETE", "/snapshots/{}", snapshots.delete_snapshot, LOCAL, writes=True),
    Route("POST", "/snapshots/{}/clone", snapshots.clone_snapshot, LOCAL, writes=True),
    reading("GET", "/types", gathered(types.list_types, TYPES), frozenset({"details"})),
    reading("GET", "/types/{}", gathered(types.retrieve_type, TYPE)),
    reading("GET", "/attributes", gathered(types.list_attributes, ATTRIBUTES), frozenset({"details"})),
    reading("GET", "/attributes/{}", gathered(types.retrieve_attribute, ATTRIBUTE)),
    reading("GET", "/temporal/entities", gathered(temporal.query_entities, EVOLUTIONS), PAST),
    reading("GET", "/temporal/entities/{}", gathered(temporal.retrieve_entity, EVOLUTION), EVOLVED | TARGET),
    creating("/temporal/entities", temporal.upsert_entity),
    writing("POST", "/temporal/entities/{}/attrs", temporal.append_instances),
    writing("DELETE", "/temporal/entities/{}", forgetting.delete_entity),
    writing("DELETE", "/temporal/entities/{}/attrs/{}", forgetting.delete_attribute, "datasetId", "deleteAll"),
    writing("PATCH", "/temporal/entities/{}/attrs/{}/{}", forgetting.modify_instance),
    writing("DELETE", "/temporal/entities/{}/attrs/{}/{}", forgetting.delete_instance),
    reading("POST", "/temporal/entityOperations/query", query_past_by_body, FORM | PAGE | MAPPED),
    creating("/subscriptions", subscriptions.create_subscription),
    reading("GET", "/subscriptions", subscriptions.query_subscriptions, COUNTED_PAGE | {"options"}),
    reading("GET", "/subscriptions/{}", subscriptions.retrieve_subscription, frozenset({"options"})),
    Route("PATCH", "/subscriptions/{}", subscriptions.update_subscription, LOCAL, writes=True),
    Route("DELETE", "/subscriptions/{}", subscriptions.delete_subscription, LOCAL, writes=True),
    Route("POST", "/jsonldContexts", contexts.add_context, frozenset(), writes=True, begins=True),
    Route("GET", "/jsonldContexts", contexts.list_contexts, frozenset({"details", "kind"})),
    Route("GET", "/jsonldContexts/{}", contexts.serve_context, frozenset({"details"})),
    Route("DELETE", "/jsonldContexts/{}", contexts.delete_context, frozenset({"reload"}), writes=True),
    creating("/csourceRegistrations", csources.register_source),
    reading("GET", "/csourceRegistrations", csources.query_registrations, SOURCES | COUNTED_PAGE | {"options"}),
    reading("GET", "/csourceRegistrations/{}", csources.retrieve_registration, frozenset({"options"})),
    Route("PATCH", "/csourceRegistrations/{}", csources.update_registration, LOCAL, writes=True),
    Route("DELETE", "/csourceRegistrations/{}", csources.delete_registration, LOCAL, writes=True),
    creating("/csourceSubscriptions", csource_subscriptions.create_subscription),
    reading("GET", "/csourceSubscriptions", csource_subscriptions.query_subscriptions, COUNTED_PAGE | {"options"}),
    reading("GET", "/csourceSubscriptions/{}", csource_subscriptions.retrieve_subscription, frozenset({"options"})),
    Route("PATCH", "/csourceSubscriptions/{}", csource_subscriptions.update_subscription, LOCAL, writes=True),
    Route("DELETE", "/csourceSubscriptions/{}", csource_subscriptions.delete_subscription, LOCAL, writes=True),
    reading("GET", "/info/sourceIdentity", identity.retrieve_identity),
)
