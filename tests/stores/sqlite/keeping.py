"""A small store with something of everything, and what it answers: in words that later versions answer as well."""

import hashlib
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec

from parvis.access.audit_proof import proof_lines, prove
from parvis.access.model import Account, ApiKey, AuditRecord
from parvis.broker.jsonld.contexts import Contexts
from parvis.broker.jsonld.render import NORMALIZED, render_entity
from parvis.broker.model.change import Change, Mode
from parvis.broker.model.entity import Entity, Instance, Kind
from parvis.broker.query.tree import EntityQuery, TemporalQuery
from parvis.broker.subscriptions.model import Endpoint, NotificationParams, Subscription
from parvis.kernel.time import DAY, HOUR, MINUTE, Instant
from parvis.stores.sqlite import access as access_module
from parvis.stores.sqlite.access import SqliteAccessStore
from parvis.stores.sqlite.database import SCHEMA
from parvis.stores.sqlite.store import SqliteStore

STORE, ACCESS = "parvis.db", "access.db"
TENANTS = ("default", "town")
BEGUN: Instant = 1_795_348_800_000_000
BIN = "https://example.org/WasteContainer"
ENTITIES = 5
WORDS = ("level", "note", "street", "place", "name", "category", "raw", "series")


class Clock:
    """So that a store made anew is the same."""

    def __init__(self) -> None:
        self.now = BEGUN

    def __call__(self) -> Instant:
        self.now += MINUTE
        return self.now


async def fill(folder: Path) -> None:
    store = await SqliteStore.open(folder / STORE, Clock())
    await store.add_tenant("town")
    for tenant in TENANTS:
        for number in range(ENTITIES):
            await store.write(tenant, [Change(_urn(number), Mode.UPSERT_UPDATE, _first(number), (BIN,), ("/port",))])
        for hour in range(12):
            levels = [Change(_urn(one), Mode.APPEND, (_level(one, hour),)) for one in range(ENTITIES)]
            await store.write(tenant, levels)
        await store.write(tenant, [Change(_urn(ENTITIES - 1), Mode.DELETE)])
        told = NotificationParams(Endpoint("http://example.org/told"))
        await store.subscriptions.add(Subscription(tenant, "urn:ngsi-ld:Subscription:1", told))
    await store.archive.settle()
    await store.write("town", [Change(_urn(1), Mode.APPEND, (_level(1, 30),))])
    await store.close()
    _fill_access(folder / ACCESS)


def _fill_access(path: Path) -> None:
    with closing(SqliteAccessStore(path)) as access:
        access.add_account(Account("odile", "hash", "operator", "town", BEGUN))
        access.add_key(ApiKey("key-1", hashlib.sha256(b"key").digest(), "weather", "device", "town", BEGUN))
        for number in range(5):
            access.append_audit(AuditRecord(BEGUN + number, "town", "user:odile", "signed-in", str(number)))


async def answers_of(folder: Path) -> dict[str, Any]:
    """Of this version, which may first migrate the store."""
    store = await SqliteStore.open(folder / STORE, Clock())
    tenants = {tenant: await _answers_of(store, tenant) for tenant in TENANTS}
    await store.close()
    with closing(SqliteAccessStore(folder / ACCESS)) as access:
        trail = prove(proof_lines(access.read_audit()))
        known = {
            "accounts": [[one.name, one.role, one.tenant] for one in access.list_accounts()],
            "keys": [[one.id, one.label, one.role, one.tenant] for one in access.list_keys()],
            "trail": [trail.entries, trail.digest],
        }
    return {"tenants": tenants, "access": known}


async def _answers_of(store: SqliteStore, tenant: str) -> dict[str, Any]:
    page = await store.query(tenant, EntityQuery(limit=1000))
    past = {}
    for number in range(ENTITIES):
        history = await store.history(tenant, _urn(number), TemporalQuery())
        assert history is not None
        past[_urn(number)] = {
            f"{name} {dataset}": [[one.seq, one.observed_at, one.modified_at, one.value] for one in instances]
            for (name, dataset), instances in sorted(history.instances.items())
        }
    subscribed = (await store.subscriptions.list_page(tenant, 100)).subscribed
    return {
        "entities": [_told(one) for one in sorted(page.entities, key=lambda one: one.id)],
        "past": past,
        "types": await store.count_types(tenant),
        "subscriptions": [[one.subscription.id, one.subscription.notification.endpoint.uri] for one in subscribed],
        "events": await store.newest(),
    }


def fingerprint() -> str:
    """Of the schemas: while a version is not released they may still be changed in place."""
    texts = [*SCHEMA.migrations, *(path.read_text("utf-8") for path in access_module._SCHEMAS)]
    texts.append(repr(access_module._ADDED))
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()


def _told(entity: Entity) -> Any:
    shown = msgspec.structs.replace(NORMALIZED, sys_attrs=True)
    return msgspec.json.decode(render_entity(entity, Contexts().parvis, shown))


def _urn(number: int) -> str:
    return f"urn:ngsi-ld:WasteContainer:{number}"


def _level(number: int, hour: int) -> Instance:
    at = BEGUN - DAY + hour * HOUR
    accuracy = {"https://example.org/accuracy": {"type": "Property", "value": 0.5}}
    return Instance("https://example.org/level", Kind.PROPERTY, number + hour / 4, "", at, "P1", accuracy)


def _first(number: int) -> tuple[Instance, ...]:
    point = {"type": "Point", "coordinates": [-3.37 + number / 1000, 47.75]}
    values: tuple[tuple[Kind, Any], ...] = (
        (Kind.PROPERTY, number),
        (Kind.PROPERTY, f"note {number}"),
        (Kind.RELATIONSHIP, "urn:ngsi-ld:Road:d7"),
        (Kind.GEO_PROPERTY, point),
        (Kind.LANGUAGE_PROPERTY, {"fr": "Le port", "en": "The harbour"}),
        (Kind.VOCAB_PROPERTY, "https://example.org/Glass"),
        (Kind.JSON_PROPERTY, {"any": [None, 1.5]}),
        (Kind.LIST_PROPERTY, [1, 2.5]),
    )
    return tuple(
        Instance(f"https://example.org/{word}", kind, value) for word, (kind, value) in zip(WORDS, values, strict=True)
    )
