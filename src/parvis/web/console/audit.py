"""Who did what: the audit trail, filtered, downloaded and proven. For administrators."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import islice
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from msgspec.structs import replace
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from parvis.access.audit import find_break
from parvis.access.audit_proof import proof_end, proof_line
from parvis.access.audit_search import AuditPage, AuditQuery, search_audit
from parvis.access.audit_sheet import sheet_head, sheet_lines
from parvis.access.model import EVERY_TENANT, AuditEntry, AuditRecord
from parvis.access.ports import AccessStore
from parvis.broker.rights import refusal
from parvis.kernel.identity import DEFAULT_TENANT, Caller, Right
from parvis.kernel.time import Instant, from_datetime
from parvis.web.auth import check_form
from parvis.web.console.audit_words import DEED, deed_of
from parvis.web.filters import LONGEST_SEARCH
from parvis.web.i18n import catalogue
from parvis.web.pages import caller_of
from parvis.web.site import Site, site_of
from parvis.web.wording import Wording

ROWS_A_PAGE = 50
MOST_LOOKS = 20
AT_ONCE = 500
"""Entries between two breaths of the event loop."""
FILTERS = ("q", "by", "action", "since", "until")
_LARGEST_NUMBER = 2**62


@dataclass(frozen=True, slots=True)
class Proof:
    """Of `length` entries all follow from each other, the newest with `digest`; or one is `broken`."""

    length: int = 0
    digest: str = ""
    broken: int | None = None


async def audit_page(request: Request) -> Response:
    _administrator(request)
    return await _page(request)


async def prove(request: Request) -> Response:
    """Looks at the whole chain, also at what other tenants did. What it finds stands in no address: no link can make it
    up."""
    await _exporter(request)
    return await _page(request, await _proof_of(site_of(request).platform.access.store))


async def _page(request: Request, proof: Proof | None = None) -> Response:
    site, caller = site_of(request), caller_of(request)
    t = site.pages.words(request)
    query = _query(request, caller, site.pages.at_hand.territory.time_zone)
    page = await _search(site.platform.access.store, query)
    asked = {name: request.query_params.get(name, "") for name in FILTERS}
    return site.pages.render(
        request,
        "console/pages/audit.html",
        deeds=[deed_of(entry, t) for entry in page.entries],
        older=page.resume,
        asked=asked,
        narrowed=urlencode({name: value for name, value in asked.items() if value}),
        is_first_page=query.before is None,
        actions=_actions(t),
        proof=proof,
    )


async def _search(store: AccessStore, query: AuditQuery) -> AuditPage:
    """A page, or what a bounded look back finds: the rest is looked for from there."""
    found: list[AuditEntry] = []
    for _ in range(MOST_LOOKS):
        page = search_audit(store, query, AT_ONCE)
        found += page.entries
        query = replace(query, before=page.resume, limit=query.limit - len(page.entries))
        if page.resume is None or not query.limit:
            break
        await asyncio.sleep(0)
    return AuditPage(tuple(found), page.resume)


async def _proof_of(store: AccessStore) -> Proof:
    previous: AuditEntry | None = None
    while entries := _some(store, 0 if previous is None else previous.number):
        if (broken := find_break(entries, previous)) is not None:
            return Proof(broken=broken)
        previous = entries[-1]
        await asyncio.sleep(0)
    return Proof() if previous is None else Proof(previous.number, previous.digest.hex())


async def audit_csv(request: Request) -> Response:
    """What the filters of the page leave."""
    site, caller = site_of(request), await _exporter(request)
    query = _query(request, caller, site.pages.at_hand.territory.time_zone)

    def lines(entries: Sequence[AuditEntry]) -> Iterator[bytes]:
        return sheet_lines(one for one in entries if query.fits(one.record))

    return _file(site, caller, "csv", "text/csv; charset=utf-8", lines, first=sheet_head())


async def audit_proof(request: Request) -> Response:
    """The whole chain, of other tenants the marks alone."""
    site, caller = site_of(request), await _exporter(request)
    tenants = tenants_of(caller)

    def lines(entries: Sequence[AuditEntry]) -> Iterator[bytes]:
        return (proof_line(one, tenants) for one in entries)

    return _file(site, caller, "ndjson", "application/x-ndjson", lines, last=proof_end)


def tenants_of(caller: Caller) -> frozenset[str]:
    """Whose deeds an administrator may look through: what concerns all tenants is told in the default one."""
    return frozenset({caller.tenant, EVERY_TENANT} if caller.tenant == DEFAULT_TENANT else {caller.tenant})


async def _exporter(request: Request) -> Caller:
    """Downloads are in the trail, so that no link may begin one."""
    caller = _administrator(request)
    form = await request.form()
    check_form(request, form)
    return caller


def _administrator(request: Request) -> Caller:
    caller = caller_of(request)
    if not caller.may(Right.AUDIT):
        raise refusal(caller, "look through the audit trail")
    return caller


def _file(
    site: Site,
    caller: Caller,
    ending: str,
    media: str,
    lines: Callable[[Sequence[AuditEntry]], Iterator[bytes]],
    first: bytes = b"",
    last: Callable[[AuditEntry | None], bytes] = lambda _newest: b"",
) -> Response:
    """Told in the trail before it begins; what is added while it is made is left to the next one."""
    store = site.platform.access.store
    store.append_audit(AuditRecord(site.now, caller.tenant, caller.subject, "audit-exported", f"audit.{ending}"))

    async def stream() -> AsyncIterator[bytes]:
        newest, told = store.newest_audit(), None
        yield first
        while entries := [one for one in _some(store, 0 if told is None else told.number) if one.number <= newest]:
            told = entries[-1]
            yield b"".join(lines(entries))
            await asyncio.sleep(0)
        yield last(told)

    headers = {"content-disposition": f'attachment; filename="audit.{ending}"', "cache-control": "no-store"}
    return StreamingResponse(stream(), media_type=media, headers=headers)


def _some(store: AccessStore, after: int) -> list[AuditEntry]:
    return list(islice(store.read_audit(after), AT_ONCE))


def _query(request: Request, caller: Caller, time_zone: str) -> AuditQuery:
    asked, zone = request.query_params, ZoneInfo(time_zone)
    since, until = _day(asked.get("since", "")), _day(asked.get("until", ""))
    return AuditQuery(
        tenants=tenants_of(caller),
        action=asked.get("action", ""),
        subject=asked.get("by", ""),
        text=asked.get("q", "")[:LONGEST_SEARCH].strip(),
        since=None if since is None else _begin(since, zone),
        until=None if until is None else _begin(until + timedelta(days=1), zone),
        before=_number(asked.get("before", "")),
        limit=ROWS_A_PAGE,
    )


def _day(text: str) -> date | None:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if 1970 <= day.year < 9999 else None


def _begin(day: date, zone: ZoneInfo) -> Instant:
    return from_datetime(datetime.combine(day, time(), zone))


def _number(text: str) -> int | None:
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 20 else 0
    return number if 0 < number < _LARGEST_NUMBER else None


def _actions(t: Wording) -> list[tuple[str, str]]:
    named = [key.removeprefix(DEED) for key in catalogue(t.language) if key.startswith(DEED)]
    return sorted(((one, t(f"{DEED}{one}")) for one in named), key=lambda one: one[1])


ROUTES = [
    Route("/console/audit", audit_page, methods=["GET"]),
    Route("/console/audit/proof", prove, methods=["POST"]),
    Route("/console/audit.csv", audit_csv, methods=["POST"]),
    Route("/console/audit.ndjson", audit_proof, methods=["POST"]),
]
