"""What every page needs at hand."""

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import NamedTuple

import msgspec
from starlette.requests import Request

from parvis.bootstrap import Platform
from parvis.broker.model.entity import AttributeKey, Entity
from parvis.broker.query.tree import EntityQuery, TypeSelection
from parvis.kernel.identity import Caller
from parvis.kernel.time import Clock, Instant
from parvis.web.assets import Assets
from parvis.web.live import Live
from parvis.web.pages import Pages
from parvis.web.views import EntityReader, ObjectView

MOST_OBJECTS = 20_000
_PAGE = 500
_BREATHE_EVERY = 250
"""Views between two breaths of the event loop, which a page that is at hand would not give it."""


class PastViews(NamedTuple):
    """`later` were not there yet: they are as they are now."""

    views: Sequence[ObjectView]
    later: Sequence[ObjectView]


@dataclass(frozen=True, slots=True)
class Site:
    platform: Platform
    assets: Assets
    pages: Pages
    reader: EntityReader
    live: Live
    clock: Clock

    async def list_views(self, caller: Caller, types: TypeSelection, most: int = MOST_OBJECTS) -> list[ObjectView]:
        """Views of the caller's entities of these types, at most `most`."""
        return await self.find_views(caller, (EntityQuery(types=types),), most)

    async def find_views(self, caller: Caller, queries: Iterable[EntityQuery], most: int) -> list[ObjectView]:
        """Of what any of the queries finds, each once, at most `most`."""
        now = self.clock()
        views: dict[str, ObjectView] = {}
        for query in queries:
            paged = msgspec.structs.replace(query, limit=_PAGE)
            async with aclosing(self.platform.broker.walk(caller, paged)) as entities:
                async for entity in entities:
                    if len(views) >= most:
                        return list(views.values())
                    views[entity.id] = self.reader.view(entity, now)
                    if len(views) % _BREATHE_EVERY == 0:
                        await asyncio.sleep(0)
        return list(views.values())

    async def list_past_views(self, caller: Caller, types: TypeSelection, at: Instant, most: int) -> PastViews:
        """The same as they were at that instant, judged as of it."""
        reader = self.reader
        telling: set[str] = set()

        def keys_of(entity: Entity) -> list[AttributeKey]:
            if reader.tells_itself(entity):
                telling.add(entity.id)
            return reader.judged_keys(entity)

        moment = await self.platform.broker.list_moment(caller, types, at, keys_of, most)
        return await asyncio.to_thread(
            lambda: PastViews(
                [reader.view(entity, at, tells_itself=entity.id in telling) for entity in moment.entities],
                [reader.view(entity, self.now) for entity in moment.later],
            )
        )

    @property
    def now(self) -> Instant:
        return self.clock()


def site_of(request: Request) -> Site:
    """In the page's language."""
    site: Site = request.app.state.site
    return replace(site, reader=site.reader.in_language(site.pages.language(request)))
