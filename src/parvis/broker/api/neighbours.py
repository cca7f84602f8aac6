"""Linked entities for an answer: those held here, and those that context sources have (NGSI-LD 1.9.1, 4.5.23)."""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from parvis.broker.api.distribution import Distribution, warning_headers
from parvis.broker.api.request import Request
from parvis.broker.api.responses import Headers
from parvis.broker.api.views import View
from parvis.broker.linked import Ask, Neighbours, neighbours
from parvis.broker.model.entity import Entity, Iri
from parvis.broker.sources.consume import RETRIEVING, Warned, together
from parvis.broker.sources.plan import plan_retrieval

MOST_ELSEWHERE: Final = 100
"""Linked entities that one answer asks context sources for; of the others it tells where they are, and no more."""


class Linked(msgspec.Struct, frozen=True):
    """`neighbours` is None where linked entities are not asked for."""

    neighbours: Neighbours | None = None
    headers: Headers = ()


_NOTHING: Final = Linked()


async def find_linked(
    request: Request, ask: Ask, entities: Sequence[Entity], view: View, distribution: Distribution | None = None
) -> Linked:
    """What is linked from these, where the view shows it."""
    if view.linking is None:
        return _NOTHING
    if distribution is None:
        return Linked(await neighbours(ask, entities, view.linking, view.shown))
    elsewhere = _Elsewhere(request, distribution)
    found = await neighbours(ask, entities, view.linking, view.shown, elsewhere.find)
    return Linked(found, warning_headers(elsewhere.warnings))


class _Elsewhere:
    """Of one answer: sources are asked for entities of the types that Relationships say they have."""

    def __init__(self, request: Request, distribution: Distribution) -> None:
        self.warnings: list[Warned] = []
        self._request = request
        self._distribution = distribution
        self._left = MOST_ELSEWHERE

    async def find(self, wanted: Mapping[str, Sequence[Iri]]) -> list[Entity]:
        some = list(wanted.items())[: self._left]
        self._left -= len(some)
        registered = self._distribution.registered
        parts = [part for urn, types in some for part in plan_retrieval(registered, urn, types, (), RETRIEVING)]
        gathered = await self._distribution.consumption.gather(parts, self._distribution.around)
        self.warnings += gathered.warnings
        request = self._request
        found = together([], gathered)
        seen = [request.broker.shown(request.caller, one) for one in found if one.id in wanted]
        return [one for one in seen if one is not None]
