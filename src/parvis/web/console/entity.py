"""Everything about one entity: its state in a sentence, the chart that matters, attributes, relations, place."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from parvis.broker.model.entity import Entity, Instance, Kind
from parvis.broker.query.tree import EntityQuery, TypeIs
from parvis.fleet.devices.records import hardware_id_of
from parvis.fleet.health.quality import Quality
from parvis.kernel.identity import Caller, Right
from parvis.kernel.time import Instant
from parvis.web.console.compared import SHIFTS, Compared, query_of, read_compared
from parvis.web.console.dashboards.records import ID_LEAD, address_of
from parvis.web.console.entity_audit import asked_of, list_deeds, list_stated
from parvis.web.console.entity_readers import list_readers
from parvis.web.console.entity_relations import MOST_HOPS, read_graph
from parvis.web.console.entity_sources import MOST_DEVICES, list_sources
from parvis.web.console.entity_values import value_text
from parvis.web.console.series import DEFAULT_RANGE, RANGES, range_with_data
from parvis.web.headline import BEHIND_THE_SCENES
from parvis.web.pages import caller_of
from parvis.web.sentences import state_sentence
from parvis.web.site import Site, site_of
from parvis.web.views import DEVICE_TYPE, ObjectView, natural, short_id
from parvis.web.wording import Wording

MOST_ALIKE = 60
MOST_REFERRING = 100
SEE_OTHER = 303
RELATION_TO_ASSET = "controlledAsset"


@dataclass(frozen=True, slots=True)
class AttributeRow:
    term: str
    label: str
    dataset: str
    number: str
    unit: str
    at: Instant
    is_dated: bool


async def entity_page(request: Request) -> Response:
    site, caller = site_of(request), caller_of(request)
    t = site.pages.words(request)
    seq = await site.platform.broker.outbox.newest()
    entity = await site.platform.broker.get(caller, request.path_params["id"])
    if entity.id.startswith(ID_LEAD) and caller.may(Right.READ):
        return RedirectResponse(address_of(entity.id), SEE_OTHER)
    view = site.reader.view(entity, site.now)
    charted = chartable(site, entity, view)
    attribute, shown_range = await chosen_chart(request, entity, charted)
    compared = read_compared(request.query_params, entity.id)
    alike, feeding = await _list_alike(site, caller, entity), await _list_feeding(site, caller, entity.id)
    hops = MOST_HOPS if request.query_params.get("hops") == str(MOST_HOPS) else 1
    return site.pages.render(
        request,
        "console/pages/entity.html",
        view=view,
        on_map=view.type not in BEHIND_THE_SCENES,
        seq=seq,
        sentence=state_sentence(view, t, site.now),
        charted=[(term, t.attribute_name(term, view.type)) for term in charted],
        attribute=attribute,
        range=shown_range,
        ranges=list(RANGES),
        compared=[_compared_view(site, entity, one, compared, (attribute, shown_range), t) for one in compared],
        files=query_of(compared),
        shifts=list(SHIFTS),
        others=alike[:MOST_ALIKE],
        more_others=len(alike) > MOST_ALIKE,
        rows=list(attribute_rows(site, entity, view, t)),
        qualities=await list_qualities(site, caller, entity.id),
        sources=await list_sources(site, caller, entity, feeding, t),
        looked_at=MOST_DEVICES if len(feeding) > MOST_DEVICES else 0,
        graph=await read_graph(site, caller, entity, hops, t),
        hops=hops,
        readers=await list_readers(site, caller, entity, t),
        deeds=await list_deeds(site, caller, entity, t),
        asked=asked_of(site, entity),
        stated=await list_stated(site, caller, entity, partial(_spell, site, view, t)),
        href=f"/console/entities/{quote(entity.id, safe=':')}",
        device_href=await _find_device_page(site, caller, view),
        raw_href=f"/data/v1/entities/{quote(entity.id, safe=':')}",
    )


def _compared_view(
    site: Site, entity: Entity, one: Compared, everything: Sequence[Compared], shown: tuple[str, str], t: Wording
) -> dict[str, str]:
    """With a name until the script knows a better one."""
    parts = [t.attribute_name(one.attribute), "" if one.entity_id == entity.id else short_id(one.entity_id)]
    if one.shift:
        parts.append(t(f"chart.before_{one.shift}"))
    rest = query_of([other for other in everything if other != one], attr=shown[0], range=shown[1])
    name = ", ".join(part for part in parts if part)
    return {"name": name, "address": one.address, "text": one.text, "without": f"?{rest}"}


async def _list_alike(site: Site, caller: Caller, entity: Entity) -> list[tuple[str, str]]:
    """Objects of the same type, to compare with: id and name; one more than is offered, where there are more."""
    page = await site.platform.broker.query(caller, EntityQuery(types=TypeIs(entity.types[0]), limit=MOST_ALIKE + 2))
    views = [site.reader.view(one, site.now) for one in page.entities if one.id != entity.id]
    return sorted(((view.id, view.name) for view in views[: MOST_ALIKE + 1]), key=lambda one: natural(one[1]))


def _spell(site: Site, view: ObjectView, t: Wording, one: Instance) -> tuple[str, str, str]:
    term = site.reader.compact(one.name)
    return (t.attribute_name(term, view.type), *value_text(one, term, t))


async def list_qualities(site: Site, caller: Caller, entity_id: str) -> Mapping[str, Quality]:
    """By attribute; for people who are signed in."""
    if not caller.may(Right.READ):
        return {}
    return await site.platform.fleet.health.list_qualities(caller.tenant, entity_id)


async def _find_device_page(site: Site, caller: Caller, view: ObjectView) -> str:
    """Empty for what is no registered device, and for those who may not read devices."""
    if view.type != DEVICE_TYPE or not caller.may(Right.READ):
        return ""
    devices = site.platform.fleet.registry
    await devices.load(caller.tenant)
    device = devices.find(caller.tenant, hardware_id_of(view.id))
    return "" if device is None else f"/console/devices/{quote(device.hardware_id, safe='')}"


async def chosen_chart(request: Request, entity: Entity, charted: Sequence[str]) -> tuple[str, str]:
    """Attribute and range of the address, else the headline over the range where its data are."""
    if not charted:
        return "", DEFAULT_RANGE
    site, wanted = site_of(request), request.query_params
    attribute = wanted["attr"] if wanted.get("attr") in charted else charted[0]
    if wanted.get("range") in RANGES:
        return attribute, wanted["range"]
    expanded, caller = site.reader.expand(attribute), caller_of(request)
    return attribute, await range_with_data(site.platform.broker, caller, entity.id, expanded, "", site.now)


def chartable(site: Site, entity: Entity, view: ObjectView) -> list[str]:
    """Terms of the attributes with a history worth drawing, the headline first."""
    terms = [
        site.reader.compact(one.name)
        for one in entity.instances
        if one.kind is Kind.PROPERTY and one.observed_at is not None and isinstance(one.value, int | float | str)
    ]
    first = "" if view.headline is None else view.headline.attribute
    return sorted(dict.fromkeys(terms), key=lambda term: (term != first, term))


def attribute_rows(site: Site, entity: Entity, view: ObjectView, t: Wording) -> Iterable[AttributeRow]:
    """The headline, then what else is measured, then what is stated of it; relations are drawn elsewhere."""
    first = "" if view.headline is None else site.reader.expand(view.headline.attribute)
    stated = (one for one in entity.instances if one.kind is not Kind.RELATIONSHIP)
    for one in sorted(stated, key=lambda one: (one.name != first, one.observed_at is None)):
        term = site.reader.compact(one.name)
        label = t.attribute_name(term, view.type)
        number, unit = value_text(one, term, t)
        is_dated = one.observed_at is not None
        yield AttributeRow(term, label, short_id(one.dataset), number, unit, one.seen_at, is_dated)


async def _list_feeding(site: Site, caller: Caller, entity_id: str) -> list[str]:
    """The ids of the devices that observe it."""
    asset = site.reader.expand(RELATION_TO_ASSET)
    found = await site.platform.broker.list_referring(caller, entity_id, MOST_REFERRING)
    return [one.id for one in found if any(bond.name == asset for bond in one.instances)]


ROUTES = [Route("/console/entities/{id:path}", entity_page)]
