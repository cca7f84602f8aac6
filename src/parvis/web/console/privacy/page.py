"""What people's data are held for and for how long, what of them is held without a purpose, and what was taken away."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from parvis.access.privacy.checks import LONGEST_TEXT
from parvis.access.privacy.holding import Kept, Unfounded, list_kept, list_unfounded
from parvis.access.privacy.model import Basis, Cover, LedgerEntry, Policy, Purpose, Summary, Then
from parvis.access.privacy.packaged import PACKAGED_PURPOSES
from parvis.access.privacy.periods import PERIODS
from parvis.access.privacy.purposes import Purposes, require_steward
from parvis.bootstrap.privacy import FORESEE, KEEP, Foreseen, together
from parvis.kernel.errors import BadRequestData
from parvis.kernel.identity import Caller, system_caller
from parvis.kernel.jobs import JobFilter, JobState
from parvis.kernel.reach import local_name
from parvis.web.console.forms import form_of, text_of, words_of
from parvis.web.console.identities.frame import done
from parvis.web.console.jobs import JobView, view_of
from parvis.web.console.privacy.words import holds, kept, names, said
from parvis.web.pages import caller_of
from parvis.web.site import Site, site_of
from parvis.web.wording import Wording

PAGE = "/console/privacy"
LEDGER_SHOWN = 200
REFRESH_S = 2
_OPEN = frozenset({JobState.WAITING, JobState.RUNNING})
_TEXTS = ("name", "description", "service", "subjects", "recipients", "transfers")


@dataclass(frozen=True, slots=True)
class PurposeView:
    purpose: Purpose
    name: str
    basis: str
    texts: Mapping[str, str]
    covers: list[tuple[Cover, str]]
    is_packaged: bool


@dataclass(frozen=True, slots=True)
class KeptView:
    """`longest` names the purpose that holds where there are several."""

    kept: Kept
    said: str
    purpose: str
    longest: bool


@dataclass(frozen=True, slots=True)
class Looked:
    """The newest look ahead or run of retention, whichever is newer: under way, failed, or what was `found` to go."""

    job: JobView
    found: list[Foreseen]
    is_busy: bool
    is_ahead: bool


async def privacy_page(request: Request) -> Response:
    return await _page(request, steward(request))


async def act(request: Request) -> Response:
    caller = steward(request)
    async with form_of(request) as form:
        given = {name: text_of(form, name) for name in form}
    deed = given.get("do", "")
    try:
        await _do(site_of(request), caller, deed, given)
    except BadRequestData as refused:
        return await _page(request, caller, refused, given)
    return done(PAGE, deed)


def steward(request: Request) -> Caller:
    """Raises Forbidden."""
    caller = caller_of(request)
    require_steward(caller)
    return caller


async def _do(site: Site, caller: Caller, deed: str, given: Mapping[str, str]) -> None:
    purposes = Purposes(site.platform.access.store)
    purpose_id, language = given.get("purpose", ""), given.get("language", "")
    match deed:
        case "declare":
            purposes.put(caller, _declared(purposes, caller, given, language))
        case "cover":
            held = purposes.get(caller.tenant, purpose_id)
            purposes.put(caller, msgspec.structs.replace(held, covers=(*held.covers, _cover_of(given))))
        case "uncover":
            held = purposes.get(caller.tenant, purpose_id)
            left = tuple(one for place, one in enumerate(held.covers) if str(place) != given.get("place"))
            purposes.put(caller, msgspec.structs.replace(held, covers=left))
        case "take-back":
            purposes.take_back(caller, purpose_id)
        case "reset":
            purposes.reset(caller, purpose_id)
        case "contacts":
            purposes.put_policy(caller, _policy_of(given))
        case "switch-on" | "switch-off":
            purposes.execute(caller, is_on=deed == "switch-on")
        case "foresee" | "keep-now":
            await _start(site, caller, FORESEE if deed == "foresee" else KEEP)
        case _:
            raise BadRequestData("The form does not say what is to be done.")


async def _start(site: Site, caller: Caller, kind: str) -> None:
    """One at a time: a second wish is the first."""
    jobs = site.platform.jobs
    if not await jobs.list_jobs(caller, JobFilter(states=_OPEN, kind=kind, limit=1)):
        await jobs.submit(caller, kind)


def _declared(purposes: Purposes, caller: Caller, given: Mapping[str, str], language: str) -> Purpose:
    """Texts are in the language of the page; those in the other one stay."""
    known = {one.id: one for one in (*purposes.list_of(caller.tenant), *purposes.list_off(caller.tenant))}
    purpose_id = given.get("id", "")
    held = known.get(purpose_id)
    texts = {
        name: {**({} if held is None else getattr(held, name)), **({language: given[name]} if given.get(name) else {})}
        for name in _TEXTS
    }
    basis = given.get("basis", "")
    if basis not in get_args(Basis):
        raise BadRequestData("A legal basis is one of GDPR Art. 6 (1) a to f.", rule="purpose-basis")
    covers, records = ((), ()) if held is None else (held.covers, held.records)
    return msgspec.convert(
        {"id": purpose_id, "basis": basis, "covers": covers, "records": records, **texts}, Purpose, from_attributes=True
    )


def _policy_of(given: Mapping[str, str]) -> Policy:
    return Policy(
        controller=given.get("controller", ""),
        contact=given.get("contact", ""),
        officer=given.get("officer", ""),
        officer_contact=given.get("officer_contact", ""),
    )


def _cover_of(given: Mapping[str, str]) -> Cover:
    try:
        return Cover(
            type=given.get("type", ""),
            attributes=words_of(given.get("attributes", "")),
            keep=given.get("keep", "").upper(),
            then=Then(given.get("then", "")),
            period=given.get("period", ""),
            method=Summary(given.get("method", "")),
            keep_totals=given.get("keep_totals", "").upper(),
            scopes=words_of(given.get("scopes", "")),
        )
    except ValueError:
        raise BadRequestData("Values are erased, or summed up by mean, sum or last.", rule="purpose-period") from None


async def _page(
    request: Request, caller: Caller, refused: BadRequestData | None = None, given: Mapping[str, str] | None = None
) -> Response:
    site = site_of(request)
    t = site.pages.words(request)
    purposes = Purposes(site.platform.access.store)
    declared = purposes.list_of(caller.tenant)
    looked = await _looked(site, request, caller, t)
    return site.pages.render(
        request,
        "console/pages/privacy.html",
        status=400 if refused else 200,
        policy=purposes.policy_of(caller.tenant),
        purposes=[view_of_purpose(one, t) for one in declared],
        off=[view_of_purpose(one, t) for one in purposes.list_off(caller.tenant)],
        titles=names((*declared, *purposes.list_off(caller.tenant)), t),
        kept=[_kept_view(one, t) for one in list_kept(declared)],
        unfounded=await unfounded_of(site, caller),
        looked=looked,
        ledger=together(ledger_of(site, caller.tenant)),
        bases=[(one, t(f"privacy_basis.{one}")) for one in get_args(Basis)],
        periods=[(one, t(f"privacy_each.{one.lower()}")) for one in PERIODS],
        methods=[(one.value, t(f"privacy_method.{one.value}")) for one in Summary],
        longest=LONGEST_TEXT,
        problem=_problem(refused, t),
        given=given or {},
        done=request.query_params.get("done", ""),
        refresh_s=REFRESH_S if looked is not None and looked.is_busy else None,
    )


def view_of_purpose(purpose: Purpose, t: Wording) -> PurposeView:
    return PurposeView(
        purpose,
        said(purpose.name, t),
        t(f"privacy_basis.{purpose.basis}"),
        {name: said(getattr(purpose, name), t) for name in _TEXTS},
        [(cover, kept(cover, t)) for cover in purpose.covers],
        purpose.id in PACKAGED_PURPOSES,
    )


def _kept_view(one: Kept, t: Wording) -> KeptView:
    purpose = one.holding.full.purpose
    return KeptView(one, holds(one.holding, t), said(purpose.name, t), len(one.among) > 1)


async def unfounded_of(site: Site, caller: Caller) -> list[Unfounded]:
    """Of what entities hold just now."""
    platform = site.platform
    held: dict[str, set[str]] = {}
    everything = system_caller("privacy", caller.tenant)  # a steward who may not read it is to know that it is there
    for type_, attributes in (await platform.broker.list_attributes(everything)).items():
        held.setdefault(local_name(type_), set()).update(map(local_name, attributes))
    declared = Purposes(platform.access.store).list_of(caller.tenant)
    return list_unfounded(held, declared, platform.access.gate.roles.classes_of(caller.tenant))


def ledger_of(site: Site, tenant: str, since: int = 0) -> list[LedgerEntry]:
    """What retention has done, the last of it."""
    found = site.platform.access.store.privacy.list_last_ledger(tenant, since, LEDGER_SHOWN)
    return [one for one in found if one.purpose]


async def _looked(site: Site, request: Request, caller: Caller, t: Wording) -> Looked | None:
    """What was foreseen before a run says nothing of what is there after it."""
    jobs = [
        job
        for kind in (FORESEE, KEEP)
        for job in await site.platform.jobs.list_jobs(caller, JobFilter(kind=kind, limit=1))
    ]
    if not jobs:
        return None
    job = max(jobs, key=lambda one: one.id)
    is_ahead = job.kind == FORESEE
    result: Any = job.result if is_ahead and job.state is JobState.DONE else []
    found = msgspec.convert(result or [], list[Foreseen])
    return Looked(view_of(site, request, job, t), found, job.state in _OPEN, is_ahead)


def _problem(refused: BadRequestData | None, t: Wording) -> str:
    if refused is None:
        return ""
    rule = str(refused.extras.get("rule", ""))
    found = t.find(f"privacy_fault.{rule.replace('-', '_')}") or t.find(f"role_fault.{rule.replace('-', '_')}")
    return found or refused.detail


ROUTES = (
    Route(PAGE, privacy_page, methods=["GET"]),
    Route(PAGE, act, methods=["POST"]),
)
