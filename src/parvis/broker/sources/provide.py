"""Changes that are made in several places: sending them, and what came of it (NGSI-LD 1.9.1, 5.6 and 6.3.17)."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from parvis.broker.jsonld.context import Context
from parvis.broker.jsonld.contexts import Contexts
from parvis.broker.jsonld.render import CORE_MEMBERS
from parvis.broker.model.entity import Iri
from parvis.broker.sources.forward import FROM_REQUEST, Answered, Around, Ask, SourceClient, source_context
from parvis.broker.sources.model import Registration
from parvis.kernel.errors import AlreadyExists, Conflict, ParvisError, ResourceNotFound

_ABOUT = CORE_MEMBERS | {"expiresAt"}
_UNKNOWN_THERE = frozenset({401, 403, 407})


class SourceFailed(ParvisError):
    """A source did not do its part. `status` is what it answered; 504: nothing, 502: that it does not know us."""

    type_uri = "about:blank"
    title = "A context source has not done its part"
    status = 504

    def __init__(self, detail: str, status: int, **extras: Any) -> None:
        super().__init__(detail, **extras)
        self.source_status = status

    def problem(self) -> dict[str, Any]:
        return {**super().problem(), "status": self.source_status}


class Errand(msgspec.Struct, frozen=True):
    """A call that changes something. `document` is in the names of the request, without its @context."""

    registration: Registration
    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    document: Any = None
    entity_ids: tuple[str, ...] = ()


class Done(msgspec.Struct, frozen=True):
    """`failures` by entity id; `created` are entities that the source says it has made."""

    errand: Errand
    failures: Mapping[str, ParvisError] = {}
    created: tuple[str, ...] = ()


class Provision:
    """Each errand is sent once: a change is never made a second time on a guess."""

    def __init__(self, client: SourceClient, contexts: Contexts) -> None:
        self._client = client
        self._contexts = contexts

    async def send(self, errands: Sequence[Errand], around: Around) -> list[Done]:
        return list(await asyncio.gather(*(self._send(one, around) for one in errands)))

    async def _send(self, errand: Errand, around: Around) -> Done:
        named = source_context(errand.registration)
        try:
            context = around.context if named is None else await self._contexts.resolve(named, around.tenant)
        except ParvisError as failure:
            return Done(errand, dict.fromkeys(errand.entity_ids, failure))
        document = recompacted(errand.document, around.context, context)
        ask = Ask(errand.method, errand.path, context, errand.query, document)
        return _done(errand, await self._client.ask(errand.registration, ask, around))


def portion(document: Mapping[str, Any], names: Sequence[Iri], context: Context) -> dict[str, Any]:
    """Of an entity's document what is of these attributes, with what is about the entity; no names: all of it."""
    if not names:
        return {name: value for name, value in document.items() if name != "@context"}
    return {
        name: value
        for name, value in document.items()
        if name in _ABOUT or (name != "@context" and context.expand(name) in names)
    }


def recompacted(document: Any, context: Context, wanted: Context) -> Any:
    """With types and attributes in the names of another @context."""
    if context.key == wanted.key or document is None:
        return document
    if isinstance(document, list):
        return [recompacted(one, context, wanted) for one in document]
    if not isinstance(document, dict):
        return document
    return {_renamed(name, context, wanted): _retyped(name, value, context, wanted) for name, value in document.items()}


def _renamed(name: str, context: Context, wanted: Context) -> str:
    return name if name in _ABOUT or name.startswith("@") else wanted.compact(context.expand(name))


def _retyped(name: str, value: Any, context: Context, wanted: Context) -> Any:
    if name != "type":
        return value
    if isinstance(value, list):
        return [wanted.compact(context.expand(one)) for one in value]
    return wanted.compact(context.expand(value)) if isinstance(value, str) else value


def _done(errand: Errand, answered: Answered) -> Done:
    answer = answered.answer
    if answer is not None and 200 <= answer.status < 300 and answer.status != 207:
        return Done(errand, created=_created(answer.status, answer.body, errand.entity_ids))
    failures: Mapping[str, ParvisError]
    if answer is None:
        failures = dict.fromkeys(errand.entity_ids, SourceFailed(answered.reason, 504))
    elif answer.status == 207:
        failures = _partial_failures(answer.body, errand.entity_ids)
    else:
        failures = dict.fromkeys(errand.entity_ids, _failure(answer.status, answer.body))
    return Done(errand, {one: _of_source(failure, errand.registration) for one, failure in failures.items()})


def _of_source(failure: ParvisError, registration: Registration) -> ParvisError:
    """Named after its source. Whom that did not let in is this broker, not the caller, unless the caller's credentials
    went along."""
    said = f"The source {registration.id}: "
    if not isinstance(failure, SourceFailed):
        return type(failure)(said + failure.detail)
    is_handed_on = any(value == FROM_REQUEST for _, value in registration.source_info)
    if failure.source_status in _UNKNOWN_THERE and not is_handed_on:
        return SourceFailed(f"{said}It answered with status {failure.source_status}: {failure.detail}", 502)
    return SourceFailed(said + failure.detail, failure.source_status)


def _created(status: int, body: bytes, entity_ids: tuple[str, ...]) -> tuple[str, ...]:
    """All of them, unless the source names those that it has made (6.14 and 6.15)."""
    if status != 201:
        return ()
    given = _decoded(body)
    named = [one for one in given if one in entity_ids] if isinstance(given, list) else []
    return tuple(named) or entity_ids


def _failure(status: int, body: bytes) -> ParvisError:
    given = _decoded(body)
    problem = given if isinstance(given, dict) else {}
    detail = problem.get("detail", problem.get("title"))
    text = detail if isinstance(detail, str) else f"The source has answered with status {status}."
    if status == 404:
        return ResourceNotFound(text)
    if status == 409:
        return Conflict(text) if str(problem.get("type", "")).endswith("Conflict") else AlreadyExists(text)
    return SourceFailed(text, status)


def _partial_failures(body: bytes, entity_ids: tuple[str, ...]) -> dict[str, ParvisError]:
    """Of a BatchOperationResult; what is no such result is a failure of all."""
    given = _decoded(body)
    errors = given.get("errors") if isinstance(given, dict) else None
    if not isinstance(errors, list):
        updated = isinstance(given, dict) and "notUpdated" in given
        reason = (
            "A part of the attributes was left alone." if updated else "It has told of a failure, and not of which."
        )
        return dict.fromkeys(entity_ids, SourceFailed(reason, 207))
    found: dict[str, ParvisError] = {}
    for one in errors:
        told = one.get("error") if isinstance(one, dict) else None
        problem = told if isinstance(told, dict) else {}
        status = problem.get("status")
        named = one.get("entityId") if isinstance(one, dict) else None
        failed = (named,) if named in entity_ids else entity_ids
        found |= dict.fromkeys(
            failed, _failure(status if isinstance(status, int) else 500, msgspec.json.encode(problem))
        )
    return found


def _decoded(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return None
