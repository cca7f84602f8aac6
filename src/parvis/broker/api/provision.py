"""Changes that context sources take part in (NGSI-LD 1.9.1, 5.6 and 4.3.6): what goes where, and one answer for all."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

import msgspec

from parvis.broker.api.distribution import around_of, asked_types, find_registered
from parvis.broker.api.request import Request
from parvis.broker.api.responses import NO_CONTENT, Response, json_response, problem_response
from parvis.broker.jsonld.context import Context
from parvis.broker.jsonld.parse import ParsedEntity
from parvis.broker.model.entity import Iri
from parvis.broker.sources.divide import Division, Share, divide
from parvis.broker.sources.forward import Around, LoopDetected
from parvis.broker.sources.model import Operation, Registration
from parvis.broker.sources.plan import reachable
from parvis.broker.sources.provide import Errand, Provision, SourceFailed, portion
from parvis.kernel.errors import Conflict, ParvisError
from parvis.kernel.time import system_clock

Here = Callable[[tuple[Iri, ...] | None], Awaitable[Response]]
"""The change in this broker, of these attributes alone; None: of all that it speaks of."""

PAST_PATH: Final = "/temporal/entities"
_NOT_FORWARDED = frozenset({"local", "type"})


class Undertaking(msgspec.Struct, frozen=True):
    """A change of one entity, as its request asks for it. `document` None: the call has no body.

    `names` are the attributes it speaks of; none: it is of the entity as such. `is_of_entity`: the document is one of
    an entity, of which each source gets the attributes that it has. `tells_attributes`: a partial success is told as
    an UpdateResult.
    """

    operation: Operation
    entity_id: str
    method: str
    path: str
    types: Collection[Iri] | None = None
    names: tuple[Iri, ...] = ()
    document: Any = None
    is_of_entity: bool = True
    tells_attributes: bool = False
    done: Response = NO_CONTENT


class Failure(msgspec.Struct, frozen=True):
    """`registration_id` None: it failed here."""

    entity_id: str
    error: ParvisError
    registration_id: str | None = None

    def document(self) -> dict[str, Any]:
        """BatchEntityError (5.2.17)."""
        document = {"entityId": self.entity_id, "error": self.error.problem()}
        return document if self.registration_id is None else {**document, "registrationId": self.registration_id}


def names_of(parsed: ParsedEntity) -> tuple[Iri, ...]:
    return tuple(dict.fromkeys([*(one.name for one in parsed.instances), *(name for name, _ in parsed.removals)]))


def kept(parsed: ParsedEntity, left: tuple[Iri, ...] | None) -> ParsedEntity:
    """What is said of these attributes."""
    if left is None:
        return parsed
    return msgspec.structs.replace(
        parsed,
        instances=tuple(one for one in parsed.instances if one.name in left),
        removals=tuple(one for one in parsed.removals if one[0] in left),
    )


async def everywhere(request: Request, context: Context, undertaking: Undertaking, here: Here) -> Response:
    """The change, here and wherever sources have a part in it."""
    registered = await find_registered(request)
    provision = request.broker.sources.provision
    if not registered or provision is None:
        return await here(None)
    around = await around_of(request, context)
    types = undertaking.types
    if types is None:
        types = asked_types(request, context) or await _types_held(request, undertaking.entity_id)
    division = divided(around, registered, undertaking.entity_id, types, undertaking.names, [undertaking.operation])
    if not division.shares:
        return await here(None)
    return await _carry_out(request, around, undertaking, division, provision, here)


def divided(
    around: Around,
    registered: Sequence[Registration],
    entity_id: str,
    types: Collection[Iri] | None,
    names: tuple[Iri, ...],
    operations: Sequence[Operation],
) -> Division:
    """Raises LoopDetected where the change has come back, and belongs to others (6.3.18)."""
    division = divide(reachable(registered, around, system_clock()), entity_id, types, names, operations)
    if not around.is_loop:
        return division
    if any(share.registration.mode.is_proxied for share in division.shares):
        raise LoopDetected("The request has passed this broker before, and what it changes is not held here.")
    return msgspec.structs.replace(division, shares=())


async def _types_held(request: Request, entity_id: str) -> Collection[Iri] | None:
    """A source of other entities than this one need not be asked."""
    held = await request.broker.find(request.caller, entity_id)
    return None if held is None else held.types


async def _carry_out(
    request: Request,
    around: Around,
    undertaking: Undertaking,
    division: Division,
    provision: Provision,
    here: Here,
) -> Response:
    query = request.parameters.pairs_without(_NOT_FORWARDED)
    errands = [
        _errand(undertaking, share, query, around.context) for share in division.shares if share.operation is not None
    ]
    failures = [
        Failure(undertaking.entity_id, cannot(share), share.registration.id)
        for share in division.shares
        if share.operation is None
    ]
    for done in await provision.send(errands, around):
        failures += [Failure(one, error, done.errand.registration.id) for one, error in done.failures.items()]
    answer = undertaking.done
    if not division.is_elsewhere:
        try:
            answer = await here(division.left or None)
        except ParvisError as error:
            failures.append(Failure(undertaking.entity_id, error))
    parts = len(division.shares) + (not division.is_elsewhere)
    if not failures:
        return answer
    told = [
        (share, one) for share in division.shares for one in failures if one.registration_id == share.registration.id
    ]
    if parts > 1 and undertaking.tells_attributes:
        return _updated(
            undertaking.names, told, division.left, [one for one in failures if one.registration_id is None]
        )
    return _told(undertaking.entity_id, failures, parts)


def _updated(
    names: Sequence[Iri], told: Sequence[tuple[Share, Failure]], left: Sequence[Iri], here: Sequence[Failure]
) -> Response:
    """An UpdateResult (5.2.18): what failed anywhere, with where."""
    missing = [
        {"attributeName": name, "reason": one.error.detail, "registrationId": share.registration.id}
        for share, one in told
        for name in share.attrs
    ]
    missing += [{"attributeName": name, "reason": one.error.detail} for one in here for name in left]
    failed_names = {one["attributeName"] for one in missing}
    updated = [name for name in names if name not in failed_names]
    return json_response({"updated": updated, "notUpdated": missing}, status=207)


def _told(entity_id: str, failures: Sequence[Failure], parts: int) -> Response:
    """The failure itself where there is nothing beside it, else a BatchOperationResult (5.2.16)."""
    if parts == 1:
        return failed(failures[0].error)
    success = [entity_id] if len(failures) < parts else []
    return json_response({"success": success, "errors": [one.document() for one in failures]}, status=207)


def failed(error: ParvisError) -> Response:
    response = problem_response(error)
    return (
        msgspec.structs.replace(response, status=error.source_status) if isinstance(error, SourceFailed) else response
    )


def cannot(share: Share) -> Conflict:
    return Conflict(f"{share.registration.id} alone has what is to be changed, and takes no such change.")


def _errand(undertaking: Undertaking, share: Share, query: tuple[tuple[str, str], ...], context: Context) -> Errand:
    document = undertaking.document
    if undertaking.is_of_entity and isinstance(document, Mapping):
        document = portion(document, share.attrs, context)
    elif isinstance(document, Mapping):
        document = {name: value for name, value in document.items() if name != "@context"}
    return Errand(
        share.registration,
        undertaking.method,
        undertaking.path,
        query,
        document,
        (undertaking.entity_id,),
    )


def entity_path(entity_id: str) -> str:
    return f"/entities/{quote(entity_id, safe=':')}"


def past_path(entity_id: str) -> str:
    return f"{PAST_PATH}/{quote(entity_id, safe=':')}"
