"""The first run's second step: which territory this is, by its official code or by hand."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zoneinfo import available_timezones

from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from parvis.ground.pmtiles import InvalidBaseMap
from parvis.kernel.settings import InvalidSettings, TerritorySettings
from parvis.web import official
from parvis.web.console.first_run_files import LARGEST_OUTLINES_BYTES, Outlines, keep_outlines
from parvis.web.console.first_run_frame import (
    FIRST_RUN,
    administrator,
    change_settings,
    form_of,
    go_on,
    render_step,
)
from parvis.web.console.first_run_progress import Step
from parvis.web.console.forms import text_of
from parvis.web.faults import explain_fault
from parvis.web.official import OfficialTerritory
from parvis.web.site import Site, site_of

PAGE = f"{FIRST_RUN}/{Step.TERRITORY.value}"
LARGEST_BODY_BYTES = LARGEST_OUTLINES_BYTES + (1 << 20)
SHOWN = 12
LONGEST_NAME = 100
LANGUAGES = ("fr,en", "en,fr", "fr", "en")
ZONES = ("Europe/Paris", "America/Guadeloupe", "America/Martinique", "America/Cayenne", "Indian/Reunion",
         "Indian/Mayotte", "America/Miquelon", "Pacific/Noumea", "Pacific/Tahiti", "Pacific/Wallis", "Europe/Brussels",
         "Europe/Zurich", "Europe/Luxembourg", "Europe/London", "Europe/Dublin", "UTC")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Filled:
    """What the form holds; `fault` is the last part of its sentence's key, `detail` what was written of a file."""

    name: str
    time_zone: str
    languages: str
    code: str = ""
    fault: str = ""
    why: str = ""
    detail: str = ""

    @classmethod
    def of_settings(cls, chosen: TerritorySettings) -> "Filled":
        name = "" if chosen.name == TerritorySettings().name else chosen.name
        return cls(name, chosen.time_zone, ",".join(chosen.languages), chosen.code)

    @classmethod
    def of_official(cls, found: OfficialTerritory, languages: str) -> "Filled":
        return cls(found.name, found.time_zone, languages, found.code)


async def territory_page(request: Request) -> Response:
    """`q` looks for it, `code` is the one that was found, `by=hand` needs no tables."""
    administrator(request)
    query, chosen = request.query_params, site_of(request).platform.at_hand.territory
    found = await asyncio.to_thread(official.find_territory, query["code"]) if _is_code(query.get("code", "")) else None
    filled = Filled.of_settings(chosen)
    if found is not None:
        filled = Filled.of_official(found, filled.languages)
    by_hand = query.get("by") == "hand" or not official.is_there()
    return await _render(request, filled, found, by_hand=by_hand and found is None)


def _is_code(code: str) -> bool:
    return code.isalnum() and official.is_there()


async def _render(
    request: Request, filled: Filled, found: OfficialTerritory | None, *, by_hand: bool, status: int = 200
) -> Response:
    asked = request.query_params.get("q", "").strip()[:LONGEST_NAME]
    results = await asyncio.to_thread(official.search_territories, asked, SHOWN)
    return await render_step(
        request,
        Step.TERRITORY,
        status=status,
        filled=filled,
        found=found,
        by_hand=by_hand,
        has_tables=official.is_there(),
        asked=asked,
        results=results,
        zones=ZONES,
        language_choices=LANGUAGES,
        present=site_of(request).platform.at_hand.territory,
        most_mb=LARGEST_OUTLINES_BYTES >> 20,
    )


async def choose(request: Request) -> Response:
    async with form_of(request) as form:
        return await _choose(request, form)


async def _choose(request: Request, form: FormData) -> Response:
    site, caller = site_of(request), administrator(request)
    code = text_of(form, "code")
    found = await asyncio.to_thread(official.find_territory, code) if _is_code(code) else None
    filled, outlines = await _check(site, form, found)
    changes = _changes(filled, found, outlines)
    if not filled.fault:
        try:
            change_settings(site, caller, changes)
        except (InvalidSettings, OSError) as fault:
            filled = _refused(site, request, filled, "not_written", str(fault))
    elif filled.fault == "file":
        filled = _refused(site, request, filled, "file", filled.detail)
    if filled.fault:
        return await _render(request, filled, found, by_hand=found is None, status=400)
    return await go_on(request, Step.TERRITORY)


def _refused(site: Site, request: Request, filled: Filled, fault: str, told: str) -> Filled:
    why = explain_fault(told, site.pages.words(request))
    return Filled(filled.name, filled.time_zone, filled.languages, filled.code, fault, why.sentence, why.detail)


async def _check(site: Site, form: FormData, found: OfficialTerritory | None) -> tuple[Filled, Outlines | None]:
    """The file is looked at last: it is kept only where all else is right."""
    code = "" if found is None else found.code
    name, zone, languages = (text_of(form, field) for field in ("name", "time_zone", "languages"))
    fault = ""
    if not 0 < len(name) <= LONGEST_NAME or not name.isprintable():
        fault = "name"
    elif zone not in available_timezones():
        fault = "time_zone"
    elif languages not in LANGUAGES:
        fault = "languages"
    filled = Filled(name, zone, languages, code, fault)
    file = form.get("outlines")
    if fault or not isinstance(file, UploadFile) or not file.filename:
        return filled, None
    try:
        return filled, await keep_outlines(file, site.platform.settings.data_dir, _communes_of(found))
    except InvalidBaseMap as refused:
        return Filled(name, zone, languages, code, "file", detail=refused.detail), None


def _communes_of(found: OfficialTerritory | None) -> tuple[str, ...]:
    return () if found is None else tuple(f"{one.code} {one.nom}" for one in found.members)


def _changes(filled: Filled, found: OfficialTerritory | None, outlines: Outlines | None) -> Mapping[str, Any]:
    communes = _communes_of(found)
    changes: dict[str, Any] = {
        "territory.name": filled.name,
        "territory.time_zone": filled.time_zone,
        "territory.languages": tuple(filled.languages.split(",")),
        "territory.code": filled.code,
        "territory.communes": communes,
    }
    if outlines is not None:
        changes |= {
            "territory.communes": communes or outlines.communes,
            "territory.centre": outlines.centre,
            "territory.zoom": outlines.zoom,
            "map.ground": Path(outlines.path).name,
            "map.style_url": "",
        }
    return changes


ROUTES = [Route(PAGE, territory_page, methods=["GET"]), Route(PAGE, choose, methods=["POST"])]
