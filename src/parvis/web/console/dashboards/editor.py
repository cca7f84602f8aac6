"""Composing a dashboard: the page, what its forms choose from, and a widget as it would look."""

from collections.abc import Sequence
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from parvis.broker.ports.search import WordQuery
from parvis.broker.query.tree import EntityQuery, TypeIs
from parvis.broker.search.words import words_in
from parvis.kernel.errors import Forbidden
from parvis.kernel.identity import Caller, Right
from parvis.kernel.time import Instant
from parvis.web.auth import FORM_FIELD, check_form_token
from parvis.web.console.dashboards.answers import Answers, is_complete
from parvis.web.console.dashboards.layout import (
    AREA_LEAD,
    COLUMNS,
    LONGEST_NAME,
    LONGEST_TEXT,
    MOST_SERIES,
    MOST_WIDGETS,
    TALLEST,
    WORD_LEAD,
    Layout,
    Method,
    Period,
    WidgetKind,
    layout_text,
    parse_widget,
)
from parvis.web.console.dashboards.pages import HOME, cached_of, dashboards_of
from parvis.web.console.dashboards.ready import LEAD, ready_layout
from parvis.web.console.dashboards.records import Version
from parvis.web.console.dashboards.zonings import list_zonings
from parvis.web.console.map_filter import type_options
from parvis.web.headline import BEHIND_THE_SCENES, PROFILES
from parvis.web.objects import count_types
from parvis.web.pages import caller_of
from parvis.web.site import Site, site_of
from parvis.web.twins import told_apart
from parvis.web.views import DEVICE_TYPE, NAMES, ObjectView
from parvis.web.wording import Wording

OFFERED = 20
_UNMEASURED = frozenset({*NAMES, "address", "location", "dataProvider", "description", "owner", "source"})
LIMITS = {
    "columns": COLUMNS, "tallest": TALLEST, "widgets": MOST_WIDGETS, "series": MOST_SERIES, "name": LONGEST_NAME,
    "text": LONGEST_TEXT,
}  # fmt: skip


def check_writer(request: Request) -> Caller:
    """Raises Forbidden."""
    caller = caller_of(request)
    if not caller.may(Right.WRITE):
        raise Forbidden("Dashboards are composed by people with the right to write.")
    return caller


async def new_page(request: Request) -> Response:
    """One that is not there before it is saved: empty, or a copy of a ready one or of another (`source`)."""
    site, caller = site_of(request), check_writer(request)
    given = " ".join(request.query_params.get("name", "").split())[:LONGEST_NAME]
    name, layout = await _beginning(site, caller, request.query_params.get("source", ""), site.pages.words(request))
    return await _editor(request, "", given or name, layout)


async def _beginning(site: Site, caller: Caller, source: str, t: Wording) -> tuple[str, Layout]:
    if source.startswith(LEAD):
        ready = source.removeprefix(LEAD)
        return t(f"board_ready.{ready}"), await ready_layout(site, caller, ready, await count_types(site, caller))
    if source:
        other = await dashboards_of(site).get(caller, source)
        return t("board.copy_of", name=other.name)[:LONGEST_NAME], other.layout
    return t("board.new_name"), Layout()


async def edit_page(request: Request) -> Response:
    site, caller, short = site_of(request), check_writer(request), request.path_params["short"]
    dashboards = dashboards_of(site)
    shown = await dashboards.get(caller, short)
    versions = await dashboards.list_versions(caller, short)
    return await _editor(request, short, shown.name, shown.layout, shown.changed_at, versions)


async def _editor(
    request: Request, short: str, name: str, layout: Layout, version: Instant = 0, versions: Sequence[Version] = ()
) -> Response:
    """`short` is empty where it is a new one."""
    site, caller = site_of(request), caller_of(request)
    t = site.pages.words(request)
    answers = await Answers(site, cached_of(request), caller, t).list_answers(layout)
    return site.pages.render(
        request,
        "console/pages/dashboard_edit.html",
        short=short,
        name=name,
        version=version,
        answers=answers,
        is_public=False,
        choices=await choices_of(site, caller, t),
        names={key: name for one in answers for key, name in one.names.items()},
        limits=LIMITS,
        layout=layout_text(layout),
        versions=versions,
    )


async def choices_of(site: Site, caller: Caller, t: Wording) -> dict[str, Any]:
    """What there is to choose from; attributes by type."""
    counts = await count_types(site, caller)
    zonings = await list_zonings(site, caller, counts)
    attributes = await site.platform.broker.list_attributes(caller)
    by_type = {
        site.reader.compact(iri): _named_attributes(site, names, site.reader.compact(iri), t)
        for iri, names in attributes.items()
    }
    there = {*counts, DEVICE_TYPE} if counts.get(DEVICE_TYPE) else {*counts}
    types = type_options(t, there - BEHIND_THE_SCENES)
    if counts.get(DEVICE_TYPE):
        types = [*types, (t("where_to.devices"), [(DEVICE_TYPE, t.type_name(DEVICE_TYPE))])]
    return {
        "kinds": [one.value for one in WidgetKind],
        "types": types,
        "attributes": by_type,
        "main": {name: profile.headlines[0].attribute for name, profile in PROFILES.items() if name in by_type},
        "areas": [(AREA_LEAD + name, t.type_name(name)) for name in zonings.area_types],
        "words": {
            about: [(WORD_LEAD + name, t.attribute_name(name, about)) for name in names]
            for about, names in zonings.words.items()
        },
        "methods": [one.value for one in Method],
        "periods": [one.value for one in Period],
    }


def _named_attributes(site: Site, names: set[str], type_name: str, t: Wording) -> list[tuple[str, str]]:
    terms = sorted(site.reader.compact(name) for name in names)
    named = [(term, t.attribute_name(term, type_name)) for term in terms if term not in _UNMEASURED]
    return sorted(named, key=lambda one: one[1].casefold())


async def preview(request: Request) -> Response:
    """A widget as it would look, for the page that composes it."""
    site, caller = site_of(request), check_writer(request)
    check_form_token(request, request.headers.get(FORM_FIELD.replace("_", "-"), ""))
    widget = parse_widget((await request.body()).decode("utf-8", "replace"))
    answer = await Answers(site, cached_of(request), caller, site.pages.words(request)).answer(widget)
    html = site.pages.fragment(request, "console/pages/dashboard_widget.html", answer=answer, is_public=False)
    return JSONResponse(
        {"html": html, "title": answer.title, "names": answer.names, "is_complete": is_complete(widget)},
        headers={"cache-control": "no-store"},
    )


async def objects(request: Request) -> Response:
    """Some objects of a type by the words of their names, to choose one."""
    site, caller = site_of(request), check_writer(request)
    about, text = request.query_params.get("type", "")[:500], request.query_params.get("q", "")[:LONGEST_NAME]
    types = TypeIs(site.reader.expand(about)) if about else None
    query = EntityQuery(types=types, limit=OFFERED)
    if words := tuple(words_in(text)):
        found = await site.platform.broker.find_words(caller, WordQuery(words, types, OFFERED))
        query = msgspec.structs.replace(query, ids=found.ids or ("urn:ngsi-ld:None:none",))
    page = await site.platform.broker.query(caller, query)
    views = told_apart([site.reader.view(entity, site.now) for entity in page.entities])
    told = [{"id": one.id, "name": one.name, "where": _where(one), "type": one.type} for one in views]
    return JSONResponse(told, headers={"cache-control": "no-store"})


def _where(view: ObjectView) -> str:
    return ", ".join(part for part in (view.commune, view.apart) if part)


ROUTES = [
    Route(f"{HOME}/new", new_page, methods=["GET"]),
    Route(f"{HOME}/objects.json", objects, methods=["GET"]),
    Route(f"{HOME}/preview", preview, methods=["POST"]),
    Route(f"{HOME}/{{short}}/edit", edit_page, methods=["GET"]),
]
