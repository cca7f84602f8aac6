"""The typed API beside NGSI-LD: summaries, devices, refused frames. Its description is at /api/openapi.json."""

from typing import Any

import msgspec
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.responses import Response

from parvis import __version__
from parvis.broker.sources.subscribe import NOTIFIED_AT
from parvis.kernel.errors import BadRequestData, ParvisError
from parvis.web.api import commands, devices, frames, onboarding
from parvis.web.api.shared import CallerOf, SiteOf
from parvis.web.console.whole import count_whole
from parvis.web.federation import take_notification
from parvis.web.site import Site
from parvis.web.webhooks import receive, receive_below


class Problem(BaseModel):
    """An error report (RFC 7807)."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str = ""


class DomainCount(BaseModel):
    domain: str
    total: int
    attention: int
    by_state: dict[str, int]


class Summary(BaseModel):
    """Objects followed, and how many of them need attention."""

    total: int
    attention: int
    domains: list[DomainCount]


class TypeCount(BaseModel):
    type: str = Field(description="Short name in the platform's own @context", examples=["WasteContainer"])
    iri: str
    count: int


def create_api(site: Site) -> FastAPI:
    api = FastAPI(
        title="Parvis",
        version=__version__,
        description="What NGSI-LD has no word for. Entities are at /ngsi-ld/v1.",
        docs_url=None,
        redoc_url=None,
        servers=[{"url": "/api"}],
        responses={"4XX": {"model": Problem, "description": "An error report (RFC 7807)"}},
        exception_handlers={
            ParvisError: _refused,
            RequestValidationError: _invalid,
            HTTPException: _http_refused,
            Exception: _failed,
        },
    )
    api.state.site = site
    api.get("/summary", summary="Objects by domain and state")(read_summary)
    api.get("/types", summary="Entity types and how many there are of each")(read_types)
    for part in (onboarding, devices, frames, commands):
        api.include_router(part.ROUTER)
    api.post("/connectors/{connector}", status_code=204, summary="Take what a network server or device pushes")(receive)
    api.post("/connectors/{connector}/{path:path}", status_code=204, summary="The same, by path")(receive_below)
    api.post(
        NOTIFIED_AT.removeprefix("/api") + "{token}", status_code=204, summary="Take what a context source notifies"
    )(take_notification)
    return api


async def read_summary(site: SiteOf, caller: CallerOf) -> Summary:
    whole = await count_whole(site, caller)
    domains = [
        DomainCount(
            domain=domain.value,
            total=of_domain.total,
            attention=of_domain.attention,
            by_state={state.word: count for state, count in of_domain.by_state.items()},
        )
        for domain, of_domain in whole.domains.items()
    ]
    return Summary(total=whole.tally.total, attention=whole.tally.attention, domains=domains)


async def read_types(site: SiteOf, caller: CallerOf) -> list[TypeCount]:
    counts = await site.platform.broker.count_types(caller)
    types = [TypeCount(type=site.reader.compact(iri), iri=iri, count=count) for iri, count in counts.items()]
    return sorted(types, key=lambda one: one.type)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, ParvisError)
    response = _problem(error.status, error.problem())
    if error.retry_after_s is not None:
        response.headers["retry-after"] = str(error.retry_after_s)
    return response


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    faults = [{"where": "/".join(map(str, fault["loc"])), "what": fault["msg"]} for fault in error.errors()]
    return _problem(
        BadRequestData.status, BadRequestData("The request does not fit its description.", faults=faults).problem()
    )


async def _http_refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    report = {"type": "about:blank", "title": error.detail, "status": error.status_code}
    return _problem(error.status_code, report)


async def _failed(request: Request, error: Exception) -> Response:
    """The door in front has the request's id and writes the log."""
    failure = ParvisError("The fault is on this side, and is noted under the id in X-Request-ID.")
    return _problem(failure.status, failure.problem())


def _problem(status: int, report: dict[str, Any]) -> Response:
    return Response(msgspec.json.encode(report), status, media_type="application/problem+json")
