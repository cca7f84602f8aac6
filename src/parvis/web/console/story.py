"""What happens next: the story of a demonstration, past and to come, and what a visitor may set off.

Only a demonstration brings a story; without one there is no such page.
"""

from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from parvis.kernel.errors import Forbidden, ResourceNotFound
from parvis.kernel.happenings import Happening, Happenings
from parvis.kernel.identity import Caller, Right
from parvis.kernel.time import Instant
from parvis.web.auth import check_form
from parvis.web.pages import caller_of
from parvis.web.site import site_of
from parvis.web.tenants import is_pool

SEE_OTHER = 303
PAST_SHOWN = 30
ICONS = {
    "leak": "droplets", "burst": "droplets", "breakdown": "wrench", "valve shut": "wrench",
    "flat battery": "battery-low", "radio loss": "wifi-off", "storm": "cloud-rain", "cable theft": "lightbulb",
    "blackout": "plug-zap", "overfill": "trash-2", "market": "users", "festival": "users",
    "feed down": "globe",
}  # fmt: skip


class Parted(NamedTuple):
    """What goes on, what comes (the next first) and what was (the last first)."""

    now: Sequence[Happening]
    next: Sequence[Happening]
    past: Sequence[Happening]


def part(happenings: Sequence[Happening], now: Instant) -> Parted:
    return Parted(
        [one for one in happenings if one.begins_at <= now < one.ends_at][::-1],
        [one for one in happenings if one.begins_at > now],
        [one for one in happenings if one.ends_at <= now][::-1][:PAST_SHOWN],
    )


def _check_is_told(caller: Caller) -> None:
    """Its events are of the objects of the demonstration's own tenant. Raises ResourceNotFound."""
    if not is_pool(caller):
        raise ResourceNotFound("There is no story here.")


def story_routes(story: Happenings) -> list[Route]:
    async def story_page(request: Request) -> Response:
        site, caller = site_of(request), caller_of(request)
        _check_is_told(caller)
        if not caller.may(Right.READ):
            raise Forbidden("The story can be seen by people who are signed in.")
        language = site.pages.language(request)
        happenings = story.list_happenings(language)
        followed = request.query_params.get("follow", "")
        return site.pages.render(
            request,
            "console/pages/story.html",
            parted=part(happenings, story.now),
            offers=story.list_offers(language),
            followed=next((one for one in happenings if one.id == followed), None),
            story_now=story.now,
            past_share=story.past_share,
            icons=ICONS,
        )

    async def set_off(request: Request) -> Response:
        caller = caller_of(request)
        form = await request.form(max_fields=5)
        check_form(request, form)
        _check_is_told(caller)
        if not caller.may(Right.WRITE):
            raise Forbidden("Events are set off by people with the right to write.")
        offer = str(form.get("offer", ""))
        happening = await story.set_off(offer)
        site = site_of(request)
        titles = {one.id: one.title for one in story.list_happenings(site.pages.language(request))}
        title = titles.get(happening, offer)
        site.platform.fleet.note(caller, "event-set-off", happening, title=title)
        return RedirectResponse(f"/console/story?follow={quote(happening)}", SEE_OTHER)

    return [
        Route("/console/story", story_page, methods=["GET"]),
        Route("/console/story/set-off", set_off, methods=["POST"]),
    ]
