"""One request after the other through every operation, in every form."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

BIN = "urn:ngsi-ld:Bin:1"
PAST = "urn:ngsi-ld:Meter:1"
RANGE = "timerel=after&timeAt=2026-01-01T00:00:00Z"
ENTITY: dict[str, Any] = {
    "id": BIN,
    "type": ["Bin", "Asset"],
    "scope": ["/town/port", "/town"],
    "level": [
        {
            "type": "Property",
            "value": 0.5,
            "unitCode": "C62",
            "observedAt": "2026-05-01T08:00:00Z",
            "accuracy": {"type": "Property", "value": 0.1},
        },
        {"type": "Property", "value": 0.6, "datasetId": "urn:ngsi-ld:Dataset:b"},
    ],
    "location": {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [-3.1, 48.2]}},
    "owner": {"type": "Relationship", "object": "urn:ngsi-ld:Town:1"},
    "name": {"type": "LanguageProperty", "languageMap": {"fr": "Bac", "en": "Bin"}},
}
EVOLUTION = {
    "id": PAST,
    "type": "Meter",
    "flow": [
        {"type": "Property", "value": hour, "observedAt": f"2026-05-01T0{hour}:00:00Z", "unitCode": "MQH"}
        for hour in range(5)
    ],
}
SUBSCRIPTION = {
    "id": "urn:ngsi-ld:Subscription:1",
    "type": "Subscription",
    "description": "Full bins",
    "entities": [{"type": "Bin"}],
    "watchedAttributes": ["level"],
    "q": "level>0.8",
    "throttling": 5,
    "expiresAt": "2040-01-01T00:00:00Z",
    "notification": {
        "attributes": ["level"],
        "format": "keyValues",
        "endpoint": {"uri": "http://127.0.0.1:9/told", "accept": "application/json"},
    },
}
REGISTRATION = {
    "id": "urn:ngsi-ld:ContextSourceRegistration:1",
    "type": "ContextSourceRegistration",
    "endpoint": "http://127.0.0.1:9",
    "information": [{"entities": [{"type": "Elsewhere"}], "propertyNames": ["level"]}],
    "mode": "inclusive",
    "operations": ["federationOps"],
    "management": {"timeout": 1000},
}
OF_SOURCES = {**SUBSCRIPTION, "id": "urn:ngsi-ld:CsourceSubscription:1", "q": "speed>1"}
LD = {"Accept": "application/ld+json"}
GEO = {"Accept": "application/geo+json"}


class Call(msgspec.Struct, frozen=True):
    """`is_described` where version 1.7.1 has words for the form of the answer: it knows the normalized one."""

    method: str
    path: str
    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = msgspec.field(default_factory=dict)
    is_described: bool = True


def calls() -> Iterator[Call]:
    yield from _provision()
    yield from _consumption()
    yield from _past()
    yield from _kept("/subscriptions", SUBSCRIPTION, {"throttling": 10})
    yield from _kept("/csourceRegistrations", REGISTRATION, {"mode": "auxiliary"}, listed="?type=Elsewhere")
    yield from _kept("/csourceSubscriptions", OF_SOURCES, {"description": "others"})
    yield from _contexts()
    yield from _ending()


def _provision() -> Iterator[Call]:
    yield Call("POST", "/entities", 201, ENTITY)
    yield Call("POST", "/entities", 409, ENTITY)
    yield Call("POST", "/entities", 400, {"id": "no uri", "type": "Bin"})
    yield Call("POST", f"/entities/{BIN}/attrs", 204, {"note": {"type": "Property", "value": "new"}})
    yield Call("POST", f"/entities/{BIN}/attrs?options=noOverwrite", 207, {"note": "x", "more": 1})
    yield Call("PATCH", f"/entities/{BIN}/attrs", 204, {"note": {"type": "Property", "value": "newer"}})
    yield Call("PATCH", f"/entities/{BIN}/attrs/note", 204, {"value": "newest"})
    yield Call("PUT", f"/entities/{BIN}/attrs/note", 204, {"type": "Property", "value": "last"})
    yield Call("PATCH", f"/entities/{BIN}", 204, {"note": {"value": "merged"}})
    yield Call("PATCH", "/entities/urn:ngsi-ld:Bin:none", 404, {"note": {"value": "merged"}})
    yield Call("POST", "/entityOperations/create", 207, [ENTITY, {"id": "urn:ngsi-ld:Bin:2", "type": "Bin"}])
    yield Call("POST", "/entityOperations/create", 201, [{"id": "urn:ngsi-ld:Bin:3", "type": "Bin"}])
    yield Call("POST", "/entityOperations/upsert", 201, [{"id": "urn:ngsi-ld:Bin:4", "type": "Bin", "level": 1}])
    yield Call("POST", "/entityOperations/upsert", 204, [{"id": "urn:ngsi-ld:Bin:4", "type": "Bin", "level": 2}])
    yield Call("POST", "/entityOperations/update", 207, [{"id": "urn:ngsi-ld:Bin:9", "type": "Bin", "level": 2}])
    yield Call("POST", "/entityOperations/merge", 204, [{"id": "urn:ngsi-ld:Bin:4", "level": {"value": 3}}])
    yield Call("POST", "/entityOperations/delete", 207, ["urn:ngsi-ld:Bin:4", "urn:ngsi-ld:Bin:9"])


def _consumption() -> Iterator[Call]:
    for form in ("", "?format=concise", "?format=simplified", "?options=sysAttrs", "?lang=en", "?pick=id,type,level"):
        is_described = form not in {"?format=concise", "?format=simplified"}
        for headers in ({}, LD, GEO):
            yield Call("GET", f"/entities/{BIN}{form}", 200, None, headers, is_described)
            listed = f"/entities{form.replace('?', '?type=Asset&') or '?type=Asset'}"
            yield Call("GET", listed, 200, None, headers, is_described)
    yield Call("GET", "/entities/urn:ngsi-ld:Bin:none", 404)
    yield Call("GET", "/entities", 400)
    yield Call("GET", "/entities?type=Bin&limit=1&count=true")
    yield Call("POST", "/entityOperations/query", 200, {"type": "Query", "entities": [{"type": "Bin"}], "q": "level>0"})
    for path in (
        "/types",
        "/types?details=true",
        "/types/Bin",
        "/attributes",
        "/attributes?details=true",
        "/attributes/level",
    ):
        yield Call("GET", path)
        yield Call("GET", path, 200, None, LD)
    yield Call("GET", "/types/Nothing", 404)


def _past() -> Iterator[Call]:
    yield Call("POST", "/temporal/entities", 201, EVOLUTION)
    yield Call("POST", "/temporal/entities", 204, EVOLUTION)
    more = {"type": "Property", "value": 9, "observedAt": "2026-05-02T00:00:00Z"}
    yield Call("POST", f"/temporal/entities/{PAST}/attrs", 204, {"flow": [more]})
    for form in ("", "&options=sysAttrs", "&options=temporalValues", "&lastN=2", f"&{_AGGREGATION}"):
        for headers in ({}, LD):
            is_described = not headers and "Values" not in form
            yield Call("GET", f"/temporal/entities/{PAST}?{RANGE}{form}", 200, None, headers, is_described)
            yield Call("GET", f"/temporal/entities?type=Meter&{RANGE}{form}", 200, None, headers, is_described)
    yield Call("GET", "/temporal/entities?type=Meter&timerel=never", 400)
    query = {"type": "Query", "entities": [{"type": "Meter"}]}
    within = {"timerel": "after", "timeAt": "2026-01-01T00:00:00Z"}
    yield Call("POST", "/temporal/entityOperations/query", 200, {**query, "temporalQ": within})


_AGGREGATION = "options=aggregatedValues&aggrMethods=avg,max&aggrPeriodDuration=PT2H"


def _kept(path: str, one: dict[str, Any], patch: dict[str, Any], listed: str = "") -> Iterator[Call]:
    yield Call("POST", path, 201, one)
    yield Call("POST", path, 409, one)
    yield Call("POST", path, 400, {"type": one["type"]})
    for form in ("", "options=sysAttrs"):
        for headers in ({}, LD):
            yield Call("GET", f"{path}/{one['id']}?{form}", 200, None, headers)
            yield Call("GET", f"{path}?{listed.lstrip('?')}&{form}".replace("?&", "?").rstrip("&?"), 200, None, headers)
    yield Call("PATCH", f"{path}/{one['id']}", 204, patch)
    yield Call("DELETE", f"{path}/{one['id']}", 204)
    yield Call("GET", f"{path}/{one['id']}", 404)


def _contexts() -> Iterator[Call]:
    yield Call("POST", "/jsonldContexts", 201, {"@context": {"a": "https://example.org/a"}})
    yield Call("POST", "/jsonldContexts", 400, {"no": "context"})
    yield Call("GET", "/jsonldContexts")
    yield Call("GET", "/jsonldContexts?details=true", is_described=False)
    yield Call("GET", "/jsonldContexts/none", 404)


def _ending() -> Iterator[Call]:
    yield Call("DELETE", f"/temporal/entities/{PAST}", 204)
    yield Call("DELETE", f"/temporal/entities/{BIN}/attrs/level", 204)
    yield Call("DELETE", f"/entities/{BIN}/attrs/note", 204)
    yield Call("PUT", f"/entities/{BIN}", 204, {"type": "Bin", "level": {"type": "Property", "value": 1}})
    yield Call("DELETE", f"/entities/{BIN}", 204)
    yield Call("DELETE", f"/entities/{BIN}", 404)
