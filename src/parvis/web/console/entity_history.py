"""An entity's past: columns for its charts, and files of it."""

import re
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from parvis.broker.model.entity import Instance
from parvis.kernel.errors import BadRequestData
from parvis.kernel.time import Instant, parse_instant
from parvis.web.console.compared import SHIFTS, Compared, read_compared, shift_of
from parvis.web.console.parquet import open_parquet, read_chunks
from parvis.web.console.series import (
    CSV_HEADER,
    DEFAULT_RANGE,
    RANGES,
    Series,
    Span,
    csv_lines,
    raw_lines,
    read_series,
)
from parvis.web.console.spreadsheet import csv_text
from parvis.web.headline import Headline
from parvis.web.pages import caller_of
from parvis.web.sentences import spell_period
from parvis.web.site import site_of
from parvis.web.units import SHARES_OF_ONE
from parvis.web.views import ObjectView, short_id
from parvis.web.wording import Wording, decimals_of

_UNNAMED = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True)
class Asked:
    """The series of a file, and its name without the ending."""

    parts: Sequence[Compared]
    span: Span
    name: str


async def series(request: Request) -> Response:
    """Columns for the chart, with the lines to draw and the words to say."""
    site, caller, t = site_of(request), caller_of(request), site_of(request).pages.words(request)
    entity = await site.platform.broker.get(caller, request.path_params["id"])
    term, span = request.query_params.get("attr", ""), chosen_span(request, site.now)
    attribute, shift = site.reader.expand(term), shift_of(request.query_params)
    dataset = request.query_params.get("dataset", "")
    columns = await read_series(site.platform.broker, caller, entity.id, attribute, dataset, span.before(shift))
    shown, view = entity.find(attribute, dataset), site.reader.view(entity, site.now)
    told = _chart(columns.later(shift), term, shown, view, span, t)
    legend = legend_of(term, view, request.query_params.get("shift", ""), t, is_full="full" in request.query_params)
    return Response(
        msgspec.json.encode({**told, "legend": legend, "apart": apart_of(term, view)}),
        media_type="application/json",
        headers={"cache-control": "no-store"},
    )


def legend_of(term: str, view: ObjectView, shift: str, t: Wording, *, is_full: bool) -> str:
    """ "CO2, Mill School, a week before"."""
    when = t(f"chart.before_{shift}") if shift else ""
    parts = [t.attribute_name(term, view.type), view.name if is_full else "", when]
    return ", ".join(part for part in parts if part)


def apart_of(term: str, view: ObjectView) -> list[str]:
    """What tells it from a series with the same legend, the best words first."""
    return [view.commune, term, short_id(view.id)]


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
        "decimals": decimals_of(term),
        "warn": None if lines.warn is None else lines.warn * scale,
        "bad": None if lines.bad is None else lines.bad * scale,
        "categories": [t.find(f"value.{word}") or word for word in columns.categories],
        "note": _note(columns, t),
    }


def _note(columns: Series, t: Wording) -> str:
    if not columns.bucket:
        return t("chart.measured")
    return t("chart.averaged" if columns.lows else "chart.last_of", period=spell_period(columns.bucket, t))


def _scaled(values: list[float | None], scale: float) -> list[float | None]:
    return [None if value is None else round(value * scale, 6) for value in values]


def chosen_span(request: Request, now: Instant) -> Span:
    """`range` back from now, or `from` and `to` as ISO 8601.

    Raises:
        BadRequestData: the times are none, or end before they begin.
    """
    query = request.query_params
    try:
        end = parse_instant(query["to"]) if "to" in query else now
        start = parse_instant(query["from"]) if "from" in query else None
    except ValueError as error:
        raise BadRequestData(f"from and to must be date-times: {error}") from error
    if start is not None and start >= end:
        raise BadRequestData("from must be before to.")
    if start is not None:
        return Span(start, end)
    return Span(end - RANGES.get(query.get("range", ""), RANGES[DEFAULT_RANGE]), end)


async def history_csv(request: Request) -> Response:
    """What the chart shows, as it was measured; one series after the other."""
    asked = await _asked_for(request)
    return _file(_csv(request, asked), f"{asked.name}.csv", "text/csv; charset=utf-8")


async def _csv(request: Request, asked: Asked) -> AsyncIterator[bytes]:
    yield csv_text([CSV_HEADER]).encode()
    async for line in _lines(request, asked, csv_lines):
        yield line


async def history_parquet(request: Request) -> Response:
    """The same rows as a Parquet file: numbers and words in columns of their own."""
    asked = await _asked_for(request)
    file = await open_parquet(_lines(request, asked, raw_lines))
    return _file(read_chunks(file), f"{asked.name}.parquet", "application/vnd.apache.parquet")


def _file(content: AsyncIterator[bytes], name: str, media: str) -> Response:
    headers = {"content-disposition": f'attachment; filename="{name}"', "cache-control": "no-store"}
    return StreamingResponse(content, media_type=media, headers=headers)


async def _asked_for(request: Request) -> Asked:
    """Nothing of an entity that the caller may not read. Raises BadRequestData."""
    site, caller = site_of(request), caller_of(request)
    entity_id, term = request.path_params["id"], request.query_params.get("attr", "")
    if not term:
        raise BadRequestData("Say which attribute: ?attr=fillingLevel")
    parts = list(dict.fromkeys([Compared(term, entity_id, ""), *read_compared(request.query_params, entity_id)]))
    for one in parts:
        site.reader.expand(one.attribute)
    for one_id in {part.entity_id for part in parts}:
        await site.platform.broker.get(caller, one_id)
    name = _UNNAMED.sub("-", f"{short_id(entity_id)}-{term}")
    return Asked(parts, chosen_span(request, site.now), name)


async def _lines(request: Request, asked: Asked, lines: Callable[..., AsyncIterator[bytes]]) -> AsyncIterator[bytes]:
    site, caller = site_of(request), caller_of(request)
    for part in asked.parts:
        attribute, moved = site.reader.expand(part.attribute), asked.span.before(SHIFTS[part.shift])
        async for line in lines(site.platform.broker, caller, part.entity_id, attribute, part.attribute, moved):
            yield line


ROUTES = [
    Route("/console/entities/{id:path}/history.csv", history_csv),
    Route("/console/entities/{id:path}/history.parquet", history_parquet),
    Route("/console/entities/{id:path}/series.json", series),
]
