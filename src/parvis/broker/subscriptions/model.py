"""Subscriptions and what became of their notifications (NGSI-LD 1.9.1, 5.2.12 to 5.2.15), names expanded."""

from collections.abc import Mapping
from enum import Enum
from typing import Any
from urllib.parse import urlsplit

import msgspec

from parvis.broker.jsonld.render import Form
from parvis.broker.model.entity import AttributeKey, Entity, Instance, Iri
from parvis.broker.query.linking import Join, Linking, Shown
from parvis.broker.query.projection import NOTHING, Projection
from parvis.broker.query.tree import Condition, GeoQuery, ScopeQuery, TypeSelection
from parvis.kernel.identity import Caller, Right
from parvis.kernel.time import SECOND, Instant


class Trigger(Enum):
    """What happened to an entity or to an attribute of it (5.2.12, notificationTrigger)."""

    ENTITY_CREATED = "entityCreated"
    ENTITY_UPDATED = "entityUpdated"
    ENTITY_DELETED = "entityDeleted"
    ATTRIBUTE_CREATED = "attributeCreated"
    ATTRIBUTE_UPDATED = "attributeUpdated"
    ATTRIBUTE_DELETED = "attributeDeleted"


DEFAULT_TRIGGERS = (Trigger.ATTRIBUTE_CREATED, Trigger.ATTRIBUTE_UPDATED)


class Accept(Enum):
    """The media type in which a receiver wants its notifications."""

    JSON = "application/json"
    JSON_LD = "application/ld+json"
    GEO_JSON = "application/geo+json"


class Status(Enum):
    ACTIVE = "active"
    PAUSED = "paused"
    EXPIRED = "expired"


class Selector(msgspec.Struct, frozen=True, omit_defaults=True):
    """One of the alternatives of `entities` (5.2.33). `types` None: of any type. `id` goes before `id_pattern`."""

    types: TypeSelection | None = None
    id: str | None = None
    id_pattern: str | None = None


class Endpoint(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where notifications go. `receiver_info` is for the receiver (HTTP headers) and may hold secrets: never log it.

    `notifier_info` is for the one who sends, such as MQTT-QoS and MQTT-Version. `cooldown_ms` is waited for after a
    failure.
    """

    uri: str
    accept: Accept = Accept.JSON
    timeout_ms: int | None = None
    cooldown_ms: int | None = None
    receiver_info: tuple[tuple[str, str], ...] = ()
    notifier_info: tuple[tuple[str, str], ...] = ()

    @property
    def shown_uri(self) -> str:
        """As it may be shown and logged: an MQTT address can hold a password."""
        return without_password(self.uri)

    def __repr__(self) -> str:
        return f"Endpoint({self.shown_uri!r}, {self.accept})"


def without_password(uri: str) -> str:
    try:
        parts = urlsplit(uri)
        if parts.password is None:
            return uri
    except ValueError:
        return ""
    return parts._replace(netloc=f"{parts.username}@{parts.netloc.rpartition('@')[2]}").geturl()


class NotificationParams(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a notification tells, in which form, and whereto (5.2.14). `join` is None where linked entities stay out."""

    endpoint: Endpoint
    attributes: tuple[Iri, ...] = ()
    pick: Projection = NOTHING
    omit: Projection = NOTHING
    form: Form = Form.NORMALIZED
    sys_attrs: bool = False
    show_changes: bool = False
    join: Join | None = None
    join_level: int = 1

    @property
    def linking(self) -> Linking | None:
        return None if self.join is None else Linking(self.join, self.join_level)

    @property
    def shown(self) -> Shown:
        return Shown(self.pick, self.omit)


class Subscription(msgspec.Struct, frozen=True, omit_defaults=True):
    """Somebody's wish to be told (5.2.12).

    `triggers` and `watched` are empty where the request says nothing of them: DEFAULT_TRIGGERS, any attribute.
    `q_text`, `csf_text`, `scope_text` and `context` are as they were given; `context` is the @context of the
    notifications, `conformance` the version of NGSI-LD that their entities keep to (4.3.6.8). `local_only`,
    `split_entities` and `csf_text` are about other brokers' entities; None where the request says nothing of them.
    `via` are the brokers that the request to make it has passed (6.3.18).
    `creator` and `rights` are those of who wrote it last: its notifications tell only what they may read.
    """

    tenant: str
    id: str
    notification: NotificationParams
    selectors: tuple[Selector, ...] = ()
    watched: tuple[Iri, ...] = ()
    triggers: tuple[Trigger, ...] = ()
    name: str | None = None
    description: str | None = None
    interval_s: float | None = None
    q: Condition | None = None
    q_text: str | None = None
    geo: GeoQuery | None = None
    scope: ScopeQuery | None = None
    scope_text: str | None = None
    expand_values: tuple[Iri, ...] = ()
    json_keys: tuple[Iri, ...] = ()
    csf_text: str | None = None
    local_only: bool | None = None
    split_entities: bool | None = None
    conformance: str | None = None
    datasets: tuple[str, ...] = ()
    lang: str | None = None
    is_active: bool = True
    expires_at: Instant | None = None
    throttling_s: float | None = None
    jsonld_context: str | None = None
    context: Any = None
    creator: str = ""
    rights: int = 0
    via: tuple[str, ...] = ()
    created_at: Instant = 0
    modified_at: Instant = 0

    @property
    def consumer(self) -> str:
        """Its name among the consumers of the outbox."""
        return consumer_of(self.tenant, self.id)

    @property
    def is_periodic(self) -> bool:
        return self.interval_s is not None

    @property
    def throttling(self) -> int:
        """In microseconds; 0 where there is none."""
        return round((self.throttling_s or 0) * SECOND)

    @property
    def reader(self) -> Caller:
        """In whose name entities are read for it."""
        return Caller(self.tenant, self.creator, Right(self.rights))

    def status(self, now: Instant) -> Status:
        if self.expires_at is not None and self.expires_at <= now:
            return Status.EXPIRED
        return Status.ACTIVE if self.is_active else Status.PAUSED


def consumer_of(tenant: str, subscription_id: str) -> str:
    return f"subscription:{tenant}:{subscription_id}"


class Deliveries(msgspec.Struct, frozen=True):
    """What became of a subscription's notifications so far (5.2.14.2): `times_sent` counts attempts, `times_failed`
    those that no receiver took. `last_reason` is that of the last failure."""

    times_sent: int = 0
    times_failed: int = 0
    last_notification: Instant | None = None
    last_success: Instant | None = None
    last_failure: Instant | None = None
    last_reason: str | None = None


NONE_SO_FAR = Deliveries()


class Subscribed(msgspec.Struct, frozen=True):
    """A subscription as it stands in the store. `position` is the last event of the outbox that is settled for it."""

    subscription: Subscription
    deliveries: Deliveries = NONE_SO_FAR
    position: int = 0


class Note(msgspec.Struct, frozen=True):
    """What is to be remembered of a subscription since the last note: counts to add, instants to take over.

    `position` moves its consumer; None leaves it. A note of a subscription that is gone changes nothing.
    """

    tenant: str
    subscription_id: str
    position: int | None = None
    sent: int = 0
    failed: int = 0
    last_notification: Instant | None = None
    last_success: Instant | None = None
    last_failure: Instant | None = None
    last_reason: str | None = None


class DeadLetter(msgspec.Struct, frozen=True):
    """A notification that was given up. `body` and `headers` are what would be sent, without receiverInfo.

    `number` is the store's; 0 until stored.
    """

    tenant: str
    subscription_id: str
    at: Instant
    entity_id: str
    event: int
    uri: str
    reason: str
    attempts: int
    body: bytes
    headers: Mapping[str, str]
    number: int = 0


class Occurrence(msgspec.Struct, frozen=True):
    """A committed change with what a reaction needs to know beside it.

    `entity` is the entity as it is after the change (deleted: as it was before). `created` are the keys that were not
    there before; `previous` the instances that the change removed and, where they were asked for, overwrote.
    """

    seq: int
    tenant: str
    at: Instant
    entity: Entity
    is_deletion: bool = False
    is_creation: bool = False
    written: tuple[Instance, ...] = ()
    removed: tuple[AttributeKey, ...] = ()
    created: frozenset[AttributeKey] = frozenset()
    previous: tuple[Instance, ...] = ()
