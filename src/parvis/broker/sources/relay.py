"""Hands what context sources notify on to subscribers, as if it had happened here (NGSI-LD 1.9.1, 5.8.6).

Nothing is queued: a source hears that its notification was taken once the subscriber has taken it, and keeps it else.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from parvis.broker.broker import Broker
from parvis.broker.jsonld.context import Context
from parvis.broker.jsonld.parse import decode
from parvis.broker.jsonld.render import CORE_MEMBERS, GEOMETRY_PROPERTY, encode, render_entity, render_feature
from parvis.broker.model.entity import Entity, Iri
from parvis.broker.model.merge import NULL
from parvis.broker.ports.notifications import NotificationSender, Verdict
from parvis.broker.ports.sources import SourceStore
from parvis.broker.ports.subscriptions import SubscriptionStore
from parvis.broker.query.evaluate import matches
from parvis.broker.query.tree import EntityQuery
from parvis.broker.sources.assemble import RANKS, Piece, Rank, assemble, read_entities
from parvis.broker.sources.consume import RETRIEVING
from parvis.broker.sources.copies import Copy, is_covered, is_read_here
from parvis.broker.sources.forward import Around
from parvis.broker.sources.plan import plan_retrieval, reachable
from parvis.broker.subscriptions import metrics
from parvis.broker.subscriptions.lanes import sender_to
from parvis.broker.subscriptions.model import DeadLetter, Note, Status, Subscription
from parvis.broker.subscriptions.notification import Message, compose, shape_of
from parvis.broker.subscriptions.seeing import reader_of
from parvis.kernel.errors import BadRequestData, Overloaded, ParvisError, ResourceNotFound
from parvis.kernel.time import Clock, system_clock

AT_ONCE = 16
MOST_ENTITIES = 1000
"""In one notification of a source."""
_ABOUT = CORE_MEMBERS | {"@context", "createdAt", "modifiedAt", "deletedAt", "expiresAt"}


class SubscriberAway(Overloaded):
    """The source may well try again: it has the notification, and nobody else."""

    type_uri = "about:blank"
    title = "The subscriber does not answer"
    status = 504


class Relay:
    """Any process may take a notification. `letters_kept` is the installation's setting."""

    def __init__(
        self,
        broker: Broker,
        subscriptions: SubscriptionStore,
        sources: SourceStore,
        senders: Mapping[str, NotificationSender],
        letters_kept: int,
        clock: Clock = system_clock,
    ) -> None:
        self._broker = broker
        self._subscriptions = subscriptions
        self.sources = sources
        self._senders = senders
        self._letters_kept = letters_kept
        self._clock = clock
        self._under_way = 0

    async def take(self, token: str, body: bytes) -> None:
        """Return once the subscriber has it, or will never have it; what is not meant for it is dropped.

        Raises:
            ResourceNotFound: nobody asked for it, or not any more.
            BadRequestData, InvalidRequest: it is no notification.
            SubscriberAway
            Overloaded: too much is under way.
        """
        copy = await self.sources.find_copy(token)
        if copy is None:
            raise ResourceNotFound("Nobody is told of what comes here.")
        if self._under_way >= AT_ONCE:
            raise Overloaded("Too many notifications are under way.", retry_after_s=2)
        self._under_way += 1
        try:
            await self._take(copy, body)
        finally:
            self._under_way -= 1

    async def _take(self, copy: Copy, body: bytes) -> None:
        notification_id, documents = _read(copy, body)
        found = await self._subscriptions.find(copy.tenant, copy.subscription_id)
        if found is None:
            raise ResourceNotFound("The subscription is there no more.")
        subscription, now = found.subscription, self._clock()
        if subscription.local_only or subscription.status(now) is not Status.ACTIVE:
            return
        context = await self._broker.contexts.resolve(copy.context, copy.tenant)
        kept = [part for one in documents if (part := self._meant(copy, subscription, one, context)) is not None]
        told = [encode(one) for one in kept]
        if is_read_here(subscription, copy.registration):
            context = await self._own_context(subscription)
            told = await self._judged(copy, subscription, kept, context)
        if told:
            number = int.from_bytes(hashlib.blake2b(f"{copy.token} {notification_id}".encode(), digest_size=7).digest())
            await self._send(subscription, compose(subscription, context, told, number, now), kept, number)

    def _meant(
        self, copy: Copy, subscription: Subscription, document: Mapping[str, Any], context: Context
    ) -> dict[str, Any] | None:
        """What the source was asked for of it. Entities that others lead to are beside what was selected."""
        types = _types(document, context)
        reader = reader_of(self._broker, subscription)
        if reader is None or (types and not self._broker.may_read(reader, types)):
            return None
        is_beside = subscription.notification.join is not None
        entity_id = document.get("id")
        if not is_beside and not (
            isinstance(entity_id, str) and types and is_covered(copy.registration, subscription, entity_id, types)
        ):
            return None
        infos = copy.registration.information
        if is_beside or any(not info.attributes for info in infos):
            return dict(document)
        names = {name for info in infos for name in info.attributes}
        return {name: part for name, part in document.items() if name in _ABOUT or context.expand(name) in names}

    async def _own_context(self, subscription: Subscription) -> Context:
        return await self._broker.contexts.resolve(
            subscription.jsonld_context or subscription.context, subscription.tenant
        )

    async def _judged(
        self, copy: Copy, subscription: Subscription, documents: Sequence[Mapping[str, Any]], context: Context
    ) -> list[bytes]:
        """Of each entity what is known here and elsewhere too, where it lies in pieces; then those that are asked for,
        as the subscriber wants them."""
        theirs = await self._broker.contexts.resolve(copy.context, copy.tenant)
        there = [_without_nulls(one) for one in documents if "deletedAt" not in one]
        entities = read_entities(encode(there), theirs)
        if subscription.split_entities:
            entities = [await self._joined(copy, subscription, one, context) for one in entities]
        asked = EntityQuery(q=subscription.q, geo=subscription.geo, scope=subscription.scope)
        gone = [_named_in(one, theirs, context) for one in documents if "deletedAt" in one]
        return [_rendered(one, subscription, context) for one in entities if matches(one, asked)] + gone

    async def _joined(self, copy: Copy, subscription: Subscription, entity: Entity, context: Context) -> Entity:
        reader = reader_of(self._broker, subscription)
        local = None if reader is None else await self._broker.find(reader, entity.id)
        pieces = [] if local is None else [Piece(Rank.EQUAL, local)]
        pieces.append(Piece(RANKS[copy.registration.mode], entity))
        sources = self._broker.sources
        registered = [one for one in await sources.index.of(copy.tenant) if one.id != copy.registration.id]
        around = Around(copy.tenant, await sources.alias(copy.tenant), context)
        parts = plan_retrieval(reachable(registered, around, self._clock()), entity.id, entity.types, (), RETRIEVING)
        if parts and sources.consumption is not None:
            pieces += (await sources.consumption.gather(parts, around)).pieces
        return assemble(pieces)[0]

    async def _send(
        self, subscription: Subscription, message: Message, told: Sequence[Mapping[str, Any]], number: int
    ) -> None:
        endpoint, now = subscription.notification.endpoint, self._clock()
        receipt = await sender_to(endpoint.uri, self._senders).send(endpoint, message.headers, message.body)
        note = Note(subscription.tenant, subscription.id, sent=1, last_notification=now)
        if receipt.verdict is Verdict.TAKEN:
            metrics.SENT.inc()
            await self._subscriptions.note([replace(note, last_success=now)])
            return
        metrics.FAILED.inc()
        await self._subscriptions.note([replace(note, failed=1, last_failure=now, last_reason=receipt.reason)])
        if receipt.verdict is Verdict.LATER:
            raise SubscriberAway("The subscriber is away just now.", retry_after_s=max(2, round(receipt.wait_s)))
        letter = DeadLetter(
            subscription.tenant,
            subscription.id,
            now,
            str(told[0].get("id", "")),
            number,
            endpoint.shown_uri,
            receipt.reason,
            1,
            message.body,
            message.headers,
        )
        await self._subscriptions.bury([letter], self._letters_kept)


def _read(copy: Copy, body: bytes) -> tuple[str, list[Mapping[str, Any]]]:
    """Raises BadRequestData, or ResourceNotFound where it is of another subscription."""
    given = decode(body)
    if not isinstance(given, dict) or given.get("type") != "Notification":
        raise BadRequestData("A Notification is expected here (5.3.1).")
    if given.get("subscriptionId") != copy.remote_id:
        raise ResourceNotFound("Nobody is told of this subscription here.")
    data = given.get("data")
    documents: list[Any] = data if isinstance(data, list) else [data]
    if len(documents) > MOST_ENTITIES or not all(isinstance(one, dict) for one in documents):
        raise BadRequestData(f"A Notification has an array of at most {MOST_ENTITIES} entities for data.")
    return str(given.get("id", "")), documents


def _types(document: Mapping[str, Any], context: Context) -> list[Iri]:
    given = document.get("type", [])
    names = given if isinstance(given, list) else [given]
    try:
        return [context.expand(one) for one in names if isinstance(one, str)]
    except ParvisError:
        return []


def _without_nulls(document: Mapping[str, Any]) -> dict[str, Any]:
    """Without attributes that are told as deleted."""
    return {name: part for name, part in document.items() if not _is_null(part)}


def _is_null(part: Any) -> bool:
    if isinstance(part, list) and part:
        return all(map(_is_null, part))
    return isinstance(part, dict) and NULL in (part.get("value"), part.get("object"), part.get("vocab"))


def _named_in(document: Mapping[str, Any], theirs: Context, context: Context) -> bytes:
    """A deleted entity, in the subscriber's names."""
    types = [context.compact(one) for one in _types(document, theirs)]
    type_ = types[0] if len(types) == 1 else types
    return encode({"id": document["id"], "type": type_, "deletedAt": document["deletedAt"]})


def _rendered(entity: Entity, subscription: Subscription, context: Context) -> bytes:
    shape = shape_of(subscription)
    if shape.is_geo:
        return render_feature(entity, context, shape.representation, GEOMETRY_PROPERTY)
    return render_entity(entity, context, shape.representation)
