"""For administrators: who has an account, and what can be done for somebody or against a lost telephone."""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from parvis.access.accounts import Accounts
from parvis.access.model import Account, Session
from parvis.kernel.errors import BadRequestData, ResourceNotFound
from parvis.kernel.identity import Caller
from parvis.web.console.first_run_people import state_of
from parvis.web.console.first_run_way_in import reach_of
from parvis.web.console.forms import form_of, text_of
from parvis.web.console.identities.frame import PEOPLE, administrator, done, role_titles
from parvis.web.site import Site, site_of


@dataclass(frozen=True, slots=True)
class Person:
    account: Account
    state: str
    sessions: list[Session]
    has_factor: bool
    passkeys: int


async def people_page(request: Request) -> Response:
    caller, site = administrator(request), site_of(request)
    people = [_person(site, caller, one) for one in site.platform.access.accounts.list_accounts(caller)]
    has_tenants = len({one.account.tenant for one in people}) > 1
    return site.pages.render(
        request,
        "console/pages/people.html",
        people=people,
        has_tenants=has_tenants,
        role_titles=role_titles(site, caller.tenant, site.pages.language(request)),
    )


async def person_page(request: Request) -> Response:
    return _render(request, administrator(request), request.path_params["name"])


def _render(request: Request, caller: Caller, name: str, link: str = "") -> Response:
    site = site_of(request)
    response = site.pages.render(
        request,
        "console/pages/person.html",
        person=_person(site, caller, _find(site.platform.access.accounts, caller, name)),
        role_titles=role_titles(site, caller.tenant, site.pages.language(request)),
        link=link,
        reach=reach_of(request),
        done=request.query_params.get("done", ""),
    )
    if link:
        response.headers["cache-control"] = "no-store"
    return response


async def act(request: Request) -> Response:
    caller, name = administrator(request), request.path_params["name"]
    async with form_of(request) as form:
        deed, session = text_of(form, "do"), text_of(form, "session")
    access = site_of(request).platform.access
    _find(access.accounts, caller, name)
    match deed:
        case "link":
            token = access.accounts.offer_password(caller, name)
            return _render(request, caller, name, f"{reach_of(request).address}/welcome?token={token}")
        case "disable":
            access.accounts.disable_account(caller, name)
        case "enable":
            access.accounts.enable_account(caller, name)
        case "end_session":
            access.sessions.end(caller, name, session)
        case "end_sessions":
            access.sessions.end_others(caller, name)
        case "reset_factor":
            access.second_factors.reset(caller, name)
        case _:
            raise BadRequestData("The form does not say what is to be done.")
    return done(f"{PEOPLE}/{name}", deed)


def _person(site: Site, caller: Caller, account: Account) -> Person:
    sessions = site.platform.access.sessions.list_of(caller, account.name)
    has_factor = site.platform.access.second_factors.has(account.name)
    return Person(
        account, state_of(account), sessions, has_factor, len(site.platform.access.passkeys.list_of(account.name))
    )


def _find(accounts: Accounts, caller: Caller, name: str) -> Account:
    """Raises ResourceNotFound, for an account of another tenant too."""
    found = next((one for one in accounts.list_accounts(caller) if one.name == name), None)
    if found is None:
        raise ResourceNotFound(f"There is no account {name}.")
    return found


ROUTES = [
    Route(PEOPLE, people_page, methods=["GET"]),
    Route(f"{PEOPLE}/{{name}}", person_page, methods=["GET"]),
    Route(f"{PEOPLE}/{{name}}", act, methods=["POST"]),
]
