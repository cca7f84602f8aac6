"""What the pages of a pool's members share: who may see them, dates, and who a caller is elsewhere."""

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from starlette.datastructures import FormData
from starlette.requests import Request

from parvis.access.members.model import POOL
from parvis.kernel.errors import BadRequestData, Forbidden
from parvis.kernel.identity import Caller, Right
from parvis.kernel.time import Instant, from_datetime
from parvis.web.console.forms import text_of
from parvis.web.pages import caller_of
from parvis.web.site import Site

MEMBERS = "/console/members"
MEMBERSHIP = "/console/membership"
ROLES = ("reader", "operator", "administrator")
"""That a mandate offers first; the command line takes any."""
MOST_FIELDS = 300


def pool_reader(request: Request) -> Caller:
    """Raises Forbidden."""
    caller = caller_of(request)
    if caller.tenant != POOL or not caller.may(Right.READ):
        raise Forbidden("The members are seen by people of the pool who are signed in.")
    return caller


def elsewhere(site: Site, caller: Caller, tenant: str) -> Caller | None:
    """The same person in a member's tenant; None where no mandate is in force."""
    return site.platform.access.gate.find_owner(caller.subject, tenant)


def day_of(site: Site, form: FormData, name: str, *, is_last: bool = False) -> Instant | None:
    """The first instant of the day that a field holds, in the territory's time; of the last day the one after it.

    Raises:
        BadRequestData
    """
    text = text_of(form, name)
    if not text:
        return None
    try:
        day = date.fromisoformat(text) + timedelta(days=is_last)
        zone = ZoneInfo(site.platform.at_hand.territory.time_zone)
        return from_datetime(datetime.combine(day, time(), zone))
    except (ValueError, OverflowError):
        raise BadRequestData("A day is written as 2026-11-30.", rule="day") from None


def fault_of(refused: Exception) -> str:
    """The last part of its sentence's key."""
    rule = getattr(refused, "extras", {}).get("rule", "")
    return str(rule).replace("-", "_")
