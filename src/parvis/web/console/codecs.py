"""The codec bench: a frame through a profile's codec and rules, before either is trusted with frames that count."""

import base64
import binascii
import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal
from urllib.parse import quote, urlencode

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from parvis.broker.model.entity import Instance
from parvis.fleet.codecs.codec import CodecFailure, Decoded
from parvis.fleet.profiles.bench import LONGEST_FRAME_BYTES, BenchRun
from parvis.fleet.profiles.mapping import AttributeRule
from parvis.fleet.profiles.own import may_copy
from parvis.fleet.profiles.profile import DeviceProfile, InvalidProfile
from parvis.kernel.errors import BadRequestData, Forbidden, ResourceNotFound
from parvis.kernel.identity import Caller, Right
from parvis.web.auth import check_form
from parvis.web.causes import Explained
from parvis.web.console.codec_copies import bench_for, is_copy, may_change, take_over
from parvis.web.console.entity_values import value_text
from parvis.web.faults import NOTHING_SAID, explain_fault
from parvis.web.pages import caller_of
from parvis.web.site import Site, site_of
from parvis.web.wording import Wording

ROWS_A_PAGE = 50
EMPTY_RULES = 2
MOST_RULES = 120
EXAMPLES_SHOWN = 8
SEE_OTHER = 303
KINDS: tuple[Literal["Property", "Relationship", "GeoProperty"], ...] = ("Property", "Relationship", "GeoProperty")
RULE_FIELDS = ("field", "name", "scale", "offset", "unit_code", "kind", "minimum", "maximum", "varies_within_h")
_NUMBERS: Mapping[str, float | None] = {
    "scale": 1.0, "offset": 0.0, "minimum": None, "maximum": None, "varies_within_h": 0.0,
}  # fmt: skip
_BETWEEN_BYTES = re.compile(r"0x|[\s:,;-]", re.IGNORECASE)
_COUNT = re.compile("[0-9]{1,9}")


@dataclass(frozen=True, slots=True)
class ProfileView:
    profile: DeviceProfile
    name: str
    maker: str
    tells: str
    examples: int
    devices: int
    is_copy: bool = False

    @property
    def href(self) -> str:
        return href_of(self.profile.id)


@dataclass(frozen=True, slots=True)
class Bench:
    """What stands on the bench, as it was written."""

    payload: str = ""
    form: str = "hex"
    port: str = "1"
    rules: tuple[Mapping[str, str], ...] = ()
    description: str = ""


@dataclass(frozen=True, slots=True)
class Trial:
    """What became of the frame, or why it was not tried."""

    decoded: str = ""
    warnings: tuple[str, ...] = ()
    fault: str = ""
    why: Explained = NOTHING_SAID
    attributes: tuple["MappedView", ...] = ()
    is_decoded: bool = False


@dataclass(frozen=True, slots=True)
class MappedView:
    term: str
    label: str
    number: str
    unit: str
    is_of_device: bool
    is_impossible: bool


class Unreadable(Exception):
    """What was written is no frame or no rule; says so in the page's language."""


def href_of(profile_id: str) -> str:
    return f"/console/codecs/{quote(profile_id, safe='')}"


async def codecs_page(request: Request) -> Response:
    site, caller = site_of(request), caller_of(request)
    check_reads(caller)
    t = site.pages.words(request)
    search = request.query_params.get("search", "").strip()
    found = [one for one in await _list_profiles(site, caller, t) if _names(one, search.casefold())]
    pages = max(1, -(-len(found) // ROWS_A_PAGE))
    asked = request.query_params.get("page", "")
    page = min(pages, max(1, int(asked))) if _COUNT.fullmatch(asked) else 1
    return site.pages.render(
        request,
        "console/pages/codecs.html",
        profiles=found[(page - 1) * ROWS_A_PAGE : page * ROWS_A_PAGE],
        search=search,
        page=page,
        pages=pages,
    )


async def _list_profiles(site: Site, caller: Caller, t: Wording) -> list[ProfileView]:
    """By name."""
    registry = site.platform.fleet.registry
    of_profile = Counter(device.profile.id for device in await site.platform.fleet.list_devices(caller))
    views = [
        ProfileView(
            profile=one,
            name=one.header.name_in(t.language),
            maker=t.maker(one.header.vendor, one.header.model),
            tells=t.type_name(registry.compact(one.entity_type)),
            examples=len(one.examples) + len(one.further_examples),
            devices=of_profile[one.id],
            is_copy=is_copy(site, caller, one.id),
        )
        for one in registry.profiles_of(caller.tenant).values()
    ]
    return sorted(views, key=lambda view: view.name.casefold())


def _names(view: ProfileView, wanted: str) -> bool:
    return any(wanted in text.casefold() for text in (view.name, view.profile.header.name, view.maker, view.profile.id))


async def bench_page(request: Request) -> Response:
    """With a frame in the address it is tried at once."""
    profile = _profile(request)
    query = request.query_params
    bench = Bench(
        query.get("payload", ""),
        "base64" if query.get("format") == "base64" else "hex",
        query.get("f_port", "1"),
        tuple(map(written, profile.rules)),
    )
    trial = await _try(request, profile, bench) if bench.payload else None
    return _page(request, profile, bench, trial, done=query.get("done", ""))


async def change(request: Request) -> Response:
    """`do` is run, example or rules."""
    form = await request.form(max_fields=len(RULE_FIELDS) * MOST_RULES + 10)
    check_form(request, form)
    profile, bench = _profile(request), bench_of(form)
    wanted = str(form.get("do", "run"))
    if wanted in ("copy", "give_back"):
        await take_over(site_of(request), caller_of(request), profile, wanted)
        return RedirectResponse(f"{href_of(profile.id)}?done={wanted}", SEE_OTHER)
    if wanted == "run":
        return _page(request, profile, bench, await _try(request, profile, bench))
    try:
        _keep(request, profile, bench, wanted)
    except (Unreadable, InvalidProfile, BadRequestData) as refusal:
        trial = await _try(request, profile, bench) if bench.payload else None
        why = _why(refusal, site_of(request).pages.words(request))
        return _page(request, profile, bench, trial, refusal=why, status=BadRequestData.status)
    frame = {"payload": bench.payload, "format": bench.form, "f_port": bench.port} if bench.payload else {}
    return RedirectResponse(f"{href_of(profile.id)}?{urlencode({**frame, 'done': wanted})}", SEE_OTHER)


def _keep(request: Request, profile: DeviceProfile, bench: Bench, what: str) -> None:
    """Raises Unreadable, BadRequestData, InvalidProfile or Forbidden."""
    site, caller = site_of(request), caller_of(request)
    t, made = site.pages.words(request), bench_for(site, caller)
    if not may_change(site, caller, profile.id):
        raise Forbidden(f"{caller.subject} may not change device profiles.")
    if what == "rules" and not bench.rules:
        raise BadRequestData("A profile needs at least one rule.")
    if what == "rules":
        made.keep_rules(caller, profile.id, rules_of(bench, t))
    elif what == "example":
        made.keep_example(caller, profile.id, port_of(bench, t), payload_of(bench, t), bench.description)
    else:
        raise BadRequestData("Choose what is to be done.")
    site.platform.fleet.note(caller, f"profile-{what}-kept", profile.id)


async def _try(request: Request, profile: DeviceProfile, bench: Bench) -> Trial:
    site = site_of(request)
    t = site.pages.words(request)
    try:
        port, payload, rules = port_of(bench, t), payload_of(bench, t), rules_of(bench, t)
        run = await bench_for(site, caller_of(request)).run(profile.id, port, payload, rules)
    except (Unreadable, BadRequestData) as refusal:
        return Trial(fault=t("bench.bad_frame"), why=_why(refusal, t))
    return trial_of(site, run, t)


def trial_of(site: Site, run: BenchRun, t: Wording) -> Trial:
    match run.result:
        case CodecFailure(fault, detail):
            return Trial(fault=t(f"bench.fault_{fault.value}"), why=explain_fault(detail, t))
        case Decoded(data, warnings):
            told = Trial(json.dumps(data, ensure_ascii=False, indent=2), tuple(map(str, warnings)), is_decoded=True)
            if run.problem:
                return replace(told, fault=t("bench.not_mapped"), why=explain_fault(run.problem, t))
            return replace(told, attributes=tuple(_mapped(site, run, t)))


def _mapped(site: Site, run: BenchRun, t: Wording) -> Iterator[MappedView]:
    for is_of_device, instances in ((False, run.asset), (True, run.device)):
        for one in instances:
            term = site.platform.fleet.registry.compact(one.name)
            number, unit = value_text(one, term, t)
            yield MappedView(term, t.attribute_name(term), number, unit, is_of_device, _is_in(one, run.impossible))


def _is_in(one: Instance, instances: Sequence[Instance]) -> bool:
    return any(one is other for other in instances)


def bench_of(form: FormData) -> Bench:
    """Raises BadRequestData where a rule lacks one of its fields, as no browser sends it."""
    columns = {name: [str(one).strip() for one in form.getlist(name)] for name in RULE_FIELDS}
    if len({len(column) for column in columns.values()}) != 1:
        raise BadRequestData("Each rule needs all of its fields.")
    rows = zip(*columns.values(), strict=True)
    rules = tuple(dict(zip(RULE_FIELDS, row, strict=True)) for row in rows)
    return Bench(
        str(form.get("payload", "")).strip(),
        "base64" if form.get("format") == "base64" else "hex",
        str(form.get("f_port", "")).strip(),
        tuple(rule for rule in rules if rule["field"]),
        str(form.get("description", "")).strip(),
    )


def payload_of(bench: Bench, t: Wording) -> bytes:
    """Raises Unreadable."""
    payload = _bytes_of(bench, t)
    if not 0 < len(payload) <= LONGEST_FRAME_BYTES:
        raise Unreadable(t("bench.bad_length", most=LONGEST_FRAME_BYTES, count=len(payload)))
    return payload


def _bytes_of(bench: Bench, t: Wording) -> bytes:
    text = bench.payload[: 8 * LONGEST_FRAME_BYTES]
    if bench.form == "base64":
        try:
            return base64.b64decode("".join(text.split()), validate=True)
        except (binascii.Error, ValueError):
            raise Unreadable(t("bench.bad_base64")) from None
    try:
        return bytes.fromhex(_BETWEEN_BYTES.sub("", text))
    except ValueError:
        raise Unreadable(t("bench.bad_payload")) from None


def port_of(bench: Bench, t: Wording) -> int:
    """Raises Unreadable."""
    if not _COUNT.fullmatch(bench.port) or int(bench.port) > 255:
        raise Unreadable(t("bench.bad_port"))
    return int(bench.port)


def rules_of(bench: Bench, t: Wording) -> list[AttributeRule]:
    """Raises Unreadable."""
    return [_rule(written_rule, t) for written_rule in bench.rules]


def _rule(told: Mapping[str, str], t: Wording) -> AttributeRule:
    numbers: dict[str, Any] = {}
    for name, default in _NUMBERS.items():
        text = told[name].replace(",", ".").replace("\u2212", "-")
        numbers[name] = _number(text, f"{told['field']}, {t(f'bench.{name}')}", t) if text else default
    kind = next((one for one in KINDS if one == told["kind"]), KINDS[0])
    return AttributeRule(told["field"], told["name"], unit_code=told["unit_code"], kind=kind, **numbers)


def _number(text: str, field: str, t: Wording) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise Unreadable(t("bench.bad_number", field=field, text=text[:30]))
    return number


def written(rule: AttributeRule) -> Mapping[str, str]:
    """A rule as its row of the form shows it: what is as usual stays empty."""
    told = {name: getattr(rule, name) for name in RULE_FIELDS}
    return {name: _written(value, _NUMBERS.get(name, "")) for name, value in told.items()}


def _written(value: object, usual: object) -> str:
    if value is None or value == usual:
        return ""
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def _page(
    request: Request,
    profile: DeviceProfile,
    bench: Bench,
    trial: Trial | None,
    *,
    refusal: Explained | None = None,
    done: str = "",
    status: int = 200,
) -> Response:
    site = site_of(request)
    unused: Mapping[str, str] = dict.fromkeys(RULE_FIELDS, "")
    return site.pages.render(
        request,
        "console/pages/bench.html",
        status=status,
        profile=profile,
        maker=site.pages.words(request).maker(profile.header.vendor, profile.header.model),
        href=href_of(profile.id),
        bench=bench,
        rules=[*bench.rules, *[unused] * EMPTY_RULES],
        kinds=KINDS,
        trial=trial,
        refusal=refusal,
        done=done if done in ("example", "rules", "copy", "give_back") else "",
        examples=[
            (one.payload, f"{href_of(profile.id)}?{urlencode({'payload': one.payload, 'f_port': one.f_port})}")
            for one in profile.examples[:EXAMPLES_SHOWN]
        ],
        may_keep=may_change(site_of(request), caller_of(request), profile.id),
        may_copy=may_copy(caller_of(request)),
        is_copy=is_copy(site_of(request), caller_of(request), profile.id),
    )


def _profile(request: Request) -> DeviceProfile:
    """Raises Forbidden or ResourceNotFound."""
    caller = caller_of(request)
    check_reads(caller)
    found = site_of(request).platform.fleet.registry.profiles_of(caller.tenant).get(request.path_params["profile_id"])
    if found is None:
        raise ResourceNotFound("There is no such profile.")
    return found


def _why(refusal: Exception, t: Wording) -> Explained:
    """Unreadable speaks the page's language already."""
    if isinstance(refusal, BadRequestData | InvalidProfile):
        return explain_fault(refusal.detail, t)
    return Explained(str(refusal), "")


def check_reads(caller: Caller) -> None:
    if not caller.may(Right.READ):
        raise Forbidden("Device profiles can be seen by people who are signed in.")


ROUTES = [
    Route("/console/codecs", codecs_page, methods=["GET"]),
    Route("/console/codecs/{profile_id}", bench_page, methods=["GET"]),
    Route("/console/codecs/{profile_id}", change, methods=["POST"]),
]
