"""Dashboards as entities: the layout in one property, earlier ones in its history, the link in another."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from secrets import compare_digest, token_hex, token_urlsafe
from typing import Any
from urllib.parse import quote

import msgspec

from parvis.broker.broker import Broker
from parvis.broker.model.change import Change, Mode
from parvis.broker.model.entity import Entity, Instance, Kind
from parvis.broker.query.tree import Compare, EntityQuery, Operator, Path, TemporalQuery, TimeProperty, TypeIs
from parvis.kernel.errors import BadRequestData, Conflict, ResourceNotFound
from parvis.kernel.identity import Caller, system_caller
from parvis.kernel.time import Instant
from parvis.web.console.dashboards.layout import LONGEST_NAME, Layout
from parvis.web.views import Terms, one_text, short_id

DASHBOARD = "Dashboard"
ID_LEAD = "urn:ngsi-ld:Dashboard:"
LAYOUT, LINK, SHOWN_ON, OWNER = "dashboardLayout", "publicLink", "publicationPlace", "owner"
MOST_DASHBOARDS = 200
MOST_VERSIONS = 20
_LINK_BYTES = 24


class Sharing(StrEnum):
    """Who sees it besides people who are signed in."""

    NOBODY = "nobody"
    LINK = "link"
    PORTAL = "portal"


@dataclass(frozen=True, slots=True)
class Dashboard:
    """`link` is the unguessable part of its public address; empty where it is not shared."""

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

    def __init__(self, broker: Broker, terms: Terms) -> None:
        self._broker = broker
        self._terms = terms

    async def list_all(self, caller: Caller) -> list[Dashboard]:
        """By name."""
        query = EntityQuery(types=TypeIs(self._terms.expand(DASHBOARD)), limit=MOST_DASHBOARDS)
        page = await self._broker.query(caller, query)
        return sorted(map(self._told, page.entities), key=lambda one: one.name.casefold())

    async def get(self, caller: Caller, short: str) -> Dashboard:
        """Raises ResourceNotFound."""
        entity = await self._broker.find(caller, ID_LEAD + short)
        if entity is None or self._terms.expand(DASHBOARD) not in entity.types:
            raise ResourceNotFound("There is no such dashboard.")
        return self._told(entity)

    async def find_shared(self, tenant: str, link: str) -> Dashboard | None:
        """Whoever knows the link may see the composition; what it shows is asked for with the visitor's rights."""
        path = Path(self._terms.expand(LINK))
        query = EntityQuery(types=TypeIs(self._terms.expand(DASHBOARD)), q=Compare(path, Operator.EQUAL, link), limit=1)
        page = await self._broker.query(system_caller("dashboards", tenant), query)
        found = next(map(self._told, page.entities), None)
        return found if found is not None and compare_digest(found.link.encode(), link.encode()) else None

    async def list_on_portal(self, tenant: str) -> list[Dashboard]:
        path = Path(self._terms.expand(SHOWN_ON))
        query = EntityQuery(
            types=TypeIs(self._terms.expand(DASHBOARD)),
            q=Compare(path, Operator.EQUAL, Sharing.PORTAL.value),
            limit=MOST_DASHBOARDS,
        )
        page = await self._broker.query(system_caller("dashboards", tenant), query)
        return sorted(map(self._told, page.entities), key=lambda one: one.name.casefold())

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
        await self._write(caller, Change(ID_LEAD + short, Mode.APPEND, tuple(self._content(name, layout))))

    async def share(self, caller: Caller, short: str, sharing: Sharing) -> None:
        """A link that is taken back does not come back: the next one is another."""
        self._broker.check_writer(caller)
        known = await self.get(caller, short)
        if sharing is Sharing.NOBODY:
            gone = tuple((self._terms.expand(name), "") for name in (LINK, SHOWN_ON))
            if known.link:
                await self._write(caller, Change(ID_LEAD + short, Mode.DELETE_ATTRIBUTE, removals=gone))
            return
        link = known.link or token_urlsafe(_LINK_BYTES)
        instances = (self._property(LINK, link), self._property(SHOWN_ON, sharing.value))
        await self._write(caller, Change(ID_LEAD + short, Mode.APPEND, instances))

    async def delete(self, caller: Caller, short: str) -> None:
        self._broker.check_writer(caller)
        await self.get(caller, short)
        await self._write(caller, Change(ID_LEAD + short, Mode.DELETE))

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

    def _content(self, name: str, layout: Layout) -> Sequence[Instance]:
        given = " ".join(name.split())[:LONGEST_NAME]
        if not given:
            raise BadRequestData("A dashboard has a name.")
        value: Any = msgspec.to_builtins(layout)
        return [
            self._property("name", given),
            Instance(self._terms.expand(LAYOUT), Kind.JSON_PROPERTY, value),
        ]

    def _property(self, term: str, value: str) -> Instance:
        return Instance(self._terms.expand(term), Kind.PROPERTY, value)

    def _told(self, entity: Entity) -> Dashboard:
        layout = entity.find(self._terms.expand(LAYOUT))
        link = self._text(entity, LINK)
        place = self._text(entity, SHOWN_ON)
        return Dashboard(
            id=entity.id,
            name=self._text(entity, "name") or short_id(entity.id),
            layout=Layout() if layout is None else _layout_of(layout),
            owner=self._text(entity, OWNER).partition(":")[2],
            changed_at=entity.modified_at if layout is None else layout.modified_at,
            sharing=Sharing(place) if link and place in list(Sharing) else Sharing.NOBODY,
            link=link,
        )

    def _text(self, entity: Entity, term: str) -> str:
        found = entity.find(self._terms.expand(term))
        return "" if found is None else one_text(found.value)


def _layout_of(instance: Instance) -> Layout:
    """Empty where somebody has written what is none: the page says so, and can be composed anew."""
    try:
        return msgspec.convert(instance.value, Layout)
    except msgspec.ValidationError:
        return Layout()
