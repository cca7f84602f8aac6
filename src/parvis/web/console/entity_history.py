"""An entity's past: columns for its charts, and files of it."""

from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from parvis.broker.model.entity import Instance
from parvis.kernel.errors import BadRequestData
from parvis.kernel.time import Instant, parse_instant
from parvis.web.console.series import DEFAULT_RANGE, RANGES, Series, Span, csv_lines, read_series
from parvis.web.headline import Headline
from parvis.web.pages import caller_of
from parvis.web.sentences import spell_period
from parvis.web.site import site_of
from parvis.web.units import SHARES_OF_ONE
from parvis.web.views import ObjectView, short_id
from parvis.web.wording import Wording


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
]
