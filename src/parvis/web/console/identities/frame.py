"""What the pages of people share: whose page it is, and forms that are our own."""

import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from parvis.access.model import EVERY_TENANT
from parvis.kernel.errors import Forbidden
from parvis.kernel.identity import Caller, Right
from parvis.web.pages import caller_of
from parvis.web.site import Site, site_of

ACCOUNT = "/console/account"
PEOPLE = "/console/people"
SEE_OTHER = 303
_PERSON = "user:"


def own_name(request: Request) -> str:
    """The account of the person who is signed in. Raises Forbidden."""
    caller = caller_of(request)
    if not caller.subject.startswith(_PERSON):
        raise Forbidden("Only people who are signed in have a page of their own.")
    return caller.subject.removeprefix(_PERSON)


def administrator_of_tenant(request: Request) -> Caller:
    """Raises Forbidden."""
    caller = caller_of(request)
    if not caller.may(Right.ADMINISTER):
        raise Forbidden(f"{caller.subject} may not administer tenant {caller.tenant}.")
    return caller


def administrator(request: Request) -> Caller:
    """Who administers every tenant acts in all of them here: accounts are not of one. Raises Forbidden."""
    caller = administrator_of_tenant(request)
    account = site_of(request).platform.access.store.find_account(caller.subject.removeprefix(_PERSON))
    if account is not None and account.tenant == EVERY_TENANT:
        return msgspec.structs.replace(caller, tenant=EVERY_TENANT)
    return caller


def role_titles(site: Site, tenant: str, language: str) -> dict[str, str]:
    """By name, as that language calls them."""
    return {name: one.title.get(language, name) for name, one in site.platform.access.gate.roles.all_of(tenant).items()}


def done(page: str, what: str) -> Response:
    """Back to the page, which says what was done."""
    return RedirectResponse(f"{page}?done={what}", SEE_OTHER)
