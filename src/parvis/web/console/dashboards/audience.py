"""What of a dashboard stays hidden from those who are not signed in, told to whoever shares it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from parvis.broker.query.tree import EntityQuery
from parvis.kernel.identity import Caller
from parvis.web.console.dashboards.answers import is_complete
from parvis.web.console.dashboards.layout import Layout, Widget, WidgetKind
from parvis.web.console.dashboards.subjects import types_about
from parvis.web.headline import Domain
from parvis.web.objects import count_types
from parvis.web.site import Site
from parvis.web.wording import Wording


@dataclass(frozen=True, slots=True)
class Audience:
    """`hidden` names the kinds of objects that are not public; `is_partial`: of what is about everything, a part is."""

    hidden: Sequence[str]
    is_partial: bool
    is_possible: bool


async def find_audience(site: Site, caller: Caller, layout: Layout, t: Wording) -> Audience:
    if not site.platform.settings.access.auth:
        return Audience([], is_partial=False, is_possible=True)
    public = site.platform.broker.public.types(caller.tenant)
    widgets = [one for one in layout.widgets if one.kind is not WidgetKind.TEXT and is_complete(one)]
    named = await _list_named(site, caller, widgets)
    hidden = {name for name in named if site.reader.expand(name) not in public}
    hidden |= await _list_closed(site, caller, widgets, public)
    return Audience(
        sorted(map(t.type_name, hidden)),
        is_partial=any(not one.entities and not one.about for one in widgets),
        is_possible=bool(public),
    )


async def _list_named(site: Site, caller: Caller, widgets: Sequence[Widget]) -> set[str]:
    """The types that the author has chosen, and not each kind of "everything"; of a domain those that are there."""
    abouts = {one.about for one in widgets if one.about and not one.entities}
    areas = {one.area_type for one in widgets if one.area_type}
    domains = abouts & set(Domain)
    there = await count_types(site, caller) if domains else {}
    of_domains = {name for domain in domains for name in types_about(domain) if there.get(name)}
    return (abouts - domains) | areas | of_domains


async def _list_closed(site: Site, caller: Caller, widgets: Sequence[Widget], public: Collection[str]) -> set[str]:
    """The types of single objects of which none is public."""
    ids = tuple(dict.fromkeys(entity_id for one in widgets for entity_id in one.entities))
    if not ids:
        return set()
    page = await site.platform.broker.query(caller, EntityQuery(ids=ids, limit=len(ids)))
    closed = (entity for entity in page.entities if not set(public).intersection(entity.types))
    return {site.reader.view(entity, site.now).type for entity in closed}
