"""Reading from here and from context sources at once (NGSI-LD 1.9.1, 5.7.1 and 5.7.2)."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

import msgspec

from parvis.broker.jsonld.context import Context
from parvis.broker.jsonld.contexts import Contexts
from parvis.broker.jsonld.parse import decode
from parvis.broker.model.entity import Entity
from parvis.broker.sources.assemble import RANKS, Piece, Rank, assemble, read_entities
from parvis.broker.sources.forward import Answered, Around, Ask, SourceClient, source_context
from parvis.broker.sources.model import Operation, Registration
from parvis.broker.sources.plan import Part
from parvis.broker.subscriptions.render import render_types
from parvis.kernel.errors import ParvisError
from parvis.kernel.outbound import Answer

RETRIEVING = (Operation.RETRIEVE_ENTITY, Operation.QUERY_ENTITY, Operation.QUERY_BATCH)
QUERYING = (Operation.QUERY_ENTITY, Operation.QUERY_BATCH)
QUERYING_BY_BODY = (Operation.QUERY_BATCH, Operation.QUERY_ENTITY)
MOST_ENTITIES = 1000
_ANY_TYPE = "*"
_LONGEST_RELAYED = 2000
NO_FILTERS: Mapping[str, str] = {}


class Warned(msgspec.Struct, frozen=True):
    """What became of a source that did not answer as it should (6.3.17); `relayed` is what a source has told of its own
    sources."""

    code: int
    agent: str
    text: str
    relayed: str = ""

    @property
    def header(self) -> bytes:
        if self.relayed:
            return self.relayed.encode("latin-1", "replace")
        plain = self.text.encode("ascii", "replace").decode().replace('"', "'").replace("\\", "/")
        return f'{self.code} {self.agent} "{" ".join(plain.split())[:200]}"'.encode()


class Gathered(msgspec.Struct, frozen=True):
    pieces: tuple[Piece, ...]
    warnings: tuple[Warned, ...]


class Documents(msgspec.Struct, frozen=True):
    """What sources answered to one question, each with what it has registered, as they wrote it."""

    told: tuple[tuple[Registration, Any], ...]
    warnings: tuple[Warned, ...]


class Consumption:
    """Asks sources side by side; one that fails costs its own part of the answer, and a warning."""

    def __init__(self, client: SourceClient, contexts: Contexts) -> None:
        self._client = client
        self._contexts = contexts

    async def gather(
        self,
        parts: Sequence[Part],
        around: Around,
        filters: Mapping[str, str] = NO_FILTERS,
        fits: Callable[[Entity], bool] = lambda _: True,
        limit: int = MOST_ENTITIES,
    ) -> Gathered:
        """`filters` are q, scopeQ and the geo-query as they were given, in the names of the request; where a source
        wants other names, it is asked without them, and `fits` says what of its answer is meant."""
        results = await asyncio.gather(*(self._ask(part, around, filters, fits, limit) for part in parts))
        pieces = [piece for some, _ in results for piece in some]
        return Gathered(tuple(pieces), tuple(warned for _, warned in results if warned is not None))

    async def read_documents(self, asked: Sequence[Registration], ask: Ask, around: Around) -> Documents:
        """The same question to all."""
        answers = await asyncio.gather(*(self._client.ask(one, ask, around) for one in asked))
        told: list[tuple[Registration, Any]] = []
        warnings: list[Warned] = []
        for one in answers:
            document, failure = _document(one)
            if failure is not None:
                warnings.append(_warned(failure, around))
            elif document is not None:
                told.append((one.registration, document))
        return Documents(tuple(told), tuple(warnings))

    async def _ask(
        self, part: Part, around: Around, filters: Mapping[str, str], fits: Callable[[Entity], bool], limit: int
    ) -> tuple[list[Piece], Warned | None]:
        try:
            context = await self._context(part, around)
        except ParvisError as failure:
            return [], _warned(Answered(part.registration, None, 199, failure.detail), around)
        is_own = context.key == around.context.key
        question = _question(part, context, filters if is_own else NO_FILTERS, limit)
        answered = await self._client.ask(part.registration, question, around)
        pieces, warned = self._read(part, answered, context, around)
        return pieces if is_own else [piece for piece in pieces if fits(piece.entity)], warned

    async def _context(self, part: Part, around: Around) -> Context:
        named = source_context(part.registration)
        return around.context if named is None else await self._contexts.resolve(named, around.tenant)

    def _read(
        self, part: Part, answered: Answered, context: Context, around: Around
    ) -> tuple[list[Piece], Warned | None]:
        failed = _failure(answered)
        if failed is not None:
            return [], _warned(failed, around)
        answer, registration = answered.answer, answered.registration
        if answer is None or answer.status == 404:
            return [], None if answer is None else _relayed(answer)
        try:
            entities = read_entities(answer.body, context)
        except ParvisError as failure:
            return [], _warned(Answered(registration, None, 111, failure.detail), around)
        rank = RANKS[registration.mode]
        pieces = [Piece(rank, _kept(one, part)) for one in entities if not part.ids or one.id in part.ids]
        return pieces, _relayed(answer)


def _failure(answered: Answered) -> Answered | None:
    """What is worth a warning: that there is nothing is not."""
    answer = answered.answer
    if answer is None:
        return answered
    if answer.status == 404 or 200 <= answer.status < 300:
        return None
    return Answered(answered.registration, None, 299, f"It answered with status {answer.status}.")


def _document(answered: Answered) -> tuple[Any, Answered | None]:
    failed = _failure(answered)
    if failed is not None or answered.answer is None or answered.answer.status == 404:
        return None, failed
    try:
        return decode(answered.answer.body), None
    except ParvisError as failure:
        return None, Answered(answered.registration, None, 111, failure.detail)


def together(local: Sequence[Entity], gathered: Gathered) -> list[Entity]:
    """What is held here first, in its order. An auxiliary source adds to what others have, and nothing of its own
    where they have it."""
    return assemble([*(Piece(Rank.EQUAL, one) for one in local), *gathered.pieces])


def _kept(entity: Entity, part: Part) -> Entity:
    """A source is believed in what it has registered, and in nothing else."""
    if not part.attrs:
        return entity
    return msgspec.structs.replace(
        entity, instances=tuple(one for one in entity.instances if one.name in part.attrs), rendered={}
    )


def _question(part: Part, context: Context, filters: Mapping[str, str], limit: int) -> Ask:
    if part.operation is Operation.RETRIEVE_ENTITY:
        query = {"options": "sysAttrs", **_attrs(part, context)}
        return Ask("GET", f"/entities/{quote(part.ids[0], safe=':')}", context, tuple(query.items()))
    if part.operation is Operation.QUERY_BATCH:
        query = {"options": "sysAttrs", "limit": str(limit)}
        return Ask(
            "POST", "/entityOperations/query", context, tuple(query.items()), _query_body(part, context, filters)
        )
    return Ask("GET", "/entities", context, tuple(_query(part, context, filters, limit).items()))


def _query(part: Part, context: Context, filters: Mapping[str, str], limit: int) -> dict[str, str]:
    query = {} if part.types is None else {"type": render_types(part.types, context)}
    if part.ids:
        query["id"] = ",".join(part.ids)
    if part.id_pattern is not None:
        query["idPattern"] = part.id_pattern
    if not query:
        query["type"] = _ANY_TYPE
    return {**query, **_attrs(part, context), **filters, "limit": str(limit), "options": "sysAttrs"}


def _attrs(part: Part, context: Context) -> dict[str, str]:
    return {"attrs": ",".join(context.compact(name) for name in part.attrs)} if part.attrs else {}


def _query_body(part: Part, context: Context, filters: Mapping[str, str]) -> dict[str, object]:
    types = _ANY_TYPE if part.types is None else render_types(part.types, context)
    pattern = {} if part.id_pattern is None else {"idPattern": part.id_pattern}
    selectors = [{"type": types, "id": one} for one in part.ids] or [{"type": types, **pattern}]
    body: dict[str, object] = {"type": "Query", "entities": selectors}
    if part.attrs:
        body["attrs"] = [context.compact(name) for name in part.attrs]
    body |= {name: filters[name] for name in ("q", "scopeQ") if name in filters}
    if "georel" in filters:
        geo = {name: filters[name] for name in ("georel", "geometry", "geoproperty") if name in filters}
        body["geoQ"] = {**geo, "coordinates": msgspec.json.decode(filters["coordinates"])}
    return body


def loop_warning(around: Around) -> Warned:
    return Warned(199, around.alias, "A registration leads back to a broker that the request has passed.")


def _relayed(answer: Answer) -> Warned | None:
    told = answer.headers.get("ngsild-warning", "")
    return Warned(0, "", "", told[:_LONGEST_RELAYED]) if told else None


def _warned(answered: Answered, around: Around) -> Warned:
    agent = answered.registration.alias or around.alias
    told = f"The source {answered.registration.id:.120}: {answered.reason}"
    return Warned(answered.code, agent.replace(" ", "-"), told)
