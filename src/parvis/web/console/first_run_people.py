"""The first run's last step: the first people, each by a link to hand over."""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from parvis.access.model import NO_PASSWORD, Account
from parvis.kernel.errors import AlreadyExists, BadRequestData
from parvis.web.console.first_run_frame import FIRST_RUN, administrator, form_of, go_on, render_step
from parvis.web.console.first_run_progress import Step
from parvis.web.console.first_run_way_in import reach_of
from parvis.web.console.forms import text_of
from parvis.web.console.session import problem_of
from parvis.web.site import site_of

PAGE = f"{FIRST_RUN}/{Step.PEOPLE.value}"
ROLES = ("reader", "operator", "administrator")


@dataclass(frozen=True, slots=True)
class Invited:
    """A link that is shown this once."""

    name: str
    link: str


async def people_page(request: Request) -> Response:
    administrator(request)
    return await _render(request)


async def _render(
    request: Request, *, invited: Invited | None = None, name: str = "", role: str = ROLES[0], problem: str = ""
) -> Response:
    site, caller = site_of(request), administrator(request)
    response = await render_step(
        request,
        Step.PEOPLE,
        status=400 if problem else 200,
        accounts=site.platform.access.accounts.list_accounts(caller),
        state_of=state_of,
        roles=ROLES,
        invited=invited,
        name=name,
        role=role,
        problem=problem,
        reach=reach_of(request),
    )
    if invited is not None:
        response.headers["cache-control"] = "no-store"
    return response


def state_of(account: Account) -> str:
    if account.disabled:
        return "disabled"
    return "invited" if account.password_hash == NO_PASSWORD else "in_force"


async def act(request: Request) -> Response:
    async with form_of(request) as form:
        what, name, role = (text_of(form, field) for field in ("do", "name", "role"))
    caller = administrator(request)
    accounts = site_of(request).platform.access.accounts
    match what:
        case "go_on":
            return await go_on(request, Step.PEOPLE)
        case "invite":
            if role not in ROLES:
                return await _render(request, name=name, problem="refused")
            try:
                token = accounts.invite(caller, name, role, caller.tenant)
            except (AlreadyExists, BadRequestData) as refused:
                return await _render(request, name=name, role=role, problem=problem_of(refused))
        case "link":
            token = accounts.offer_password(caller, name)
        case _:
            raise BadRequestData("The form does not say what is to be done.")
    return await _render(request, invited=Invited(name, f"{reach_of(request).address}/welcome?token={token}"))


ROUTES = [Route(PAGE, people_page, methods=["GET"]), Route(PAGE, act, methods=["POST"])]
