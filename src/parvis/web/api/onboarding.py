"""Many devices at once by file, and one at a time by its label."""

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Body, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from parvis.fleet.devices.labels import LabelKind, read_label
from parvis.fleet.devices.rights import check_reads_all, check_writes
from parvis.fleet.devices.sheet import SheetReport, write_sheet
from parvis.fleet.joining.claims import Claim, ClaimEntry, ClaimPlace
from parvis.fleet.joining.label_sheet import render_labels
from parvis.fleet.joining.onboarding import REGISTER
from parvis.kernel.time import format_instant
from parvis.web.api.devices import DeviceOut
from parvis.web.api.shared import CallerOf, SiteOf

ROUTER = APIRouter()
CLAIM_PAGE = "/console/devices/new?code="
_CSV = {"requestBody": {"required": True, "content": {"text/csv": {"schema": {"type": "string"}}}}}


class LineFaultOut(BaseModel):
    line: int
    column: str
    fault: str
    text: str
    detail: str


class SheetReportOut(BaseModel):
    """What the file would do. `faults` are the first 500, `fault_counts` all."""

    lines: int
    new: int
    known: int
    left_out: int
    fault_counts: dict[str, int]
    faults: list[LineFaultOut]
    columns_left_out: list[str]

    @classmethod
    def of(cls, report: SheetReport) -> "SheetReportOut":
        return cls.model_validate(msgspec.to_builtins(report))


class JobOut(BaseModel):
    job: int = Field(description="Its number: /console/jobs/{job} shows how far it is")
    report: SheetReportOut


class LabelOut(BaseModel):
    kind: LabelKind
    hardware_id: str
    claim_code: str
    join_eui: str
    vendor_id: str
    vendor_profile_id: str
    serial_number: str
    is_registered: bool
    is_waiting: bool = Field(description="Its frames wait until somebody registers it")


class ClaimEntryIn(BaseModel):
    """What is known of a device before it is mounted."""

    model_config = ConfigDict(extra="forbid")

    hardware_id: str
    profile: str
    name: str = ""
    location: dict[str, Any] | None = Field(default=None, description="GeoJSON geometry")
    technology: str = ""
    groups: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    serial_number: str = ""
    manufacturer: str = ""
    model: str = ""


class ClaimsIn(BaseModel):
    model_config = ConfigDict(extra="forbid")

    batch: str = Field(min_length=1, max_length=64, examples=["Bins of autumn"])
    devices: list[ClaimEntryIn] = Field(min_length=1, max_length=10_000)


class IssuedOut(BaseModel):
    code: str = Field(description="Told once")
    hardware_id: str
    qr_text: str


class ClaimOut(BaseModel):
    batch: str
    hardware_id: str
    profile: str
    made_at: str
    used_at: str | None
    used_by: str

    @classmethod
    def of(cls, claim: Claim) -> "ClaimOut":
        return cls(
            batch=claim.batch,
            hardware_id=claim.entry.hardware_id,
            profile=claim.entry.profile,
            made_at=format_instant(claim.made_at),
            used_at=None if claim.used_at is None else format_instant(claim.used_at),
            used_by=claim.used_by,
        )


class RedeemIn(BaseModel):
    """Where the device was mounted."""

    model_config = ConfigDict(extra="forbid")

    code: str = Field(examples=["PV-7K2M-Q9XA-0B1C"])
    entity_id: str
    name: str = ""
    entity_type: str = ""
    location: dict[str, Any] | None = Field(default=None, description="A GeoJSON geometry")
    attributes: dict[str, Any] = Field(default_factory=dict)


class ForgottenOut(BaseModel):
    codes: int


@ROUTER.get("/devices.csv", summary="All devices as a file that can be imported", response_class=Response)
async def export_devices(
    site: SiteOf, caller: CallerOf, language: Annotated[str, Query(pattern="^(en|fr)$")] = "en"
) -> Response:
    check_reads_all(caller)
    text = write_sheet(await site.platform.fleet.list_records(caller), language)
    headers = {"content-disposition": 'attachment; filename="devices.csv"', "cache-control": "no-store"}
    return Response("\ufeff" + text, media_type="text/csv; charset=utf-8", headers=headers)


@ROUTER.post("/devices/import/check", summary="What registering the devices of a CSV file would do", openapi_extra=_CSV)
async def check_import(request: Request, site: SiteOf, caller: CallerOf) -> SheetReportOut:
    """Line by line; nothing is written."""
    check_writes(caller)
    return SheetReportOut.of(await site.platform.onboarding.check(caller, await request.body()))


@ROUTER.post("/devices/import", status_code=202, summary="Register the devices of a CSV file", openapi_extra=_CSV)
async def start_import(request: Request, site: SiteOf, caller: CallerOf) -> JobOut:
    """In a job, which leaves out faulty lines and reports them. What is registered already is brought up to date."""
    check_writes(caller)
    platform, body = site.platform, await request.body()
    report = await platform.onboarding.check(caller, body)
    arguments = await platform.onboarding.put(caller, body)
    try:
        job = await platform.jobs.submit(caller, REGISTER, arguments)
    except BaseException:
        await platform.onboarding.drop(caller, arguments)
        raise
    return JobOut(job=job.id, report=SheetReportOut.of(report))


@ROUTER.get("/labels", summary="What the label of a device says")
async def read_device_label(
    site: SiteOf, caller: CallerOf, text: Annotated[str, Query(min_length=1, max_length=512)]
) -> LabelOut:
    """QR codes after LoRa Alliance TR005 and its drafts, claim codes of Parvis, plain identifiers."""
    check_reads_all(caller)
    label, fleet = read_label(text), site.platform.fleet
    await fleet.registry.load(caller.tenant)
    is_registered = fleet.registry.find(caller.tenant, label.hardware_id) is not None
    is_waiting = bool(await fleet.frames.find_waiting(caller.tenant, {label.hardware_id}, 0, 1))
    told = msgspec.to_builtins(label) | {"is_registered": is_registered, "is_waiting": is_waiting}
    return LabelOut.model_validate(told)


@ROUTER.post("/devices/claims", status_code=201, summary="Make claim codes for devices that will be mounted")
async def make_claims(given: ClaimsIn, site: SiteOf, caller: CallerOf) -> list[IssuedOut]:
    issued = await site.platform.claims.create(
        caller, given.batch, [ClaimEntry(**one.model_dump()) for one in given.devices]
    )
    base = site.platform.settings.server.public_url
    return [
        IssuedOut(code=one.code, hardware_id=one.entry.hardware_id, qr_text=qr_text(base, one.code)) for one in issued
    ]


@ROUTER.post(
    "/devices/claims/sheet",
    status_code=201,
    summary="Make claim codes, as a sheet of labels to print",
    response_class=Response,
)
async def make_label_sheet(given: ClaimsIn, site: SiteOf, caller: CallerOf) -> Response:
    issued = await site.platform.claims.create(
        caller, given.batch, [ClaimEntry(**one.model_dump()) for one in given.devices]
    )
    base = site.platform.settings.server.public_url
    page = render_labels(given.batch, [(one, qr_text(base, one.code)) for one in issued])
    return Response(page, 201, media_type="text/html; charset=utf-8", headers={"cache-control": "no-store"})


@ROUTER.get("/devices/claims", summary="Claim codes: for which devices, used or not")
async def read_claims(site: SiteOf, caller: CallerOf, batch: str = "") -> list[ClaimOut]:
    return [ClaimOut.of(one) for one in await site.platform.claims.list_claims(caller, batch)]


@ROUTER.delete("/devices/claims/{batch}", summary="End the claim codes of a batch")
async def forget_claims(batch: str, site: SiteOf, caller: CallerOf) -> ForgottenOut:
    return ForgottenOut(codes=await site.platform.claims.forget(caller, batch))


@ROUTER.post("/devices/claim", status_code=201, summary="Register the device of a claim code where it was mounted")
async def redeem_claim(given: Annotated[RedeemIn, Body()], site: SiteOf, caller: CallerOf) -> DeviceOut:
    where = given.model_dump(exclude={"code"})
    return DeviceOut.of_registered(await site.platform.claims.redeem(caller, given.code, ClaimPlace(**where)))


def qr_text(public_url: str, code: str) -> str:
    """An address that a phone opens where the platform has one, else the code."""
    return f"{public_url.rstrip('/')}{CLAIM_PAGE}{code}" if public_url else code
