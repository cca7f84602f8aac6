"""What each tenant of the pool used, month by month: to share the cost by."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from parvis.access.members.model import POOL
from parvis.access.members.usage import UsageBook, percent, rows_of
from parvis.broker.ports.metering import month_of
from parvis.kernel.identity import Right
from parvis.web.console.members.frame import MEMBERS, pool_reader
from parvis.web.console.spreadsheet import localised_csv
from parvis.web.site import Site, site_of

PAGE = f"{MEMBERS}/usage"


async def usage_page(request: Request) -> Response:
    caller, site = pool_reader(request), site_of(request)
    book, month = _book(site), _month(request)
    figures = book.list_of(month)
    return site.pages.render(
        request,
        "console/pages/member_usage.html",
        month=month,
        months=book.list_months(),
        figures=figures,
        titles=_titles(site),
        changes=sum(one.changes for one in figures),
        entities=sum(one.entities for one in figures),
        bytes=sum(one.bytes for one in figures),
        percent=percent,
        measured_at=max((one.measured_at for one in figures), default=None),
        may_measure=caller.may(Right.ADMINISTER),
    )


async def usage_csv(request: Request) -> Response:
    pool_reader(request)
    site, month = site_of(request), _month(request)
    text = localised_csv(rows_of(_book(site).list_of(month), _titles(site)), site.pages.language(request))
    headers = {"content-disposition": f'attachment; filename="usage-{month}.csv"', "cache-control": "no-store"}
    return Response(text, media_type="text/csv", headers=headers)


def _book(site: Site) -> UsageBook:
    return UsageBook(site.platform.access.store, site.clock)


def _month(request: Request) -> str:
    return request.query_params.get("month") or month_of(site_of(request).now)


def _titles(site: Site) -> dict[str, str]:
    titles = {one.tenant: one.title for one in site.platform.access.members.list_all()}
    return titles | {POOL: site.platform.at_hand.territory.name}


ROUTES = [Route(PAGE, usage_page, methods=["GET"]), Route(f"{PAGE}.csv", usage_csv, methods=["GET"])]
