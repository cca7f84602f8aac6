"""Every route of the NGSI-LD API with the parameters it knows (NGSI-LD 1.9.1, 6.2)."""

from parvis.broker.api import attributes, batch, entities, identity, query, temporal, types
from parvis.broker.api.routing import Route

FORM = frozenset({"options", "format", "lang"})
PROJECTION = frozenset({"attrs", "pick", "omit", "datasetId", "geometryProperty"})
GEO = frozenset({"georel", "geometry", "coordinates", "geoproperty"})
SELECTION = frozenset({"id", "idPattern", "type", "attrs", "q", "expandValues", "scopeQ"}) | GEO
PAGE = frozenset({"limit", "offset", "count"})
TEMPORAL = frozenset({"timerel", "timeAt", "endTimeAt", "timeproperty", "lastN", "attrs", "datasetId"}) | {
    "aggrMethods",
    "aggrPeriodDuration",
}
HINTS = frozenset({"type", "local"})
"""What steers distributed operations; with one broker it changes nothing."""

ROUTES = (
    Route("POST", "/entities", entities.create_entity, frozenset({"local"})),
    Route("GET", "/entities", query.query_entities, SELECTION | FORM | PROJECTION | PAGE | HINTS),
    Route("GET", "/entities/{}", entities.retrieve_entity, FORM | PROJECTION | HINTS),
    Route("PUT", "/entities/{}", entities.replace_entity, HINTS),
    Route("PATCH", "/entities/{}", entities.merge_entity, HINTS | {"options", "format", "observedAt"}),
    Route("DELETE", "/entities/{}", entities.delete_entity, HINTS),
    Route("POST", "/entities/{}/attrs", attributes.append_attributes, HINTS | {"options"}),
    Route("PATCH", "/entities/{}/attrs", attributes.update_attributes, HINTS),
    Route("PATCH", "/entities/{}/attrs/{}", attributes.patch_attribute, HINTS | {"options", "format"}),
    Route("PUT", "/entities/{}/attrs/{}", attributes.replace_attribute, HINTS),
    Route("DELETE", "/entities/{}/attrs/{}", attributes.delete_attribute, HINTS | {"datasetId", "deleteAll"}),
    Route("POST", "/entityOperations/create", batch.create_entities, frozenset({"local"})),
    Route("POST", "/entityOperations/upsert", batch.upsert_entities, frozenset({"options", "local"})),
    Route("POST", "/entityOperations/update", batch.update_entities, frozenset({"options", "local"})),
    Route("POST", "/entityOperations/merge", batch.merge_entities, frozenset({"options", "format", "local"})),
    Route("POST", "/entityOperations/delete", batch.delete_entities, frozenset({"local"})),
    Route("POST", "/entityOperations/query", query.query_by_body, FORM | PAGE | {"local"}),
    Route("GET", "/types", types.list_types, frozenset({"details", "local"})),
    Route("GET", "/types/{}", types.retrieve_type, frozenset({"local"})),
    Route("GET", "/attributes", types.list_attributes, frozenset({"details", "local"})),
    Route("GET", "/attributes/{}", types.retrieve_attribute, frozenset({"local"})),
    Route("GET", "/temporal/entities", temporal.query_entities, SELECTION | FORM | PAGE | TEMPORAL | HINTS),
    Route("GET", "/temporal/entities/{}", temporal.retrieve_entity, FORM | TEMPORAL | HINTS),
    Route("POST", "/temporal/entities", temporal.upsert_entity, frozenset({"local"})),
    Route("POST", "/temporal/entities/{}/attrs", temporal.append_instances, HINTS),
    Route("POST", "/temporal/entityOperations/query", temporal.query_by_body, FORM | PAGE | {"local"}),
    Route("GET", "/info/sourceIdentity", identity.retrieve_identity),
)
