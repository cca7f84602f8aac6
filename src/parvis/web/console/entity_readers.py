"""Who learns of an entity: subscriptions that watch it, other brokers that are asked for it too, dashboards that show
it, and the public."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from enum import Enum

from msgspec import structs

from parvis.broker.model.entity import Entity
from parvis.broker.sources.discovery import EntityAsked, SourceQuery
from parvis.broker.subscriptions.match import Compiled
from parvis.broker.subscriptions.model import Subscription
from parvis.kernel.identity import Caller, Right
from parvis.web.console.dashboards.layout import Widget
from parvis.web.console.dashboards.pages import dashboards_of
from parvis.web.console.dashboards.subjects import types_about
from parvis.web.console.subscriptions import href_of
from parvis.web.site import Site
from parvis.web.views import short_id
from parvis.web.wording import Wording

AT_ONCE = 500
MOST_SHOWN = 20


class Publicity(Enum):
    """Whether people who are not signed in may read it; nobody: nothing is public here at all."""

    PUBLIC = "public"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Reader:
    """`when` says what it depends on; empty: told of every change."""

    name: str
    where: str
    href: str
    when: str


@dataclass(frozen=True, slots=True)
class Some:
    """`more`: how many are not shown."""

    shown: Sequence[Reader]
    more: int


@dataclass(frozen=True, slots=True)
class Readers:
    subscriptions: Some
    sources: Some
    boards: Some
    publicity: Publicity

    @property
    def groups(self) -> Sequence[Some]:
        return [one for one in (self.subscriptions, self.boards, self.sources) if one.shown]


async def list_readers(site: Site, caller: Caller, entity: Entity, t: Wording) -> Readers | None:
    """None for those who may not know."""
    if Right.READ not in caller.everywhere:
        return None
    return Readers(
        _some([_reader_of(site, one, entity, t) async for one in _watching(site, caller, entity)]),
        _some(await _list_sources(site, caller, entity, t)),
        _some(await _list_boards(site, caller, entity, t)),
        publicity_of(site, caller, entity),
    )


def _some(readers: Sequence[Reader]) -> Some:
    return Some(readers[:MOST_SHOWN], max(0, len(readers) - MOST_SHOWN))


async def _watching(site: Site, caller: Caller, entity: Entity) -> AsyncIterator[Subscription]:
    offset = 0
    while page := (await site.platform.broker.subscriptions.list_page(caller, AT_ONCE, offset)).subscribed:
        for one in page:
            if _may_concern(one.subscription, entity):
                yield one.subscription
        offset += len(page)
        if len(page) < AT_ONCE:
            return


def publicity_of(site: Site, caller: Caller, entity: Entity) -> Publicity:
    """What is public each tenant chooses."""
    is_public = not site.platform.broker.public.types(caller.tenant).isdisjoint(entity.types)
    return Publicity.PUBLIC if is_public else Publicity.CLOSED


def _may_concern(subscription: Subscription, entity: Entity) -> bool:
    """Whatever its values are just now."""
    if not subscription.is_active:
        return False
    return Compiled(0, structs.replace(subscription, q=None, geo=None)).selects(entity)


def _reader_of(site: Site, subscription: Subscription, entity: Entity, t: Wording) -> Reader:
    watched = [t.attribute_name(site.reader.compact(name)) for name in subscription.watched]
    depends = [t("entity.when_attributes", names=", ".join(watched))] if watched else []
    if subscription.q_text:
        depends.append(t("entity.when_condition", condition=subscription.q_text))
    if subscription.interval_s:
        depends.append(t("entity.when_interval", interval=t.quantity(subscription.interval_s, "SEC")))
    name = subscription.name or short_id(subscription.id)
    endpoint = subscription.notification.endpoint.shown_uri
    return Reader(name, endpoint, href_of(subscription.id), " · ".join(depends))


async def _list_sources(site: Site, caller: Caller, entity: Entity, t: Wording) -> list[Reader]:
    """Brokers that are asked when somebody asks for this entity."""
    asked = SourceQuery(entities=(EntityAsked(ids=(entity.id,)),))
    found = await site.platform.broker.sources.query(caller, asked)
    return [Reader(one.name or short_id(one.id), one.endpoint, "", t(f"entity.mode_{one.mode.value}")) for one in found]


async def _list_boards(site: Site, caller: Caller, entity: Entity, t: Wording) -> list[Reader]:
    """Dashboards that show it by itself, then those that show what is of its kind."""
    types, commune = set(map(site.reader.compact, entity.types)), site.reader.view(entity, site.now).commune
    itself, kind = [], []
    for board in await dashboards_of(site).list_all(caller):
        if any(entity.id in widget.entities for widget in board.layout.widgets):
            itself.append(Reader(board.name, t("entity.board_itself"), board.href, ""))
        elif any(_is_about(widget, types, commune) for widget in board.layout.widgets):
            kind.append(Reader(board.name, t("entity.board_kind"), board.href, ""))
    return itself + kind


def _is_about(widget: Widget, types: set[str], commune: str) -> bool:
    if widget.entities or not widget.about or widget.place not in ("", commune):
        return False
    return not types.isdisjoint(types_about(widget.about))
