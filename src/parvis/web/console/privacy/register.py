"""The register of processing activities (GDPR Art. 30), made of what is declared and of what runs."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from parvis.access.model import AuditRecord
from parvis.access.privacy.model import LedgerEntry, Purpose
from parvis.access.privacy.purposes import Purposes
from parvis.broker.subscriptions.watched import types_of
from parvis.kernel.identity import Caller
from parvis.kernel.reach import local_name
from parvis.web.console.audit_words import label_text
from parvis.web.console.forms import form_of
from parvis.web.console.identities.frame import role_titles
from parvis.web.console.privacy.measures import measures_of
from parvis.web.console.privacy.page import PAGE, ledger_of, steward, unfounded_of, view_of_purpose
from parvis.web.console.spreadsheet import localised_csv
from parvis.web.site import Site, site_of
from parvis.web.wording import Wording

REGISTER = f"{PAGE}/register"
MOST_SUBSCRIPTIONS = 1000
_CONTACTS = ("controller", "contact", "officer", "officer_contact")
_TEXTS = ("description", "service", "subjects", "recipients", "transfers")
Facts = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Activity:
    """`data` says of each kind how long it is kept, `last` what was taken away of it the last time."""

    name: str
    version: int
    facts: Facts
    data: Sequence[str]
    last: str


@dataclass(frozen=True, slots=True)
class Register:
    """All in the words of one language; what nobody has filled in is `missing`, and has no empty line of its own."""

    title: str
    who: str
    made_at: str
    head: Facts
    activities: Sequence[Activity]
    missing: Sequence[str]
    recipients: Sequence[str]
    measures: Sequence[str]
    unfounded: Sequence[str]


async def register_page(request: Request) -> Response:
    site, caller = site_of(request), steward(request)
    register = await register_of(site, caller, site.pages.words(request))
    return site.pages.render(request, "console/pages/privacy_register.html", register=register)


async def register_csv(request: Request) -> Response:
    site, caller, t = await _downloading(request, "csv")
    register = await register_of(site, caller, t)
    text = localised_csv(rows_of(register, t), site.pages.language(request))
    return _file(text, "text/csv", "register.csv")


async def register_md(request: Request) -> Response:
    site, caller, t = await _downloading(request, "md")
    return _file(markdown_of(await register_of(site, caller, t), t), "text/markdown", "register.md")


async def _downloading(request: Request, form: str) -> tuple[Site, Caller, Wording]:
    """A download is in the trail, so that no link may begin one."""
    site, caller = site_of(request), steward(request)
    async with form_of(request):
        record = AuditRecord(site.now, caller.tenant, caller.subject, "privacy-register-downloaded", form)
        site.platform.access.store.append_audit(record)
    return site, caller, site.pages.words(request)


async def register_of(site: Site, caller: Caller, t: Wording) -> Register:
    purposes = Purposes(site.platform.access.store)
    policy, ledger = purposes.policy_of(caller.tenant), ledger_of(site, caller.tenant)
    told = [(t(f"privacy.{name}"), getattr(policy, name)) for name in _CONTACTS]
    activities = [_activity(one, ledger, t) for one in purposes.list_of(caller.tenant)]
    return Register(
        title=t("privacy.register"),
        who=tenant_title(site, caller.tenant),
        made_at=t.moment(site.now),
        head=_filled(told),
        activities=activities,
        missing=_missing([told, *(one.facts for one in activities)]),
        recipients=await _recipients(site, caller, t),
        measures=measures_of(site, caller, t),
        unfounded=[_named(one.type, (one.attribute,), (), t) for one in await unfounded_of(site, caller)],
    )


def _filled(facts: Facts) -> Facts:
    return [(label, text) for label, text in facts if text]


def _missing(parts: Iterable[Facts]) -> list[str]:
    """Each once, though many purposes lack it."""
    return list(dict.fromkeys(label for facts in parts for label, text in facts if not text))


def tenant_title(site: Site, tenant: str) -> str:
    member = site.platform.access.gate.pool.find(tenant)
    return site.platform.at_hand.territory.name if member is None else member.title


def _activity(purpose: Purpose, ledger: Sequence[LedgerEntry], t: Wording) -> Activity:
    view = view_of_purpose(purpose, t)
    facts = [(t("privacy.basis"), view.basis)]
    facts += [(t(f"privacy.{name}"), view.texts[name]) for name in _TEXTS]
    data = [
        f"{_named(cover.type, cover.attributes, cover.scopes, t)}{t('privacy.colon')}{words}"
        for cover, words in view.covers
    ]
    data += [
        f"{t(f'privacy_record.{one}')}{t('privacy.colon')}{t(f'privacy_record_kept.{one}')}" for one in purpose.records
    ]
    return Activity(view.name, purpose.version, facts, data, _last(purpose, ledger, t))


def _named(type_: str, attributes: Sequence[str], scopes: Sequence[str], t: Wording) -> str:
    told = ", ".join(t.attribute_name(one, type_) for one in attributes)
    named = f"{t.type_name(type_)} ({told})"
    return f"{named} {t('privacy.in_scopes', scopes=', '.join(scopes))}" if scopes else named


def _last(purpose: Purpose, ledger: Sequence[LedgerEntry], t: Wording) -> str:
    if not purpose.covers:
        return ""
    own = [one for one in ledger if one.purpose == purpose.id]
    if not own:
        return t("privacy.never_executed")
    newest = [one for one in own if t.local(one.at).date() == t.local(own[0].at).date()]
    count = t("privacy.values", n=sum(one.count for one in newest))
    return t("privacy.last_executed", when=t.day(t.local(own[0].at).date()), count=count)


async def _recipients(site: Site, caller: Caller, t: Wording) -> list[str]:
    gate, access = site.platform.access.gate, site.platform.access
    titles = role_titles(site, caller.tenant, t.language)
    told = [
        t(
            "privacy.by_mandate",
            role=titles.get(one.role, one.role),
            until=t.day(t.local(one.until).date()),
            reference=one.reference,
        )
        for one in gate.pool.mandates_of(caller.tenant)
    ]
    told += await _told_to(site, caller, t)
    keys = [one for one in access.store.list_keys() if one.tenant == caller.tenant and one.opens_at(site.now)]
    people = [one for one in keys if not one.device]
    told += [t("privacy.by_key", label=label_text(one.label, t), role=titles.get(one.role, one.role)) for one in people]
    accounts = [one for one in access.store.list_accounts() if one.tenant == caller.tenant and one.can_sign_in]
    return [*told, t("privacy.by_accounts", n=len(accounts))]


async def _told_to(site: Site, caller: Caller, t: Wording) -> list[str]:
    """The hosts that subscriptions tell, and of what."""
    page = await site.platform.broker.subscriptions.list_page(caller, MOST_SUBSCRIPTIONS)
    hosts: dict[str, set[str]] = {}
    for one in page.subscribed:
        host = urlsplit(one.subscription.notification.endpoint.uri).hostname or ""
        types = [types_of(selector.types) for selector in one.subscription.selectors]
        named = {t.type_name(local_name(name)) for some in types for name in some}
        hosts.setdefault(host, set()).update(named if types and all(types) else {t("privacy.everything")})
    return [t("privacy.by_subscription", host=host, types=", ".join(sorted(of))) for host, of in sorted(hosts.items())]


def rows_of(register: Register, t: Wording) -> list[list[object]]:
    """A line for each activity."""
    labels = [t("privacy.basis"), *(t(f"privacy.{name}") for name in _TEXTS)]
    rows: list[list[object]] = [
        [t("privacy.name"), *labels, t("privacy.covers"), t("privacy.last"), t("privacy.version_title")]
    ]
    return rows + [
        [one.name, *(text for _, text in one.facts), "; ".join(one.data), one.last, one.version]
        for one in register.activities
    ]


def markdown_of(register: Register, t: Wording) -> str:
    lines = [f"# {register.title}", "", f"{_plain(register.who)}, {register.made_at}", ""]
    lines += [t("privacy.missing", what=", ".join(register.missing)), ""] if register.missing else []
    lines += [_fact(label, text, t) for label, text in register.head]
    for one in register.activities:
        lines += ["", f"## {_plain(one.name)}", "", *(_fact(label, text, t) for label, text in _filled(one.facts))]
        lines += [f"* **{t('privacy.covers')}**", *(f"    * {_plain(text)}" for text in one.data)]
        lines += [_fact(t("privacy.last"), one.last, t)] if one.last else []
    parts = (("receives", register.recipients), ("measures", register.measures), ("unfounded", register.unfounded))
    for name, texts in parts:
        if texts:
            lines += ["", f"## {t(f'privacy.{name}')}", "", *(f"* {_plain(text)}" for text in texts)]
    return "\n".join(lines) + "\n"


def _fact(label: str, text: str, t: Wording) -> str:
    return f"* **{label}**{t('privacy.colon')}{_plain(text)}"


def _plain(text: str) -> str:
    """Of people's words no line break begins another block, and no sign is markup."""
    joined = " ".join(text.split())
    return "".join(f"\\{sign}" if sign in "\\`*_[]<>#|" else sign for sign in joined)


def _file(text: str, media_type: str, name: str) -> Response:
    headers = {"content-disposition": f'attachment; filename="{name}"', "cache-control": "no-store"}
    return Response(text, media_type=media_type, headers=headers)


ROUTES = (
    Route(REGISTER, register_page, methods=["GET"]),
    Route(f"{REGISTER}.csv", register_csv, methods=["POST"]),
    Route(f"{REGISTER}.md", register_md, methods=["POST"]),
)
