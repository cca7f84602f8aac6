"""Search everywhere: one page of results, and the same as one types."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from parvis.broker.search.words import words_in
from parvis.kernel.errors import ParvisError
from parvis.kernel.identity import Caller
from parvis.web.console.dashboards.records import DASHBOARD
from parvis.web.console.search_guess import in_whole_words, list_guesses
from parvis.web.console.search_objects import Kind, ObjectsFound, find_objects, href_of, kind_words
from parvis.web.console.search_works import Work, find_imports, find_jobs, find_subscriptions
from parvis.web.filters import LONGEST_SEARCH
from parvis.web.headline import Domain, State, profile_of
from parvis.web.markers import ICONS
from parvis.web.pages import caller_of
from parvis.web.places import Place, find_places, open_to
from parvis.web.site import Site, site_of
from parvis.web.twins import told_apart
from parvis.web.views import DEVICE_TYPE, ObjectView
from parvis.web.wording import Wording

NO_RIGHT = (401, 403)


@dataclass(frozen=True, slots=True)
class Hit:
    """One line of the results. `state` is None for what has none; `hue` is a domain's."""

    title: str
    detail: str
    href: str
    icon: str
    hue: str = ""
    state: State | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """`search.group_<key>` names it; `is_all` is False where more was found than is shown."""

    key: str
    hits: Sequence[Hit]
    is_all: bool = True


@dataclass(frozen=True, slots=True)
class Found:
    """`meant` is what was looked for instead, where nothing was found for what was typed."""

    groups: Sequence[Group]
    meant: str = ""

    @property
    def count(self) -> int:
        return sum(len(one.hits) for one in self.groups)


@dataclass(frozen=True, slots=True)
class Limits:
    places: int
    objects: int
    devices: int
    works: int


_PAGES_OF = {DEVICE_TYPE: "/console/devices", DASHBOARD: "/console/dashboards"}
TYPED_AHEAD = Limits(places=4, objects=8, devices=4, works=3)
WHOLE_PAGE = Limits(places=12, objects=60, devices=30, works=20)


async def search_page(request: Request) -> Response:
    site, text = site_of(request), _text(request)
    t, caller = site.pages.words(request), caller_of(request)
    found = await find_or_guess(site, caller, text, t, WHOLE_PAGE)
    return site.pages.render(request, "console/pages/search.html", text=text, found=found)


async def typed_ahead(request: Request) -> Response:
    """The list below the field alone, for the script that shows it."""
    site, text = site_of(request), _text(request)
    t, caller = site.pages.words(request), caller_of(request)
    found = await find_or_guess(site, caller, text, t, TYPED_AHEAD)
    more = "/console/search?" + urlencode({"q": found.meant or text})
    shown: dict[str, Any] = {"found": found, "text": text, "more": more}
    content = site.pages.fragment(request, "console/pages/typed_ahead.html", **shown)
    return HTMLResponse(content, headers={"cache-control": "no-store"})


async def find_or_guess(site: Site, caller: Caller, text: str, t: Wording, limits: Limits) -> Found:
    """What is called so; else, with one slip forgiven, what else may have been meant."""
    if not text:
        return Found(_beginnings(site, caller, t))
    if groups := await find_everything(site, caller, text, t, limits):
        return Found(groups)
    known = {word for place in _places(site, caller) for word in place.words(t)} | kind_words(t.language)
    asked, best = words_in(text), Found(())
    for guess in await list_guesses(site, caller, asked, known):
        found = Found(await find_everything(site, caller, guess, t, limits), guess)
        if found.count > best.count:
            best = found
    titles = [hit.title for group in best.groups for hit in group.hits]
    return Found(best.groups, in_whole_words(best.meant, asked, titles))


async def find_everything(site: Site, caller: Caller, text: str, t: Wording, limits: Limits) -> list[Group]:
    """Groups with something in them, in the order of what people look for most."""
    asked = words_in(text)
    found = await _objects(site, caller, text, t, limits)
    views = told_apart(found.views)
    devices = [view for view in views if view.type == DEVICE_TYPE]
    others = [view for view in views if view.type != DEVICE_TYPE]
    groups = [
        _group("places", (_place_hit(one, t) for one in find_places(_places(site, caller), asked, t)), limits.places),
        _group("kinds", (_kind_hit(one, t) for one in found.kinds), limits.works),
        _group("objects", (_view_hit(one, caller, t) for one in others), limits.objects, is_all=found.is_all),
        _group("devices", (_view_hit(one, caller, t) for one in devices), limits.devices, is_all=found.is_all),
        *await _works(site, caller, asked, t, limits.works),
    ]
    return [group for group in groups if group.hits]


async def _objects(site: Site, caller: Caller, text: str, t: Wording, limits: Limits) -> ObjectsFound:
    """Nothing for those who may not read at all: pages are found all the same."""
    try:
        return await find_objects(site, caller, text, t.language, limits.objects + 2 * limits.devices)
    except ParvisError as refusal:
        if refusal.status not in NO_RIGHT:
            raise
        return ObjectsFound((), (), is_all=True)


async def _works(site: Site, caller: Caller, asked: Sequence[str], t: Wording, most: int) -> list[Group]:
    if not asked:
        return []
    return [
        _group("subscriptions", _work_hits(await find_subscriptions(site, caller, asked), "bell"), most),
        _group("imports", _work_hits(await find_imports(site, caller, asked, t), "upload"), most),
        _group("jobs", _work_hits(await find_jobs(site, caller, asked, t), "clock"), most),
    ]


def _places(site: Site, caller: Caller) -> list[Place]:
    return open_to(caller, site.pages.here(caller))


def _beginnings(site: Site, caller: Caller, t: Wording) -> list[Group]:
    """Where one may go before anything is typed."""
    places = _places(site, caller)
    return [
        Group("places", [_place_hit(one, t) for one in places if not one.is_action]),
        Group("actions", [_place_hit(one, t) for one in places if one.is_action]),
    ]


def _group(key: str, hits: Iterable[Hit], most: int, *, is_all: bool = True) -> Group:
    found = list(hits)
    return Group(key, found[:most], is_all and len(found) <= most)


def _place_hit(place: Place, t: Wording) -> Hit:
    return Hit(place.title(t), t("search.action") if place.is_action else "", place.href, place.icon)


def _kind_hit(kind: Kind, t: Wording) -> Hit:
    _, profile = profile_of((kind.type,))
    where = _PAGES_OF.get(kind.type) or "/console/map?" + urlencode({"type": kind.type})
    icon = "radio" if kind.type == DEVICE_TYPE else ICONS[profile.domain]
    return Hit(t.type_name(kind.type), t("search.on_the_map"), where, icon, profile.domain.value)


def _view_hit(view: ObjectView, caller: Caller, t: Wording) -> Hit:
    detail = " · ".join(part for part in (view.where(t), view.value_text(t)) if part)
    icon = "radio" if view.type == DEVICE_TYPE else ICONS[view.domain]
    hue = "" if view.domain is Domain.OTHER else view.domain.value
    return Hit(view.name, detail, href_of(view, caller), icon, hue, view.state if view.headline is not None else None)


def _work_hits(works: Iterable[Work], icon: str) -> Iterable[Hit]:
    return (Hit(work.title, work.detail, work.href, icon) for work in works)


def _text(request: Request) -> str:
    return " ".join(request.query_params.get("q", "").split())[:LONGEST_SEARCH]


ROUTES = [
    Route("/console/search", search_page, methods=["GET"]),
    Route("/console/search/typed-ahead", typed_ahead, methods=["GET"]),
]
