"""Subscriptions: who is told of what, how their receivers do, and the notifications that no receiver took."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import assert_never
from urllib.parse import quote, urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from parvis.broker.subscriptions.breaker import BreakerState
from parvis.broker.subscriptions.model import Deliveries, Status, Subscribed, Subscription
from parvis.broker.subscriptions.notifications import MOST_AT_ONCE
from parvis.broker.subscriptions.standing import Standing
from parvis.broker.subscriptions.watched import types_of
from parvis.kernel.identity import Caller
from parvis.kernel.time import SECOND, Instant
from parvis.web.auth import check_form
from parvis.web.causes import explain
from parvis.web.filters import LONGEST_SEARCH
from parvis.web.headline import State
from parvis.web.pages import caller_of
from parvis.web.site import Site, site_of
from parvis.web.views import natural, short_id

SEE_OTHER = 303
ROWS_A_PAGE = 50
LETTERS_A_PAGE = 50
MOST_SUBSCRIPTIONS = 5_000
_PAGE = 500


class Condition(Enum):
    """How a subscription does, the worst first."""

    FAILING = "failing"  # the last attempt failed
    DELIVERING = "delivering"
    WAITING = "waiting"  # nothing was to be told yet
    PAUSED = "paused"
    EXPIRED = "expired"

    @property
    def word(self) -> str:
        return self.value


_SHAPES = {
    Condition.FAILING: State.BAD,
    Condition.DELIVERING: State.GOOD,
    Condition.WAITING: State.GOOD,
    Condition.PAUSED: State.STALE,
    Condition.EXPIRED: State.STALE,
}
_ORDER = list(Condition)


@dataclass(frozen=True, slots=True)
class SubscriptionView:
    """`standing` is None where nothing is known of it: nobody notifies, or not yet."""

    subscription: Subscription
    deliveries: Deliveries
    condition: Condition
    standing: Standing | None
    letters: int

    @property
    def name(self) -> str:
        return self.subscription.name or short_id(self.subscription.id)

    @property
    def href(self) -> str:
        return href_of(self.subscription.id)

    @property
    def endpoint(self) -> str:
        return self.subscription.notification.endpoint.shown_uri

    @property
    def shape(self) -> State:
        return _SHAPES[self.condition]

    @property
    def lag_s(self) -> float:
        return 0.0 if self.standing is None else self.standing.lag / SECOND

    @property
    def is_away(self) -> bool:
        return self.standing is not None and self.standing.breaker is not BreakerState.CLOSED


async def subscriptions_page(request: Request) -> Response:
    """The caller must hold READ."""
    site, caller = site_of(request), caller_of(request)
    search = request.query_params.get("search", "").strip()[:LONGEST_SEARCH]
    state = _condition(request.query_params.get("state", ""))
    everything = await list_views(site, caller)
    found = [one for one in everything if _admits(one, search, state)]
    page = max(1, _number(request.query_params.get("page", "")) or 1)
    counts = Counter(one.condition for one in everything)
    return site.pages.render(
        request,
        "console/pages/subscriptions.html",
        subscriptions=found[(page - 1) * ROWS_A_PAGE : page * ROWS_A_PAGE],
        total=len(everything),
        counts=[(one.word, counts[one]) for one in Condition],
        search=search,
        chosen_state="" if state is None else state.word,
        page=page,
        pages=max(1, -(-len(found) // ROWS_A_PAGE)),
        removed=request.query_params.get("removed") == "1",
    )


async def subscription_page(request: Request) -> Response:
    """The caller must hold READ. Raises ResourceNotFound."""
    site, caller = site_of(request), caller_of(request)
    subscribed = await site.platform.broker.subscriptions.get(caller, request.path_params["subscription_id"])
    before = _number(request.query_params.get("before", ""))
    letters = await site.platform.broker.subscriptions.list_letters(
        caller, subscribed.subscription.id, LETTERS_A_PAGE, before
    )
    notifications = site.platform.notifications
    standing = notifications.standings().get((caller.tenant, subscribed.subscription.id), notifications.otherwise)
    compact = site.reader.compact
    return site.pages.render(
        request,
        "console/pages/subscription.html",
        view=_view(subscribed, standing, letters.total, site.now),
        explain=partial(explain, t=site.pages.words(request)),
        subjects=_subjects(subscribed.subscription, compact),
        watched=[compact(name) for name in subscribed.subscription.watched],
        triggers=[one.value for one in subscribed.subscription.triggers],
        letters=letters.letters,
        letters_total=letters.total,
        older=letters.letters[-1].number if len(letters.letters) == LETTERS_A_PAGE else None,
        replayed=_replayed(request),
        most_at_once=MOST_AT_ONCE,
    )


async def pause(request: Request) -> Response:
    return await _set_active(request, is_active=False)


async def resume(request: Request) -> Response:
    return await _set_active(request, is_active=True)


async def delete(request: Request) -> Response:
    await _checked_form(request)
    subscription_id = request.path_params["subscription_id"]
    await site_of(request).platform.broker.subscriptions.delete(caller_of(request), subscription_id)
    return RedirectResponse("/console/subscriptions?removed=1", SEE_OTHER)


async def replay(request: Request) -> Response:
    """One dead letter, or the oldest of all."""
    number = _number(await _checked_form(request, "number"))
    site, caller, subscription_id = site_of(request), caller_of(request), request.path_params["subscription_id"]
    numbers = [number] if number is not None else await _oldest_letters(site, caller, subscription_id)
    outcome = await site.platform.notifications.replay(caller, numbers)
    told = urlencode({"sent": outcome.sent, "left": outcome.left, "why": outcome.reason[:300]})
    return RedirectResponse(f"{href_of(subscription_id)}?{told}", SEE_OTHER)


async def forget(request: Request) -> Response:
    number = _number(await _checked_form(request, "number"))
    subscriptions = site_of(request).platform.broker.subscriptions
    await subscriptions.remove_letters(caller_of(request), [] if number is None else [number])
    return RedirectResponse(href_of(request.path_params["subscription_id"]), SEE_OTHER)


async def list_views(site: Site, caller: Caller) -> list[SubscriptionView]:
    """The worst first. Raises Forbidden."""
    platform = site.platform
    subscribed: list[Subscribed] = []
    while len(subscribed) < MOST_SUBSCRIPTIONS:
        page = await platform.broker.subscriptions.list_page(caller, _PAGE, len(subscribed))
        subscribed += page.subscribed
        if len(page.subscribed) < _PAGE:
            break
    letters, standings = await platform.notifications.subscriptions.count_letters(), platform.notifications.standings()
    views = []
    for one in subscribed:
        key = (caller.tenant, one.subscription.id)
        views.append(_view(one, standings.get(key, platform.notifications.otherwise), letters.get(key, 0), site.now))
    return sorted(views, key=lambda one: (_ORDER.index(one.condition), -one.letters, natural(one.name)))


def href_of(subscription_id: str) -> str:
    return f"/console/subscriptions/{quote(subscription_id, safe=':')}"


def condition_of(subscribed: Subscribed, now: Instant) -> Condition:
    match subscribed.subscription.status(now):
        case Status.EXPIRED:
            return Condition.EXPIRED
        case Status.PAUSED:
            return Condition.PAUSED
        case Status.ACTIVE:
            made = subscribed.deliveries
            if made.last_failure is not None and made.last_failure >= (made.last_success or 0):
                return Condition.FAILING
            return Condition.WAITING if made.last_success is None else Condition.DELIVERING
        case status:
            assert_never(status)


def _view(subscribed: Subscribed, standing: Standing | None, letters: int, now: Instant) -> SubscriptionView:
    condition = condition_of(subscribed, now)
    return SubscriptionView(subscribed.subscription, subscribed.deliveries, condition, standing, letters)


def _subjects(subscription: Subscription, compact: Callable[[str], str]) -> list[str]:
    """What it is about, in a reader's words: types, else an identifier or a pattern."""
    told = []
    for selector in subscription.selectors:
        names = [compact(iri) for iri in sorted(types_of(selector.types))]
        told.append(" · ".join(filter(None, [", ".join(names), selector.id or selector.id_pattern or ""])))
    return told


async def _set_active(request: Request, *, is_active: bool) -> Response:
    await _checked_form(request)
    subscription_id = request.path_params["subscription_id"]
    subscriptions = site_of(request).platform.broker.subscriptions
    await subscriptions.set_active(caller_of(request), subscription_id, is_active=is_active)
    return RedirectResponse(href_of(subscription_id), SEE_OTHER)


async def _oldest_letters(site: Site, caller: Caller, subscription_id: str) -> Sequence[int]:
    subscriptions = site.platform.broker.subscriptions
    numbers: list[int] = []
    before: int | None = None
    while True:
        page = await subscriptions.list_letters(caller, subscription_id, _PAGE, before)
        numbers += [one.number for one in page.letters]
        if len(page.letters) < _PAGE:
            return sorted(numbers)[:MOST_AT_ONCE]
        before = numbers[-1]


async def _checked_form(request: Request, field: str = "") -> str:
    """The form's field. Raises Forbidden where the form is not ours."""
    form = await request.form()
    check_form(request, form)
    return str(form.get(field, ""))


def _admits(view: SubscriptionView, search: str, state: Condition | None) -> bool:
    if state is not None and view.condition is not state:
        return False
    wanted, one = search.casefold(), view.subscription
    return any(wanted in text.casefold() for text in (one.id, one.name or "", one.description or "", view.endpoint))


def _condition(text: str) -> Condition | None:
    return next((one for one in Condition if one.word == text), None)


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else None


def _replayed(request: Request) -> tuple[int, int, str] | None:
    sent, left = _number(request.query_params.get("sent", "")), _number(request.query_params.get("left", ""))
    return None if sent is None or left is None else (sent, left, request.query_params.get("why", "")[:300])


ROUTES = [
    Route("/console/subscriptions", subscriptions_page, methods=["GET"]),
    Route("/console/subscriptions/{subscription_id:path}/pause", pause, methods=["POST"]),
    Route("/console/subscriptions/{subscription_id:path}/resume", resume, methods=["POST"]),
    Route("/console/subscriptions/{subscription_id:path}/delete", delete, methods=["POST"]),
    Route("/console/subscriptions/{subscription_id:path}/replay", replay, methods=["POST"]),
    Route("/console/subscriptions/{subscription_id:path}/forget", forget, methods=["POST"]),
    Route("/console/subscriptions/{subscription_id:path}", subscription_page, methods=["GET"]),
]
