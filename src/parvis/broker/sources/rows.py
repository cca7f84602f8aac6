"""Registrations and subscriptions to them as both stores keep them: documents."""

from collections.abc import Callable, Collection
from typing import Final

import msgspec

from parvis.broker.sources.copies import Copy
from parvis.broker.sources.model import Registration
from parvis.broker.sources.subscription import NOTHING_YET, SourceSubscribed, SourceSubscription, Standing
from parvis.kernel.errors import AlreadyExists, NonexistentTenant, ParvisError, TooManyRegistrations

_REGISTRATION = msgspec.json.Decoder(Registration)
_SUBSCRIPTION = msgspec.json.Decoder(SourceSubscription)
_STANDING = msgspec.json.Decoder(Standing)
_COPY = msgspec.json.Decoder(Copy)

REGISTRATION: Final = "registration"
SUBSCRIPTION: Final = "source_subscription"


def registration_of(document: str | bytes) -> Registration:
    return _REGISTRATION.decode(document)


def copy_of(document: str | bytes) -> Copy:
    return _COPY.decode(document)


def subscription_of(document: str | bytes) -> SourceSubscription:
    return _SUBSCRIPTION.decode(document)


def subscribed_of(document: str | bytes, standing: str | bytes | None) -> SourceSubscribed:
    return SourceSubscribed(
        _SUBSCRIPTION.decode(document), NOTHING_YET if standing is None else _STANDING.decode(standing)
    )


def too_many(most: int) -> ParvisError:
    return TooManyRegistrations(
        f"A tenant may have at most {most} registrations (federation.max_registrations): delete one that is not needed."
    )


def no_tenant(name: str) -> ParvisError:
    return NonexistentTenant(f"There is no tenant {name!r}.")


def check_new(urn: str, known: Collection[str], most: int | None, refuse: Callable[[int], ParvisError]) -> None:
    """Raises AlreadyExists where the id is `known`, and what `refuse` makes of `most` where there are as many."""
    if urn in known:
        raise AlreadyExists(f"{urn} exists already: update it, or choose another id.")
    if most is not None and len(known) >= most:
        raise refuse(most)
