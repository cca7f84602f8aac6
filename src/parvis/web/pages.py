"""Turns a request and data into a page: language, theme, caller, and the frame every page shares."""

from collections.abc import Callable, Container, Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from parvis.connectors.files.imports import may_import
from parvis.kernel.happenings import Laying
from parvis.kernel.identity import ANONYMOUS, DEFAULT_TENANT, Caller, Right
from parvis.kernel.settings import Settings, TerritorySettings
from parvis.kernel.settings_at_hand import SettingsAtHand
from parvis.kernel.time import Clock, format_instant, system_clock
from parvis.web.acting import Acting, ActingOf
from parvis.web.assets import COMPONENTS, HERE, Assets
from parvis.web.auth import keep_form_cookie, token_for_form
from parvis.web.headline import Domain, State
from parvis.web.i18n import LANGUAGES, catalogue, negotiate
from parvis.web.live import who_is
from parvis.web.markers import ICONS, sprite
from parvis.web.places import Here, ways_of
from parvis.web.tenants import IN, base_of, drop_choice, is_pool, keep_choice
from parvis.web.views import short_id
from parvis.web.wording import Wording, wording, words_for

LANGUAGE_COOKIE = "parvis_lang"
THEME_COOKIE = "parvis_theme"
THEMES = ("light", "dark")
YEAR_S = 365 * 24 * 3600
SEE_OTHER = 303
SCRIPT_WORDS = "script."
MARK = Markup(
    '<svg class="mark" viewBox="0 0 24 24" aria-hidden="true" focusable="false"><path d="M3 20V9.5L12 4l9 5.5V20"/>'
    '<path d="M7 20v-6.5a5 5 0 0 1 10 0V20"/><path class="ground" d="M1.5 20h21"/></svg>'
)
"""An arch under a roof: a town hall's door."""
_CHOICES: Mapping[str, tuple[str, Container[str]]] = {
    "lang": (LANGUAGE_COOKIE, LANGUAGES),
    "theme": (THEME_COOKIE, THEMES),
}
"""By parameter: the cookie, and what may be chosen."""
_HEADERS = {"cache-control": "private, no-cache", "vary": "Cookie, Accept-Language"}


class Pages:
    def __init__(
        self,
        settings: Settings,
        at_hand: SettingsAtHand,
        assets: Assets,
        clock: Clock = system_clock,
        is_down: Callable[[], bool] = lambda: False,
        is_degraded: Callable[[], bool] = lambda: False,
        has_story: bool = False,
        find_laying: Callable[[], Laying | None] = lambda: None,
        renew: Callable[[Request, Response], None] = lambda _request, _response: None,
        acting: ActingOf | None = None,
        judge_system: Callable[[], State] = lambda: State.GOOD,
    ) -> None:
        """`is_down`: nothing can be saved just now, and every page says so. `is_degraded`: a part of the history cannot
        be read, and pages say so to those who are signed in. `has_story`: of a demonstration; what
        of it is not there yet `find_laying` tells. `renew` gives a session's next token with a page."""
        self._renew = renew
        self.acting = acting or (lambda caller: Acting(caller.tenant, at_hand.territory.name, at_hand.territory.name))
        self._is_down = is_down
        self._is_degraded = is_degraded
        self._has_story = has_story
        self._judge_system = judge_system
        self._find_laying = find_laying
        self.settings = settings
        self.at_hand = at_hand
        self.assets = assets
        self.clock = clock
        self._environment = _environment(assets)

    def words(self, request: Request) -> Wording:
        return wording(self.language(request), self.at_hand.territory.time_zone)

    def language(self, request: Request) -> str:
        offered = self.at_hand.territory.languages
        for wanted in (request.query_params.get("lang"), request.cookies.get(LANGUAGE_COOKIE)):
            if wanted in offered:
                return wanted
        return negotiate(request.headers.get("accept-language", ""), offered)

    def render(self, request: Request, template: str, *, status: int = 200, **data: Any) -> Response:
        if chosen := _choices_made_here(request):
            return _without_choices(request, chosen)
        if _leads_elsewhere(request):
            return _led_elsewhere(request)
        frame = self._frame(request)
        form = FormToken(request)
        content = self._environment.get_template(template).render(
            {**frame, "form_token": form, "status": status, **data}
        )
        response = HTMLResponse(content, status, _HEADERS)
        form.remember(response)
        if request.method == "GET":
            self._renew(request, response)
        return response

    def fragment(self, request: Request, template: str, **data: Any) -> str:
        """A part of a page, for a script that puts it there."""
        return self._environment.get_template(template).render({**self._frame(request), **data})

    def here(self, caller: Caller) -> Here:
        acting = self.acting(caller)
        return Here(self._has_story and is_pool(caller), acting.has_members, acting.is_member)

    def _frame(self, request: Request) -> dict[str, Any]:
        t = self.words(request)
        caller = caller_of(request)
        acting = self.acting(caller)
        theme = _theme(request)
        return {
            "t": t,
            "now": self.clock(),
            "lang": t.language,
            "languages": LANGUAGES,
            "other_languages": [one for one in self.at_hand.territory.languages if one != t.language],
            "theme": theme,
            "asset": self.assets.url,
            "asset_digest": self.assets.digest,
            "icon": self.assets.icon,
            "has_libraries": self.assets.has_libraries,
            "with_query": _with_query(request),
            "is_read": request.method == "GET",
            "here": request.url.path + (f"?{request.url.query}" if request.url.query else ""),
            "territory": t("frame.no_name") if acting.title == TerritorySettings().name else acting.title,
            "acting": acting,
            "base": base_of(request),
            "time_zone": self.at_hand.territory.time_zone,
            "opening": self.at_hand.territory,
            "auth_off": not self.settings.access.auth,
            "is_down": self._is_down(),
            "system_state": self._judge_system() if caller.may(Right.READ) else State.GOOD,
            "is_degraded": caller.subject != ANONYMOUS and self._is_degraded(),
            "caller": caller,
            "who_am_i": who_is(caller),
            "laying": self._find_laying(),
            "rail_ways": ways_of(caller, self.here(caller)),
            "signed_in": self.settings.access.auth and caller.subject != ANONYMOUS,
            "may_read": caller.may(Right.READ),
            "user_name": caller.subject.partition(":")[2] or caller.subject,
            "may_write": caller.may(Right.WRITE),
            "may_import": may_import(caller),
            "may_administer": caller.may(Right.ADMINISTER),
            "may_steward": caller.may(Right.STEWARD),
            "script_words": words_for(catalogue(t.language), SCRIPT_WORDS),
        }


class FormToken:
    """Made only where a page has a form: other pages set no cookie."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._token = ""
        self._fresh: str | None = None

    def __str__(self) -> str:
        """The same for all forms of a page."""
        if not self._token:
            self._token, self._fresh = token_for_form(self._request)
        return self._token

    def remember(self, response: Response) -> None:
        if self._fresh is not None:
            keep_form_cookie(self._request, response, self._fresh)


def caller_of(request: Request) -> Caller:
    caller: Caller = request.scope["state"]["caller"]
    return caller


def _choices_made_here(request: Request) -> dict[str, str]:
    """By parameter: a language or theme that our own page offered. A link that somebody sent only shows its page so."""
    if request.method != "GET" or urlsplit(request.headers.get("referer", "")).netloc != request.url.netloc:
        return {}
    query = request.query_params
    return {name: query[name] for name, (_, known) in _CHOICES.items() if query.get(name) in known}


def _without_choices(request: Request, chosen: Mapping[str, str]) -> Response:
    """They stay chosen, and the address is one to hand on."""
    response = RedirectResponse(_with_query(request)(), SEE_OTHER)
    for name, value in chosen.items():
        is_https = request.url.scheme == "https"
        response.set_cookie(_CHOICES[name][0], value, max_age=YEAR_S, secure=is_https, httponly=True, samesite="lax")
    return response


def _leads_elsewhere(request: Request) -> bool:
    """By a link to a page in a tenant, somebody who is signed in."""
    caller = caller_of(request)
    is_there = request.query_params.get(IN) == caller.tenant
    return request.method == "GET" and is_there and caller.subject != ANONYMOUS


def _led_elsewhere(request: Request) -> Response:
    """It stays chosen, and the address is the page's own."""
    response = RedirectResponse(_with_query(request)(**{IN: None}), SEE_OTHER)
    caller = caller_of(request)
    if caller.tenant == DEFAULT_TENANT:
        drop_choice(request, response)
    else:
        keep_choice(request, response, caller.tenant)
    return response


def _theme(request: Request) -> str:
    for wanted in (request.query_params.get("theme"), request.cookies.get(THEME_COOKIE)):
        if wanted in THEMES:
            return wanted
    return ""


def _with_query(request: Request) -> Any:
    """The page's own address with some parameters replaced, and without a language or theme of its own."""

    def with_query(**changed: Any) -> str:
        kept = [(name, value) for name, value in request.query_params.multi_items() if name not in _CHOICES]
        pairs = [*((name, value) for name, value in kept if name not in changed), *changed.items()]
        query = urlencode([(name, value) for name, value in pairs if value not in (None, "")])
        return f"{request.url.path}?{query}" if query else request.url.path

    return with_query


def _environment(assets: Assets) -> Environment:
    environment = Environment(
        loader=FileSystemLoader([COMPONENTS, HERE]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["iso"] = format_instant
    environment.globals["short_id"] = short_id
    environment.globals["mark"] = lambda: MARK
    environment.globals["domain_icon"] = lambda domain: ICONS[domain]
    environment.globals["every_state"] = list(State)
    environment.globals["domain_icons"] = [(one.value, ICONS[one]) for one in Domain]
    environment.globals["marker_sprite"] = Markup("{}").format(
        sprite({domain: assets.icon_source(icon) for domain, icon in ICONS.items()})
    )
    return environment
