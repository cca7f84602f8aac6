"""The door to context sources: who may register them and see them, and who is told (NGSI-LD 1.9.1, 5.9 to 5.11)."""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from parvis.broker.jsonld.context import Context
from parvis.broker.jsonld.contexts import Contexts
from parvis.broker.ports.sources import Others, SourceStore, SourceSubscriptionPage
from parvis.broker.query.tree import AnyType, EntityQuery, TypeIs, TypeSelection
from parvis.broker.rights import check_everywhere, refusal
from parvis.broker.sources.conflict import check_conflict
from parvis.broker.sources.consume import Consumption
from parvis.broker.sources.discovery import SourceQuery, matches
from parvis.broker.sources.forward import FROM_REQUEST, Health, SourceClient, alias_of
from parvis.broker.sources.index import SourceIndex
from parvis.broker.sources.model import EntityInfo, Registration, RegistrationInfo, RegistrationMode
from parvis.broker.sources.parse import new_registration, read_patch
from parvis.broker.sources.provide import Provision
from parvis.broker.sources.subscription import (
    SourceSubscribed,
    SourceSubscription,
    new_source_subscription,
    read_source_patch,
)
from parvis.kernel.errors import Conflict, ParvisError, ResourceNotFound
from parvis.kernel.identity import Caller, Right
from parvis.kernel.outbound import CallFailed
from parvis.kernel.time import Clock, system_clock

AddressCheck = Callable[[str], Awaitable[None]]
IsHeld = Callable[[str, EntityQuery], Awaitable[bool]]
"""Whether the tenant holds an entity of its own that the query asks for."""

_PROOFS = frozenset({"authorization", "proxy-authorization", "cookie", "x-api-key"})
_log = logging.getLogger(__name__)


class ContextSources:
    """WRITE registers and ends, READ sees; ADMINISTER sees what is secret."""

    def __init__(
        self,
        store: SourceStore,
        is_held: IsHeld,
        contexts: Contexts,
        check_address: AddressCheck | None = None,
        clock: Clock = system_clock,
        most: int | None = None,
        most_subscriptions: int | None = None,
        client: SourceClient | None = None,
    ) -> None:
        """`most` registrations, and so many subscriptions to them, each tenant may have; None: as many as it likes."""
        self.index = SourceIndex(store)
        self.client = client
        self.consumption = None if client is None else Consumption(client, contexts)
        self.provision = None if client is None else Provision(client, contexts)
        self._mark: str | None = None
        self._store = store
        self._is_held = is_held
        self._check_address = check_address
        self._clock = clock
        self._most = most
        self._most_subscriptions = most_subscriptions

    async def alias(self, tenant: str) -> str:
        """By what this broker is known among brokers, as that of this tenant (5.15)."""
        if self._mark is None:
            self._mark = await self._store.mark()
        return alias_of(self._mark, tenant)

    async def register(self, caller: Caller, document: Mapping[str, Any], context: Context) -> Registration:
        """Register context source (5.9.2).

        Raises:
            BadRequestData, AddressRefused
            Forbidden: it would send callers' credentials on, which only ADMINISTER may wish.
            Conflict: what it covers is held by another source, or here.
            AlreadyExists, TooManyRegistrations
        """
        _check_writer(caller)
        now = self._clock()
        registration = new_registration(document, context, caller, now)
        _check_secrets(caller, registration)
        await self._check_endpoint(registration.endpoint)
        await self._check_held(registration)
        await self._store.add(registration, lambda others: check_conflict(registration, others, now), self._most)
        await self._follow_up()
        _log.info("context source registered", extra=_facts(caller, registration.id))
        return registration

    async def update(self, caller: Caller, registration_id: str, document: Mapping[str, Any], context: Context) -> None:
        """Update registration (5.9.3): members given take the place of those there, null takes them back.

        Raises as `register`, and ResourceNotFound.
        """
        _check_writer(caller)
        patch, now = read_patch(document, context), self._clock()
        before = await self.get(caller, registration_id)
        asked = patch.apply(before, now)
        if asked.source_info != before.source_info or asked.endpoint != before.endpoint:
            _check_secrets(caller, asked)
        if asked.endpoint != before.endpoint:
            await self._check_endpoint(asked.endpoint)
        if (asked.mode, asked.information) != (before.mode, before.information):
            await self._check_held(asked)

        def alter(one: Registration, others: Others) -> Registration:
            altered = patch.apply(one, now)
            check_conflict(altered, others, now)
            return altered

        await self._store.change(caller.tenant, registration_id, alter)
        await self._follow_up()
        _log.info("context source changed", extra=_facts(caller, registration_id))

    async def delete(self, caller: Caller, registration_id: str) -> None:
        """Delete registration (5.9.4). Raises ResourceNotFound."""
        _check_writer(caller)
        if not await self._store.remove(caller.tenant, registration_id):
            raise _no_registration(registration_id)
        await self._follow_up()
        _log.info("context source gone", extra=_facts(caller, registration_id))

    async def get(self, caller: Caller, registration_id: str) -> Registration:
        """Retrieve registration (5.10.1). Raises ResourceNotFound."""
        _check_reader(caller)
        found = await self._store.find(caller.tenant, registration_id)
        if found is None or not found.is_in_force(self._clock()):
            raise _no_registration(registration_id)
        return found

    def find_health(self, registration: Registration) -> Health | None:
        """How this process' calls to it went; None where there were none."""
        return None if self.client is None else self.client.find_health(registration)

    async def query(self, caller: Caller, query: SourceQuery) -> list[Registration]:
        """Query registrations (5.10.2), in the order of their creation."""
        _check_reader(caller)
        now = self._clock()
        registered = await self.index.of(caller.tenant)
        return [one for one in registered if one.is_in_force(now) and matches(one, query)]

    async def subscribe(self, caller: Caller, document: Mapping[str, Any], context: Context) -> SourceSubscription:
        """Create registration subscription (5.11.2).

        Raises:
            BadRequestData, TooComplexQuery, OperationNotSupported, AddressRefused
            AlreadyExists, TooManySubscriptions
        """
        _check_writer(caller)
        subscription = new_source_subscription(document, context, caller, self._clock())
        await self._check_endpoint(subscription.wish.notification.endpoint.uri)
        await self._store.add_subscription(subscription, self._most_subscriptions)
        _log.info("subscribed to context sources", extra=_facts(caller, subscription.id))
        return subscription

    async def update_subscription(
        self, caller: Caller, subscription_id: str, document: Mapping[str, Any], context: Context
    ) -> None:
        """Update registration subscription (5.11.3). Raises as `subscribe`, and ResourceNotFound."""
        _check_writer(caller)
        patch, now = read_source_patch(document, context), self._clock()
        before = (await self.get_subscription(caller, subscription_id)).subscription
        asked = patch.apply(before, caller, now).wish.notification.endpoint.uri
        if asked != before.wish.notification.endpoint.uri:
            await self._check_endpoint(asked)
        await self._store.change_subscription(caller.tenant, subscription_id, lambda one: patch.apply(one, caller, now))

    async def get_subscription(self, caller: Caller, subscription_id: str) -> SourceSubscribed:
        """Retrieve registration subscription (5.11.4). Raises ResourceNotFound."""
        _check_reader(caller)
        found = await self._store.find_subscription(caller.tenant, subscription_id)
        if found is None:
            raise _no_subscription(subscription_id)
        return found

    async def list_subscriptions(self, caller: Caller, limit: int, offset: int = 0) -> SourceSubscriptionPage:
        """Query registration subscriptions (5.11.5)."""
        _check_reader(caller)
        return await self._store.list_subscriptions(caller.tenant, limit, offset)

    async def unsubscribe(self, caller: Caller, subscription_id: str) -> None:
        """Delete registration subscription (5.11.6). Raises ResourceNotFound."""
        _check_writer(caller)
        if not await self._store.remove_subscription(caller.tenant, subscription_id):
            raise _no_subscription(subscription_id)

    async def _follow_up(self) -> None:
        """What is stored is stored: whoever follows the index takes it over where it cannot be read just now."""
        try:
            await self.index.refresh()
        except ParvisError as failure:
            _log.warning("registrations could not be read anew", extra={"reason": failure.detail})

    async def _check_endpoint(self, uri: str) -> None:
        """A name that leads nowhere just now may do so later: whoever calls it checks it again, each time."""
        if self._check_address is None or uri.startswith("mqtt"):
            return
        try:
            await self._check_address(uri)
        except CallFailed as failure:
            _log.info("an address cannot be reached yet", extra={"reason": failure.detail})

    async def _check_held(self, registration: Registration) -> None:
        """What a proxied source covers must not be held here (5.9.2.4). Raises Conflict."""
        if not registration.mode.is_proxied:
            return
        for info in registration.information:
            for query in _held_queries(info, registration.mode):
                if await self._is_held(registration.tenant, query):
                    raise Conflict("An entity that the registration covers is held here: delete it first.")


def _held_queries(info: RegistrationInfo, mode: RegistrationMode) -> Sequence[EntityQuery]:
    """A redirect of single attributes leaves the entity itself here."""
    attrs = info.attributes
    if mode is RegistrationMode.EXCLUSIVE:
        return [EntityQuery(ids=(one.id,), attrs=attrs, limit=1) for one in info.entities if one.id is not None]
    if not info.entities:
        return [EntityQuery(attrs=attrs, limit=1)]
    return [_held_query(one, attrs) for one in info.entities]


def _held_query(info: EntityInfo, attrs: tuple[str, ...]) -> EntityQuery:
    types: TypeSelection = AnyType(tuple(map(TypeIs, info.types))) if len(info.types) > 1 else TypeIs(info.types[0])
    ids = () if info.id is None else (info.id,)
    return replace(EntityQuery(limit=1), ids=ids, id_pattern=info.id_pattern, types=types, attrs=attrs)


def _check_secrets(caller: Caller, registration: Registration) -> None:
    """Whoever has what callers prove themselves with sent to a source could call in their names."""
    handed_on = {key.lower() for key, value in registration.source_info if value == FROM_REQUEST}
    if handed_on & _PROOFS and Right.ADMINISTER not in caller.rights:
        raise refusal(caller, "have callers' own credentials sent to a source")


def _check_writer(caller: Caller) -> None:
    """A source may answer for any entity, and is asked in everybody's place."""
    check_everywhere(caller, Right.WRITE)


def _check_reader(caller: Caller) -> None:
    if Right.READ not in caller.rights:
        raise refusal(caller, "read context sources")


def _no_registration(registration_id: str) -> ResourceNotFound:
    return ResourceNotFound(f"There is no registration {registration_id}.")


def _no_subscription(subscription_id: str) -> ResourceNotFound:
    return ResourceNotFound(f"There is no subscription {subscription_id} to registrations.")


def _facts(caller: Caller, what: str) -> dict[str, str]:
    return {"tenant": caller.tenant, "subject": caller.subject, "what": what}
