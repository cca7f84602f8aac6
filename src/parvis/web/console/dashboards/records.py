"""Dashboards as entities: the layout in one property, earlier ones in its history; the link is kept apart."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from secrets import token_hex
from typing import Any
from urllib.parse import quote

import msgspec

from parvis.broker.broker import Broker
from parvis.broker.model.change import Change, Mode
from parvis.broker.model.entity import Entity, Instance, Kind
from parvis.broker.query.tree import Compare, EntityQuery, Operator, Path, TemporalQuery, TimeProperty, TypeIs
from parvis.kernel.errors import BadRequestData, Conflict, ResourceNotFound
from parvis.kernel.identity import Caller, Right, system_caller
from parvis.kernel.shelf import Shelf
from parvis.kernel.time import Instant
from parvis.web.console.dashboards.layout import LONGEST_NAME, Layout
from parvis.web.console.dashboards.links import Links
from parvis.web.views import Terms, one_text, short_id

DASHBOARD = "Dashboard"
ID_LEAD = "urn:ngsi-ld:Dashboard:"
LAYOUT, SHOWN_ON, OWNER = "dashboardLayout", "publicationPlace", "owner"
MOST_DASHBOARDS = 200
MOST_VERSIONS = 20


class Sharing(StrEnum):
    """Who sees it besides people who are signed in."""

    NOBODY = "nobody"
    LINK = "link"
    PORTAL = "portal"


@dataclass(frozen=True, slots=True)
class Dashboard:
    """`link` is the unguessable part of its public address; empty where it is not shared, and for those who may not
    share it."""

    id: str
    name: str
    layout: Layout
    owner: str
    changed_at: Instant
    sharing: Sharing
    link: str

    @property
    def href(self) -> str:
        return address_of(self.id)

    @property
    def public_href(self) -> str:
        return f"/boards/{self.link}"


@dataclass(frozen=True, slots=True)
class Version:
    at: Instant
    layout: Layout


def address_of(dashboard_id: str) -> str:
    return f"/console/dashboards/{quote(dashboard_id.removeprefix(ID_LEAD), safe=':')}"


class Dashboards:
    """Callers read and write them by the rights that they have on entities."""

    def __init__(self, broker: Broker, terms: Terms, shelf: Shelf, language: str = "") -> None:
        """`language`: of names that are told in several."""
        self._broker = broker
        self._language = language
        self._terms = terms
        self._links = Links(shelf)

    async def list_all(self, caller: Caller) -> list[Dashboard]:
        """By name."""
        query = EntityQuery(types=TypeIs(self._terms.expand(DASHBOARD)), limit=MOST_DASHBOARDS)
        page = await self._broker.query(caller, query)
        return await self._all_told(caller, page.entities)

    async def get(self, caller: Caller, short: str) -> Dashboard:
        """Raises ResourceNotFound."""
        entity = await self._broker.find(caller, ID_LEAD + short)
        if entity is None or self._terms.expand(DASHBOARD) not in entity.types:
            raise ResourceNotFound("There is no such dashboard.")
        return self._told(entity, caller, await self._links.read(caller.tenant))

    async def find_shared(self, tenant: str, link: str) -> Dashboard | None:
        """Whoever knows the link may see the composition; what it shows is asked for with the visitor's rights."""
        short = await self._links.find(tenant, link)
        if short is None:
            return None
        try:
            found = await self.get(system_caller("dashboards", tenant), short)
        except ResourceNotFound:
            return None
        return None if found.sharing is Sharing.NOBODY else found

    async def list_on_portal(self, tenant: str) -> list[Dashboard]:
        path = Path(self._terms.expand(SHOWN_ON))
        query = EntityQuery(
            types=TypeIs(self._terms.expand(DASHBOARD)),
            q=Compare(path, Operator.EQUAL, Sharing.PORTAL.value),
            limit=MOST_DASHBOARDS,
        )
        caller = system_caller("dashboards", tenant)
        page = await self._broker.query(caller, query)
        return [one for one in await self._all_told(caller, page.entities) if one.sharing is Sharing.PORTAL]

    async def add(self, caller: Caller, name: str, layout: Layout) -> str:
        """The short id. Raises Forbidden, BadRequestData."""
        self._broker.check_writer(caller)
        short = token_hex(6)
        instances = (*self._content(name, layout), self._property(OWNER, caller.subject))
        await self._write(caller, Change(ID_LEAD + short, Mode.CREATE, instances, (self._terms.expand(DASHBOARD),)))
        return short

    async def save(self, caller: Caller, short: str, name: str, layout: Layout, seen: Instant | None = None) -> None:
        """`seen`: when what the author began with was saved. Raises Conflict where another has saved it since;
        Forbidden, BadRequestData, ResourceNotFound."""
        self._broker.check_writer(caller)
        known = await self.get(caller, short)
        if seen is not None and seen != known.changed_at:
            raise Conflict("Somebody else has saved this dashboard since you opened it.")
        await self._write(caller, Change(ID_LEAD + short, Mode.APPEND, tuple(self._content(name, layout, known.name))))

    async def share(self, caller: Caller, short: str, sharing: Sharing) -> None:
        """A link that is taken back does not come back: the next one is another."""
        self._broker.check_writer(caller)
        known = await self.get(caller, short)
        if sharing is not Sharing.NOBODY:
            await self._links.offer(caller.tenant, short)
            shown_on = self._property(SHOWN_ON, sharing.value)
            await self._write(caller, Change(ID_LEAD + short, Mode.APPEND, (shown_on,)))
            return
        if known.sharing is not Sharing.NOBODY:
            gone = ((self._terms.expand(SHOWN_ON), ""),)
            await self._write(caller, Change(ID_LEAD + short, Mode.DELETE_ATTRIBUTE, removals=gone))
        await self._take_back(caller, short)

    async def delete(self, caller: Caller, short: str) -> None:
        self._broker.check_writer(caller)
        await self.get(caller, short)
        await self._write(caller, Change(ID_LEAD + short, Mode.DELETE))
        await self._take_back(caller, short)

    async def _take_back(self, caller: Caller, short: str) -> None:
        """Its own link, and those of dashboards that somebody has deleted as entities, whether or not the caller would
        see them."""
        everywhere = system_caller("dashboards", caller.tenant)
        held = await self._links.read(caller.tenant)
        gone = [one for one in held if one == short or await self._broker.find(everywhere, ID_LEAD + one) is None]
        await self._links.take_back(caller.tenant, gone)

    async def list_versions(self, caller: Caller, short: str) -> list[Version]:
        """The newest first, the present one among them."""
        name = self._terms.expand(LAYOUT)
        query = TemporalQuery(attrs=(name,), last_n=MOST_VERSIONS, time_property=TimeProperty.MODIFIED_AT)
        history = await self._broker.find_history(caller, ID_LEAD + short, query)
        past = [] if history is None else history.instances.get((name, ""), [])
        return [Version(one.modified_at, _layout_of(one)) for one in reversed(past) if isinstance(one.value, dict)]

    async def restore(self, caller: Caller, short: str, at: Instant) -> None:
        """Raises BadRequestData, ResourceNotFound."""
        known = await self.get(caller, short)
        wanted = next((one for one in await self.list_versions(caller, short) if one.at == at), None)
        if wanted is None:
            raise BadRequestData("This version is not kept any more.")
        await self.save(caller, short, known.name, wanted.layout)

    async def _write(self, caller: Caller, change: Change) -> None:
        (outcome,) = await self._broker.write(caller, [change])
        if outcome.error is not None:
            raise outcome.error

    def _content(self, name: str, layout: Layout, known: str = "") -> Sequence[Instance]:
        """A name that is the `known` one stays as it is: in other languages it may be another."""
        given = " ".join(name.split())[:LONGEST_NAME]
        if not given:
            raise BadRequestData("A dashboard has a name.")
        value: Any = msgspec.to_builtins(layout)
        named = [] if given == known else [self._property("name", given)]
        return [*named, Instance(self._terms.expand(LAYOUT), Kind.JSON_PROPERTY, value)]

    def _property(self, term: str, value: str) -> Instance:
        return Instance(self._terms.expand(term), Kind.PROPERTY, value)

    async def _all_told(self, caller: Caller, entities: Sequence[Entity]) -> list[Dashboard]:
        links = await self._links.read(caller.tenant)
        return sorted((self._told(one, caller, links) for one in entities), key=lambda one: one.name.casefold())

    def _told(self, entity: Entity, caller: Caller, links: Mapping[str, str]) -> Dashboard:
        layout = entity.find(self._terms.expand(LAYOUT))
        link = links.get(entity.id.removeprefix(ID_LEAD), "")
        place = self._text(entity, SHOWN_ON)
        return Dashboard(
            id=entity.id,
            name=self._text(entity, "name") or short_id(entity.id),
            layout=Layout() if layout is None else _layout_of(layout),
            owner=self._text(entity, OWNER).partition(":")[2],
            changed_at=entity.modified_at if layout is None else layout.modified_at,
            sharing=Sharing(place) if link and place in list(Sharing) else Sharing.NOBODY,
            link=link if caller.may(Right.WRITE) else "",
        )

    def _text(self, entity: Entity, term: str) -> str:
        found = entity.find(self._terms.expand(term))
        return "" if found is None else one_text(found.value, self._language)


def _layout_of(instance: Instance) -> Layout:
    """Empty where somebody has written what is none: the page says so, and can be composed anew."""
    try:
        return msgspec.convert(instance.value, Layout)
    except msgspec.ValidationError:
        return Layout()
