"""What a territory holds of its people, in plain words: why, for how long, what was taken away, whom to ask."""

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from parvis.access.privacy.model import Action, Cover, LedgerEntry, Purpose
from parvis.access.privacy.ports import LEDGER_PAGE
from parvis.access.privacy.purposes import Purposes
from parvis.kernel.time import DAY
from parvis.web.console.dashboards.cached import Cached
from parvis.web.console.privacy.words import kept, said
from parvis.web.pages import caller_of
from parvis.web.site import Site, site_of
from parvis.web.wording import Wording

PAGE = "/privacy"
LOOKS_BACK_DAYS = 30
HELD_S = 60.0


@dataclass(frozen=True, slots=True)
class Held:
    """For one purpose: `how_long` of each kind of data, without their technical names."""

    name: str
    what_for: str
    whose: str
    basis: str
    recipients: str
    how_long: Sequence[str]
    erased: int
    aggregated: int


async def privacy_page(request: Request) -> Response:
    site, tenant = site_of(request), caller_of(request).tenant
    t = site.pages.words(request)
    purposes = Purposes(site.platform.access.store)
    ledger = await _lately(request, site)
    return site.pages.render(
        request,
        "portal/pages/privacy.html",
        policy=purposes.policy_of(tenant),
        held=[_held(one, ledger, t) for one in purposes.list_of(tenant)],
        days=LOOKS_BACK_DAYS,
    )


async def _lately(request: Request, site: Site) -> list[LedgerEntry]:
    """However many residents look, it is read once a minute."""
    caller = caller_of(request)
    cached: Cached = request.app.state.privacy

    async def read() -> list[LedgerEntry]:
        since = site.now - LOOKS_BACK_DAYS * DAY
        return site.platform.access.store.privacy.list_last_ledger(caller.tenant, since, 10 * LEDGER_PAGE)

    return await cached.ask(caller, PAGE, read)


def _held(purpose: Purpose, ledger: Sequence[LedgerEntry], t: Wording) -> Held:
    own = [one for one in ledger if one.purpose == purpose.id]
    lasting = [_lasting(one, t) for one in purpose.covers]
    lasting += [
        f"{t(f'privacy_record.{one}')}{t('privacy.colon')}{t(f'privacy_record_kept.{one}')}" for one in purpose.records
    ]
    return Held(
        name=said(purpose.name, t),
        what_for=said(purpose.description, t),
        whose=said(purpose.subjects, t),
        basis=t(f"privacy_basis.{purpose.basis}"),
        recipients=said(purpose.recipients, t),
        how_long=tuple(dict.fromkeys(lasting)),
        erased=sum(one.count for one in own if one.action is Action.ERASED),
        aggregated=sum(one.count for one in own if one.action is Action.AGGREGATED),
    )


def _lasting(cover: Cover, t: Wording) -> str:
    """After what it is about, where the catalogue has words for it."""
    about = t.find(f"type.{cover.type}.other")
    if about is None:
        return kept(cover, t)
    parts = [t.find(f"attribute_of.{cover.type}.{one}") or t.find(f"attribute.{one}") for one in cover.attributes]
    told = ", ".join(one[:1].lower() + one[1:] for one in parts if one)
    return f"{about}{f' ({told})' if told else ''}{t('privacy.colon')}{kept(cover, t)}"


ROUTES = [Route(PAGE, privacy_page)]
