"""Street lighting for whoever has the right to it: bring an inventory, see how complete it is, try a program."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from datetime import date, tzinfo

import msgspec

from parvis.broker.broker import Broker
from parvis.broker.model.change import Status
from parvis.broker.query.tree import EntityQuery, TypeIs
from parvis.domains.lighting.model.entities import LightingTerms
from parvis.domains.lighting.model.inventory import Lamp, LightPoint
from parvis.domains.lighting.model.program import Program
from parvis.domains.lighting.rules.completeness import Completeness, find_completeness
from parvis.domains.lighting.rules.consumption import Load, Rates, Year, find_year
from parvis.domains.lighting.rules.inventory import Reading, read_inventory
from parvis.kernel.errors import BadRequestData
from parvis.kernel.identity import Caller

CHANGES_AT_ONCE = 500
POINTS_A_PAGE = 1_000
MOST_REFUSALS = 100


class Refusal(msgspec.Struct, frozen=True):
    """An entity that was not written, and why."""

    entity_id: str
    reason: str


class Brought(msgspec.Struct, frozen=True):
    """Entities by what became of them, cabinets and groups counted in; `completeness` is the file's own.

    `refusals` are the first of those that failed, for want of a right over them.
    """

    reading: Reading
    outcomes: dict[Status, int]
    refusals: tuple[Refusal, ...]
    completeness: Completeness


class Trial(msgspec.Struct, frozen=True):
    """By program. Of `unknown` light points the power or the place is not known: they are in no figure."""

    years: dict[str, Year]
    points: int
    unknown: int


class Lighting:
    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._terms = LightingTerms(broker.contexts.parvis.expand)

    async def bring(self, caller: Caller, content: bytes) -> Brought:
        """What a file says of a point is written over what stood there; what it does not say stays.

        Raises Forbidden, InvalidInventory.
        """
        self._broker.check_writer(caller)
        reading = await asyncio.to_thread(read_inventory, content)
        outcomes: Counter[Status] = Counter()
        refusals: list[Refusal] = []
        changes = list(self._terms.changes_of(reading.points))
        for at in range(0, len(changes), CHANGES_AT_ONCE):
            for outcome in await self._broker.write(caller, changes[at : at + CHANGES_AT_ONCE]):
                outcomes[outcome.status] += 1
                if outcome.error is not None and len(refusals) < MOST_REFUSALS:
                    refusals.append(Refusal(outcome.entity_id, outcome.error.detail))
        return Brought(reading, dict(outcomes), tuple(refusals), find_completeness(reading.points))

    async def list_points(self, caller: Caller) -> list[LightPoint]:
        """Raises Forbidden."""
        query = EntityQuery(types=TypeIs(self._terms.streetlight), limit=POINTS_A_PAGE)
        async with aclosing(self._broker.walk(caller, query)) as entities:
            return [self._terms.point_of(entity) async for entity in entities]

    async def measure(self, caller: Caller) -> Completeness:
        """Raises Forbidden."""
        return find_completeness(await self.list_points(caller))

    async def attempt(
        self, caller: Caller, programs: Mapping[str, Program], usual: Program, rates: Rates, year: int, zone: tzinfo
    ) -> Trial:
        """What a year of these programs, by switching group, would draw; other groups have the usual one.

        Raises Forbidden, and BadRequestData where two programs bear one name.
        """
        named = _named([*programs.values(), usual])
        points = await self.list_points(caller)
        loads = _loads(points, programs, usual)
        span = date(year, 1, 1), date(year, 12, 31)
        years = await asyncio.to_thread(find_year, loads, named, rates, *span, zone)
        return Trial(years, len(points), len(points) - len(loads))


def _named(programs: Sequence[Program]) -> dict[str, Program]:
    named = {one.name: one for one in programs}
    for one in programs:
        if named[one.name] != one:
            raise BadRequestData(f"Two programs are called {one.name!r}: give each a name of its own.")
    return named


def _loads(points: Sequence[LightPoint], programs: Mapping[str, Program], usual: Program) -> list[Load]:
    return [
        Load(Lamp(one.power_w, one.is_dimmable or False), one.place, programs.get(one.group or "", usual).name)
        for one in points
        if one.power_w is not None and one.place is not None
    ]
