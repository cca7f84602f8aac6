"""The typed API beside NGSI-LD: summaries, devices, refused frames. Its description is at /api/openapi.json."""

from collections import Counter
from typing import Annotated, Any

import msgspec
from fastapi import Depends, FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.responses import Response

from parvis import __version__
from parvis.broker.model.change import Status
from parvis.fleet.refusal import RefusalReason
from parvis.fleet.registry import DeviceRecord, device_id
from parvis.kernel.errors import BadRequestData, Forbidden, ParvisError
from parvis.kernel.identity import Caller, Right
from parvis.kernel.time import format_instant
from parvis.web.commands import give_command, read_commands, read_gateways
from parvis.web.console.devices import DeviceView, list_devices
from parvis.web.console.overview import summarise
from parvis.web.console.refusals import list_refusals, view_of
from parvis.web.filters import ObjectFilter, Tally
from parvis.web.pages import caller_of
from parvis.web.site import Site, site_of
from parvis.web.webhooks import receive, receive_below

MOST_AT_ONCE = 1_000


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
    type: str = Field(description="Short name in the default @context", examples=["WasteContainer"])
    iri: str
    count: int


class DeviceOut(BaseModel):
    id: str
    name: str
    profile: str
    controlled_asset: str
    battery_level: float | None = Field(description="0 to 1")
    last_seen: str | None = Field(description="ISO 8601, UTC")
    state: str

    @classmethod
    def of(cls, device: DeviceView) -> "DeviceOut":
        return cls(
            id=device.id,
            name=device.name,
            profile=device.profile,
            controlled_asset=device.asset,
            battery_level=device.battery,
            last_seen=None if device.last_seen is None else format_instant(device.last_seen),
            state=device.state.word,
        )


class DeviceIn(BaseModel):
    """A device and the entity it feeds."""

    model_config = ConfigDict(extra="forbid")

    hardware_id: str = Field(pattern=r"^[0-9A-Za-z][0-9A-Za-z._-]{3,63}$", examples=["0254520112345678"])
    profile: str = Field(examples=["generic-climate"])
    entity_id: str = Field(examples=["urn:ngsi-ld:WasteContainer:market-square"])
    name: str = ""
    entity_type: str = ""
    location: dict[str, Any] | None = Field(default=None, description="A GeoJSON geometry")
    attributes: dict[str, Any] = Field(default_factory=dict, description="Static attributes of the entity, key-values")


class RegisteredOut(BaseModel):
    """What became of one device; `problem` is set where it was not registered."""

    id: str
    status: str
    problem: dict[str, Any] | None = None


class RefusalOut(BaseModel):
    id: int
    at: str
    reason: RefusalReason
    detail: str
    device: str
    f_port: int | None
    payload_hex: str


class RefusalsOut(BaseModel):
    counts: dict[str, int]
    refusals: list[RefusalOut]


SiteOf = Annotated[Site, Depends(site_of)]
CallerOf = Annotated[Caller, Depends(caller_of)]


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
    api.get("/devices", summary="Devices, most urgent first")(read_devices)
    api.post("/devices", status_code=201, summary="Register devices")(register_devices)
    api.post("/devices/{device}/commands", status_code=201, summary="Give a device a command")(give_command)
    api.get("/devices/{device}/commands", summary="Commands to a device, newest first")(read_commands)
    api.get("/gateways", summary="Gateways, and whether they are heard")(read_gateways)
    api.get("/refusals", summary="Refused frames, newest first")(read_refusals)
    api.post("/connectors/{connector}", status_code=204, summary="Take what a network server or device pushes")(receive)
    api.post("/connectors/{connector}/{path:path}", status_code=204, summary="The same, by path")(receive_below)
    return api


async def read_summary(site: SiteOf, caller: CallerOf) -> Summary:
    views = await site.list_views(caller, ObjectFilter().selection(site.reader.terms))
    tally = Tally.of(views)
    domains = [
        DomainCount(
            domain=one.domain.value,
            total=one.tally.total,
            attention=one.tally.attention,
            by_state={state.word: count for state, count in one.tally.by_state.items()},
        )
        for one in summarise(views)
    ]
    return Summary(total=tally.total, attention=tally.attention, domains=domains)


async def read_types(site: SiteOf, caller: CallerOf) -> list[TypeCount]:
    counts = await site.platform.broker.count_types(caller)
    types = [TypeCount(type=site.reader.compact(iri), iri=iri, count=count) for iri, count in counts.items()]
    return sorted(types, key=lambda one: one.type)


async def read_devices(
    site: SiteOf,
    caller: CallerOf,
    limit: Annotated[int, Query(ge=1, le=MOST_AT_ONCE)] = 100,
    offset: Annotated[int, Query(ge=0)] = 0,
) -> list[DeviceOut]:
    devices = await list_devices(site, caller)
    return [DeviceOut.of(device) for device in devices[offset : offset + limit]]


async def register_devices(devices: list[DeviceIn], site: SiteOf, caller: CallerOf) -> list[RegisteredOut]:
    """Needs the right to write. Frames of these devices that came too early are tried again."""
    if not caller.may(Right.WRITE):
        raise Forbidden("Registering devices needs the right to write.")
    if not 0 < len(devices) <= MOST_AT_ONCE:
        raise BadRequestData(f"Register between 1 and {MOST_AT_ONCE} devices at once.")
    records = [DeviceRecord(**device.model_dump()) for device in devices]
    outcomes = await site.platform.fleet.register(caller, records)
    return [
        RegisteredOut(
            id=device_id(record.hardware_id),
            status=outcome.status.name.lower(),
            problem=outcome.error.problem() if outcome.status is Status.FAILED and outcome.error else None,
        )
        for record, outcome in zip(records, outcomes, strict=True)
    ]


async def read_refusals(
    site: SiteOf, caller: CallerOf, limit: Annotated[int, Query(ge=1, le=MOST_AT_ONCE)] = 100
) -> RefusalsOut:
    kept = await list_refusals(site, caller)
    refusals = [
        RefusalOut(
            id=one.id,
            at=format_instant(one.at),
            reason=one.reason,
            detail=one.detail,
            device=view.device,
            f_port=view.port,
            payload_hex=view.payload_hex.replace(" ", ""),
        )
        for one in kept[:limit]
        for view in [view_of(one)]
    ]
    return RefusalsOut(counts=dict(Counter(one.reason.value for one in kept)), refusals=refusals)


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
