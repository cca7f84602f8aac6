"""Frames that were refused: why, what to do, and trying them again."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from parvis.fleet.model.refusal import EVERY_REASON, Refusal, RefusalReason
from parvis.kernel.errors import Forbidden
from parvis.kernel.identity import Caller, Right
from parvis.kernel.time import Instant
from parvis.web.auth import check_form
from parvis.web.causes import Explained
from parvis.web.console.details import explain_detail
from parvis.web.console.payloads import PayloadView, payload_view
from parvis.web.pages import caller_of
from parvis.web.site import Site, site_of
from parvis.web.wording import Wording

ROWS = 100
SEE_OTHER = 303
BYTES_SHOWN = 64
REFUSED = tuple(one for one in EVERY_REASON if one is not RefusalReason.UNKNOWN_DEVICE)
"""Those that do not wait for their device."""
_COUNT = re.compile("[0-9]{1,9}")


@dataclass(frozen=True, slots=True)
class RefusalView:
    id: int
    reason: str
    why: Explained
    at: Instant
    device: str
    port: int | None
    payload: PayloadView
    can_retry: bool


async def refusals_page(request: Request) -> Response:
    """The caller must hold READ: frames come from devices that are no one's public matter."""
    site, caller = site_of(request), caller_of(request)
    check_reads(caller)
    kept = dict(await site.platform.fleet.count_refusals(caller))
    waiting = kept.pop(RefusalReason.UNKNOWN_DEVICE, 0)
    reason = _reason(request.query_params.get("reason", ""))
    shown = await list_refusals(site, caller, reason)
    t = site.pages.words(request)
    count = sum(kept.values()) if reason is None else kept.get(reason, len(shown))
    return site.pages.render(
        request,
        "console/pages/refusals.html",
        counts=[(one.value, count) for one, count in kept.items()],
        reason="" if reason is None else reason.value,
        refusals=[view_of(refusal, t) for refusal in shown[:ROWS]],
        total=sum(kept.values()),
        waiting=waiting,
        unkept=[(one.value, n) for one, n in site.platform.fleet.ways.unkept_of(caller.tenant).items()],
        more=max(0, count - ROWS),
        outcome=_outcome(request),
    )


async def retry(request: Request) -> Response:
    """One frame, or all of a reason."""
    site, caller = site_of(request), caller_of(request)
    form = await request.form()
    check_form(request, form)
    if not caller.may(Right.WRITE):
        raise Forbidden("Trying frames again writes: it needs the right to write.")
    chosen, reason = str(form.get("id", "")), _reason(str(form.get("reason", "")))
    listed = [] if chosen else await list_refusals(site, caller, reason)
    ids = [int(chosen)] if _COUNT.fullmatch(chosen) else [one.id for one in listed]
    results = await site.platform.fleet.retry(caller, ids)
    stored = sum(refused is None for refused in results.values())
    return RedirectResponse(f"/console/refusals?stored={stored}&tried={len(results)}", SEE_OTHER)


async def list_refusals(site: Site, caller: Caller, reason: RefusalReason | None = None) -> Sequence[Refusal]:
    """Without those that wait, unless they are asked for."""
    return await site.platform.fleet.list_refusals(caller, reasons=REFUSED if reason is None else (reason,))


def check_reads(caller: Caller) -> None:
    if Right.READ not in caller.everywhere:
        raise Forbidden("Refused frames can be read by people who are signed in.")


def view_of(refusal: Refusal, t: Wording) -> RefusalView:
    uplink = refusal.uplink
    is_its_device = uplink is not None and refusal.detail == uplink.hardware_id
    payload = refusal.payload if uplink is None else uplink.payload
    return RefusalView(
        id=refusal.id,
        reason=refusal.reason.value,
        why=explain_detail(refusal.reason, "" if is_its_device else refusal.detail, t),
        at=refusal.at,
        device=refusal.topic if uplink is None else uplink.hardware_id,
        port=None if uplink is None else uplink.f_port or None,
        payload=payload_view(payload, BYTES_SHOWN),
        can_retry=uplink is not None,
    )


def _reason(text: str) -> RefusalReason | None:
    return RefusalReason(text) if text in {reason.value for reason in RefusalReason} else None


def _outcome(request: Request) -> tuple[int, int] | None:
    stored, tried = request.query_params.get("stored", ""), request.query_params.get("tried", "")
    return (int(stored), int(tried)) if _COUNT.fullmatch(stored) and _COUNT.fullmatch(tried) else None


ROUTES = [
    Route("/console/refusals", refusals_page, methods=["GET"]),
    Route("/console/refusals/retry", retry, methods=["POST"]),
]
