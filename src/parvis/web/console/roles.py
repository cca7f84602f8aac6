"""Who may what, as a table; who has which role; which attributes are how private; and why somebody may not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from parvis.access.roles.explain import Asked, Said, explain
from parvis.access.roles.model import ACTIONS, CLASSES, Assignment, Classified, Role, RoleGrant
from parvis.access.roles.packaged import classified
from parvis.broker.rights import refusal
from parvis.kernel.errors import BadRequestData
from parvis.kernel.identity import Caller, Right
from parvis.kernel.time import Instant, from_datetime
from parvis.web.console.forms import form_of, text_of, words_of
from parvis.web.console.identities.frame import done
from parvis.web.pages import caller_of
from parvis.web.site import Site, site_of
from parvis.web.wording import Wording, zone_of

ROLES = "/console/roles"


@dataclass(frozen=True, slots=True)
class Row:
    """A role as the table has it."""

    role: Role
    title: str
    description: str
    is_own: bool
    holders: Sequence[str]

    @property
    def name(self) -> str:
        return self.role.name


async def roles_page(request: Request) -> Response:
    return await _page(request, _reader(request))


async def act(request: Request) -> Response:
    caller = _reader(request)
    async with form_of(request) as form:
        given = {name: text_of(form, name) for name in form}
        actions = tuple(str(one) for one in form.getlist("actions"))
    deed = given.get("do", "")
    try:
        _do(site_of(request), caller, deed, given, actions)
    except BadRequestData as refused:
        return await _page(request, caller, refused=refused, given=given)
    return done(ROLES, deed)


def _do(site: Site, caller: Caller, deed: str, given: Mapping[str, str], actions: tuple[str, ...]) -> None:
    roles = site.platform.access.gate.roles
    match deed:
        case "put":
            roles.put(caller, _role_of(given, actions))
        case "drop":
            roles.drop(caller, given.get("role", ""))
        case "assign":
            roles.assign(caller, _assignment_of(given, caller, site))
        case "unassign":
            roles.unassign(caller, given.get("assignment", ""))
        case "classify":
            roles.classify(caller, classified(given.get("attribute", ""), given.get("privacy", "")))
        case "declassify":
            roles.declassify(caller, classified(given.get("attribute", ""), ""))
        case _:
            raise BadRequestData("The form does not say what is to be done.")


def _role_of(given: Mapping[str, str], actions: tuple[str, ...]) -> Role:
    """One grant, and where it is narrow the right to read the rest where that is ticked."""
    types, scopes = words_of(given.get("types", "")), words_of(given.get("scopes", ""))
    grants = [RoleGrant(actions, types, scopes)]
    if given.get("reads_all"):
        grants.insert(0, RoleGrant(("read-public", "read")))
    title = given.get("title", "")
    names = dict.fromkeys(("en", "fr"), title) if title else {}
    return Role(tuple(grants), given.get("clearance", ""), names, {}, given.get("name", ""))


def _assignment_of(given: Mapping[str, str], caller: Caller, site: Site) -> Assignment:
    return Assignment(
        "",
        given.get("subject", ""),
        caller.tenant,
        given.get("role", ""),
        site.now,
        _end_of_day(given.get("until", ""), site),
        words_of(given.get("types", "")),
        words_of(given.get("scopes", "")),
    )


def _end_of_day(text: str, site: Site) -> Instant | None:
    if not text:
        return None
    try:
        day = date.fromisoformat(text) + timedelta(days=1)
        return from_datetime(datetime.combine(day, time(), zone_of(site.platform.at_hand.territory.time_zone)))
    except (ValueError, OverflowError):
        raise BadRequestData(f"{text[:40]!r} is no date.", rule="assignment-until") from None


async def _page(
    request: Request, caller: Caller, refused: BadRequestData | None = None, given: Mapping[str, str] | None = None
) -> Response:
    site = site_of(request)
    t = site.pages.words(request)
    asked = request.query_params
    roles = site.platform.access.gate.roles
    may_administer, may_steward = caller.may(Right.ADMINISTER), caller.may(Right.STEWARD)
    assignments = roles.list_assignments(caller) if may_administer else []
    rows = _rows(site, caller, t, assignments)
    return site.pages.render(
        request,
        "console/pages/roles.html",
        status=400 if refused else 200,
        rows=rows,
        assignments=assignments,
        subjects=_subjects(site, caller) if may_administer else [],
        classes=_classes(roles.classes_of(caller.tenant), t),
        own_classes=[(one.name, t(f"privacy_class.{one.privacy}")) for one in roles.own_classes_of(caller.tenant)],
        role_options=[(one.name, one.title) for one in rows],
        titles={one.name: one.title for one in rows},
        actions=[(one, t(f"role_action.{one}")) for one in ACTIONS],
        clearances=[(one, t(f"privacy_class.{one}")) for one in CLASSES],
        may_change=may_administer,
        may_classify=may_steward and not caller.mandate,
        why=await _why(site, caller, asked, t) if asked.get("subject") else (),
        asked=asked,
        problem=_problem(refused, t),
        given=given or {},
        done=asked.get("done", ""),
    )


def _rows(site: Site, caller: Caller, t: Wording, assignments: Sequence[Assignment]) -> list[Row]:
    gate = site.platform.access.gate
    own = gate.roles.own_of(caller.tenant)
    holders: dict[str, list[str]] = {}
    if caller.may(Right.ADMINISTER):
        for account in site.platform.access.accounts.list_accounts(caller):
            holders.setdefault(account.role, []).append(account.name)
        for one in assignments:
            holders.setdefault(one.role, []).append(one.subject.partition(":")[2])
    return [
        Row(
            role,
            role.title.get(t.language, name),
            role.description.get(t.language, ""),
            name in own,
            tuple(dict.fromkeys(holders.get(name, ()))),
        )
        for name, role in gate.roles.all_of(caller.tenant).items()
    ]


def _classes(declared: Sequence[Classified], t: Wording) -> list[tuple[str, list[str]]]:
    """Each class above public with its attributes, the most private first."""
    names = {privacy: sorted(one.name for one in declared if one.privacy == privacy) for privacy in CLASSES}
    return [(t(f"privacy_class.{one}"), names[one]) for one in reversed(list(CLASSES)) if one != "public"]


def _subjects(site: Site, caller: Caller) -> list[tuple[str, str]]:
    """Whom a role can be given to: people, then keys that are no device's."""
    access = site.platform.access
    people = [(f"user:{one.name}", one.name) for one in access.accounts.list_accounts(caller) if not one.disabled]
    keys = [one for one in access.keys.list_keys(caller) if one.opens_at(site.now) and not one.device]
    return [*people, *((f"key:{one.id}", f"{one.label} ({one.id})") for one in keys)]


async def _why(site: Site, caller: Caller, asked: Mapping[str, str], t: Wording) -> Sequence[str]:
    """What decides, then where the rights come from. Of others only administrators may ask. Raises Forbidden."""
    subject, action = asked.get("subject", ""), asked.get("action", "")
    if subject != caller.subject and not caller.may(Right.ADMINISTER):
        raise refusal(caller, "ask about others")
    entity_id, attribute = asked.get("entity", "").strip(), asked.get("attribute", "").strip()
    entity = await site.platform.broker.find(caller, entity_id) if entity_id else None
    if action not in ACTIONS or (entity_id and entity is None):
        return (t("roles.no_entity"),)
    types, scopes = ((), ()) if entity is None else (entity.types, entity.scopes)
    asking = Asked(subject, action, caller.tenant, entity_id, types, scopes, attribute)
    found = explain(site.platform.access.gate, asking)
    return [_sentence(one, t, site, caller) for one in found.said]


def _sentence(said: Said, t: Wording, site: Site, caller: Caller) -> str:
    facts = {**said.facts, "subject": said.facts["subject"].partition(":")[2]}
    facts["action"] = t(f"role_action.{facts['action']}")
    if "privacy" in facts:
        facts["privacy"] = t(f"privacy_class.{facts['privacy']}")
    if facts.get("reach") == "*":
        facts["reach"] = t("roles.everywhere")
    if (role := site.platform.access.gate.roles.all_of(caller.tenant).get(facts.get("role", ""))) is not None:
        facts["role"] = role.title.get(t.language, role.name)
    return t(f"role_ground.{said.ground.name.lower()}", **facts)


def _problem(refused: BadRequestData | None, t: Wording) -> str:
    if refused is None:
        return ""
    rule = str(refused.extras.get("rule", ""))
    return t.find(f"role_fault.{rule.replace('-', '_')}") or refused.detail


def _reader(request: Request) -> Caller:
    """Who reads may see who may what; people's names stand there for administrators alone. Raises Forbidden."""
    caller = caller_of(request)
    if not caller.may(Right.READ):
        raise refusal(caller, "see roles")
    return caller


ROUTES = [
    Route(ROLES, roles_page, methods=["GET"]),
    Route(ROLES, act, methods=["POST"]),
]
