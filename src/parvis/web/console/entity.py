"""Everything about one entity: its state in a sentence, the chart that matters, attributes, relations, place."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import quote

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from parvis.broker.model.entity import Entity, Instance, Kind
from parvis.broker.query.tree import Compare, EntityQuery, Operator, Path
from parvis.fleet.devices.records import hardware_id_of
from parvis.fleet.health.quality import Quality
from parvis.kernel.errors import BadRequestData
from parvis.kernel.identity import Caller, Right
from parvis.kernel.time import Instant, parse_instant
from parvis.web.console.series import DEFAULT_RANGE, RANGES, Series, Span, csv_lines, range_with_data, read_series
from parvis.web.headline import BEHIND_THE_SCENES, Headline
from parvis.web.pages import caller_of
from parvis.web.sentences import spell_period, state_sentence
from parvis.web.site import Site, site_of
from parvis.web.units import SHARES_OF_ONE
from parvis.web.views import DEVICE_TYPE, ObjectView, one_text, short_id
from parvis.web.wording import Wording

MOST_RELATED = 20
RELATION_TO_ASSET = "controlledAsset"
MEASURED = "controlledProperty"
_DAY = re.compile(r"(\d{4}-\d\d-\d\d)(?:T00:00(?::00)?)?")
"""A day, as files tell when something was planted or built."""


@dataclass(frozen=True, slots=True)
class AttributeRow:
    """`href` is set for relations; `text` replaces number and unit where the value is no quantity."""

    term: str
    label: str
    dataset: str
    number: str
    unit: str
    at: Instant
    href: str = ""
    is_dated: bool = True


@dataclass(frozen=True, slots=True)
class Related:
    href: str
    name: str
    how: str


async def entity_page(request: Request) -> Response:
    site, caller = site_of(request), caller_of(request)
    t = site.pages.words(request)
    seq = await site.platform.broker.outbox.newest()
    entity = await site.platform.broker.get(caller, request.path_params["id"])
    view = site.reader.view(entity, site.now)
    rows = list(attribute_rows(site, entity, view, t))
    charted = chartable(site, entity, view)
    attribute, shown_range = await chosen_chart(request, entity, charted)
    qualities = await list_qualities(site, caller, entity.id)
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
        rows=[row for row in rows if not row.href],
        qualities=qualities,
        relations=[*(_as_related(row) for row in rows if row.href), *await list_referring(site, caller, entity.id, t)],
        href=f"/console/entities/{quote(entity.id, safe=':')}",
        device_href=await _find_device_page(site, caller, view),
        raw_href=f"/data/v1/entities/{quote(entity.id, safe=':')}",
    )


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
    """The headline, then what else is measured, then what is stated of it."""
    first = "" if view.headline is None else site.reader.expand(view.headline.attribute)
    for one in sorted(entity.instances, key=lambda one: (one.name != first, one.observed_at is None)):
        term = site.reader.compact(one.name)
        label = t.attribute_name(term, view.type)
        if one.kind is Kind.RELATIONSHIP:
            yield from _relations(one, term, label)
        else:
            number, unit = value_text(one, term, t)
            yield AttributeRow(
                term, label, short_id(one.dataset), number, unit, one.seen_at, is_dated=one.observed_at is not None
            )


def _relations(one: Instance, term: str, label: str) -> Iterable[AttributeRow]:
    targets = one.value if isinstance(one.value, list) else [one.value]
    for target in targets:
        href = f"/console/entities/{quote(str(target), safe=':')}"
        yield AttributeRow(term, label, one.dataset, short_id(str(target)), "", one.seen_at, href)


def value_text(one: Instance, term: str, t: Wording) -> tuple[str, str]:
    """The value and its unit."""
    if one.kind is Kind.GEO_PROPERTY:
        return (_place(one.value), "")
    if isinstance(one.value, dict) and (at := instant_of(one.value)) is not None:
        return (t.moment(at), "")
    if isinstance(one.value, dict):
        return (", ".join(one_text(part) for part in one.value.values()), "")
    if isinstance(one.value, list):
        return (", ".join(_listed(part, term, t) for part in one.value), "")
    if isinstance(one.value, str) and (day := _DAY.fullmatch(one.value)):
        return (_day(day[1], t), "")
    return t.split_quantity(one.value, one.unit_code, term)


def _day(text: str, t: Wording) -> str:
    try:
        return t.day(date.fromisoformat(text))
    except ValueError:
        return text


def _listed(part: Any, term: str, t: Wording) -> str:
    """A member of a list; what a device measures is named as those attributes are."""
    return t.attribute_name(part) if term == MEASURED and isinstance(part, str) else t.split_quantity(part)[0]


def instant_of(value: dict[str, Any]) -> Instant | None:
    """Of a typed JSON-LD value such as {"@type": "DateTime", "@value": "2026-03-01T08:00:00Z"}."""
    if value.get("@type") != "DateTime":
        return None
    try:
        return parse_instant(str(value.get("@value", "")))
    except ValueError:
        return None


def _place(geometry: dict[str, Any]) -> str:
    if geometry.get("type") == "Point":
        longitude, latitude = geometry["coordinates"][:2]
        return f"{latitude:.5f}, {longitude:.5f}"
    return str(geometry.get("type", ""))


def _as_related(row: AttributeRow) -> Related:
    return Related(row.href, row.number, row.label)


async def list_referring(site: Site, caller: Caller, entity_id: str, t: Wording) -> list[Related]:
    """The devices that feed this entity."""
    condition = Compare(Path(site.reader.expand(RELATION_TO_ASSET)), Operator.EQUAL, entity_id)
    page = await site.platform.broker.query(caller, EntityQuery(q=condition, limit=MOST_RELATED))
    views = [site.reader.view(entity, site.now) for entity in page.entities]
    return [
        Related(f"/console/entities/{quote(view.id, safe=':')}", view.name, t.type_name(view.type, 1)) for view in views
    ]


async def series(request: Request) -> Response:
    """Columns for the chart, with the lines to draw and the words to say."""
    site, caller, t = site_of(request), caller_of(request), site_of(request).pages.words(request)
    entity = await site.platform.broker.get(caller, request.path_params["id"])
    term, span = request.query_params.get("attr", ""), chosen_span(request, site.now)
    attribute = site.reader.expand(term)
    dataset = request.query_params.get("dataset", "")
    columns = await read_series(site.platform.broker, caller, entity.id, attribute, dataset, span)
    shown = entity.find(attribute, dataset)
    return Response(
        msgspec.json.encode(_chart(columns, term, shown, site.reader.view(entity, site.now), span, t)),
        media_type="application/json",
        headers={"cache-control": "no-store"},
    )


def _chart(
    columns: Series, term: str, shown: Instance | None, view: ObjectView, span: Span, t: Wording
) -> dict[str, Any]:
    scale = 100.0 if term in SHARES_OF_ONE else 1.0
    lines = view.headline if view.headline is not None and view.headline.attribute == term else Headline(term)
    _, unit = t.split_quantity(1.0, "" if shown is None else shown.unit_code, term)
    return {
        "t": columns.times,
        "v": _scaled(columns.values, scale),
        "low": _scaled(columns.lows, scale),
        "high": _scaled(columns.highs, scale),
        "from": span.start / 1e6,
        "to": span.end / 1e6,
        "label": t.attribute_name(term, view.type),
        "question": t("chart.question", attribute=t.attribute_name(term, view.type)),
        "unit": unit,
        "share": term in SHARES_OF_ONE,
        "warn": None if lines.warn is None else lines.warn * scale,
        "bad": None if lines.bad is None else lines.bad * scale,
        "categories": [t.find(f"value.{word}") or word for word in columns.categories],
        "note": t("chart.averaged", period=spell_period(columns.bucket, t)) if columns.bucket else t("chart.measured"),
    }


def _scaled(values: list[float | None], scale: float) -> list[float | None]:
    return [None if value is None else round(value * scale, 6) for value in values]


def chosen_span(request: Request, now: Instant) -> Span:
    """`range` back from now, or `from` and `to` as ISO 8601.

    Raises:
        BadRequestData: the times are none.
    """
    query = request.query_params
    try:
        end = parse_instant(query["to"]) if "to" in query else now
        if "from" in query:
            return Span(parse_instant(query["from"]), end)
    except ValueError as error:
        raise BadRequestData(f"from and to must be date-times: {error}") from error
    return Span(end - RANGES.get(query.get("range", ""), RANGES[DEFAULT_RANGE]), end)


async def history_csv(request: Request) -> Response:
    site, caller = site_of(request), caller_of(request)
    entity = await site.platform.broker.get(caller, request.path_params["id"])
    term = request.query_params.get("attr", "")
    if not term:
        raise BadRequestData("Say which attribute: ?attr=fillingLevel")
    span = chosen_span(request, site.now)
    lines = csv_lines(site.platform.broker, caller, entity.id, site.reader.expand(term), term, span)
    name = f"{short_id(entity.id)}-{term}.csv".encode("ascii", "ignore").decode().replace('"', "")
    headers = {"content-disposition": f'attachment; filename="{name}"', "cache-control": "no-store"}
    return StreamingResponse(lines, media_type="text/csv; charset=utf-8", headers=headers)


ROUTES = [
    Route("/console/entities/{id:path}/history.csv", history_csv),
    Route("/console/entities/{id:path}/series.json", series),
    Route("/console/entities/{id:path}", entity_page),
]
