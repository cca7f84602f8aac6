"""Dashboards that are there without anybody composing them: one for each domain that has objects, and the fleet's."""

from collections.abc import Mapping

from parvis.broker.query.tree import EntityQuery, Exists, Path, TypeIs
from parvis.kernel.errors import ResourceNotFound
from parvis.kernel.identity import Caller
from parvis.web.console.dashboards.layout import (
    AREA_LEAD,
    COLUMNS,
    MOST_SERIES,
    Layout,
    Method,
    Period,
    Widget,
    WidgetKind,
)
from parvis.web.console.dashboards.subjects import Subjects
from parvis.web.headline import PROFILES, Domain, types_of
from parvis.web.site import Site
from parvis.web.views import DEVICE_TYPE
from parvis.web.zones import ZONE

LEAD = "ready-"
FLEET, ZONES = "fleet", "zones"
MOST_FIGURES = 4
"""Of other types, in pairs, so that they fill their row."""


def list_ready(counts: Mapping[str, int]) -> list[str]:
    """Names of those for which there is something to show."""
    domains = [one.value for one in _domains(counts)]
    return [*domains, *([ZONES] if domains else []), *([FLEET] if counts.get(DEVICE_TYPE) or len(domains) > 1 else [])]


def _domains(counts: Mapping[str, int]) -> list[Domain]:
    return [one for one in Domain if one is not Domain.OTHER and any(counts.get(name) for name in types_of(one))]


async def ready_layout(site: Site, caller: Caller, name: str, counts: Mapping[str, int]) -> Layout:
    """Raises ResourceNotFound."""
    if name not in list_ready(counts):
        raise ResourceNotFound("There is no such dashboard.")
    if name == FLEET:
        return fleet_layout(counts)
    if name == ZONES:
        return await _zones_layout(site, caller, counts)
    domain = Domain(name)
    numbers = await _count_numbers(site, caller, domain)
    main = _main_type(domain, numbers, counts)
    return domain_layout(domain, main, numbers, await _some_of(site, caller, main))


def _main_type(domain: Domain, numbers: Mapping[str, int], counts: Mapping[str, int]) -> str:
    return max(types_of(domain), key=lambda one: (numbers[one], counts.get(one, 0)))


async def _zones_layout(site: Site, caller: Caller, counts: Mapping[str, int]) -> Layout:
    """Zones that people have drawn say how they look at their territory; without any, communes do."""
    domains = _domains(counts)
    mains = [_main_type(one, await _count_numbers(site, caller, one), counts) for one in domains]
    return zones_layout(dict(zip(domains, mains, strict=True)), AREA_LEAD + ZONE if counts.get(ZONE) else "")


def zones_layout(mains: Mapping[Domain, str], zones: str) -> Layout:
    """`mains`: the type with the most numbers of each domain. `zones`: as of a widget."""
    rest = [Widget(WidgetKind.BARS, width=2, about=main, zones=zones) for main in mains.values()]
    width = 2 if len(rest) % 2 else COLUMNS
    first = Widget(WidgetKind.BARS, width=width, method=Method.ATTENTION, zones=zones)
    return Layout((first, *rest, Widget(WidgetKind.MAP, width=COLUMNS, height=2)))


async def _count_numbers(site: Site, caller: Caller, domain: Domain) -> dict[str, int]:
    """How many objects of each type have a number for what matters most of them: words have neither sum nor curve."""
    subjects = Subjects(site.reader, site.now, site.platform.broker.sight(caller))
    types = types_of(domain)
    queries = [subjects.tallies(Widget(WidgetKind.FIGURE, about=one))[0] for one in types]
    answer = await site.platform.broker.tally(caller, queries)
    return {one: sum(row.numbers for row in rows) for one, rows in zip(types, answer, strict=True)}


def domain_layout(domain: Domain, main: str, numbers: Mapping[str, int], some: tuple[str, ...]) -> Layout:
    """`main` is the type with the most numbers, `some` are objects of it that are measured."""
    about, attribute = domain.value, PROFILES[main].headlines[0].attribute
    others = sorted((one for one in types_of(domain) if one != main and numbers[one]), key=lambda one: -numbers[one])
    first = [
        Widget(WidgetKind.STATES, width=2, about=about),
        Widget(WidgetKind.FIGURE, about=main),
        Widget(WidgetKind.AGE, about=about),
        *_figures(others),
        Widget(WidgetKind.MAP, width=2, height=2, about=about),
        Widget(WidgetKind.ALERTS, width=2, height=2, about=about),
    ]
    series = [
        Widget(WidgetKind.SERIES, width=4, entities=some, attribute=attribute, period=Period.WEEK),
        Widget(WidgetKind.DAYS, width=4, entities=some[:1], attribute=attribute, period=Period.WEEK),
    ]
    last = [Widget(WidgetKind.BARS, width=2, about=main), Widget(WidgetKind.TOP, width=2, about=main)]
    return Layout((*first, *(series if some else ()), *last))


def _figures(types: list[str]) -> list[Widget]:
    shown = types[: min(MOST_FIGURES, len(types) // 2 * 2)]
    return [Widget(WidgetKind.FIGURE, width=MOST_FIGURES // len(shown), about=one) for one in shown]


def fleet_layout(counts: Mapping[str, int]) -> Layout:
    domains = _domains(counts)
    widgets = [
        Widget(WidgetKind.STATES, width=2),
        Widget(WidgetKind.AGE),
        Widget(WidgetKind.FIGURE, about=DEVICE_TYPE, method=Method.COUNT),
        Widget(WidgetKind.MAP, width=2, height=2),
        Widget(WidgetKind.ALERTS, width=2, height=2),
        *(Widget(WidgetKind.STATES, about=one.value) for one in domains),
    ]
    if counts.get(DEVICE_TYPE):
        battery = "batteryLevel"
        widgets += [
            Widget(WidgetKind.GAUGE, about=DEVICE_TYPE, attribute=battery),
            Widget(WidgetKind.TOP, width=2, about=DEVICE_TYPE, attribute=battery, method=Method.LOWEST),
        ]
    return Layout(tuple(widgets))


async def _some_of(site: Site, caller: Caller, type_name: str) -> tuple[str, ...]:
    expand = site.reader.expand
    attribute = Exists(Path(expand(PROFILES[type_name].headlines[0].attribute)))
    query = EntityQuery(types=TypeIs(expand(type_name)), q=attribute, limit=MOST_SERIES - 1)
    page = await site.platform.broker.query(caller, query)
    return tuple(entity.id for entity in page.entities)
