"""Why somebody may do something, or may not: the same rules that the gate, the broker and the stores go by."""

from collections.abc import Mapping, Sequence
from enum import Enum

import msgspec

from parvis.access.gate import Gate
from parvis.access.roles.model import ACTIONS, CLASSES, Assignment, Classified
from parvis.access.roles.roles import expand
from parvis.kernel.errors import BadRequestData
from parvis.kernel.identity import DEFAULT_TENANT, Caller, Right
from parvis.kernel.reach import Reach, local_name, reaches


class Ground(Enum):
    """What decides; `value` says it in English, for the command line."""

    GONE = "{subject} is not there, is disabled, or has no role in tenant {tenant}."
    NO_ACTION = "No role of {subject} in tenant {tenant} gives the right to {action}."
    OUTSIDE = "The right to {action} goes as far as {reach}; {entity} lies outside."
    CLASS = "The attribute {attribute} is {privacy}: the roles of {subject} do not read that."
    ALLOWED = "{subject} may {action} in tenant {tenant}."
    BY_ROLE = "{subject} has the role {role}."
    BY_ASSIGNMENT = "{subject} has the role {role} by the assignment {assignment}."
    BY_MANDATE = "{subject} acts in tenant {tenant} by the mandate {mandate}."

    def say(self, facts: Mapping[str, str]) -> str:
        return self.value.format_map(facts)


class Said(msgspec.Struct, frozen=True):
    ground: Ground
    facts: Mapping[str, str]

    @property
    def text(self) -> str:
        return self.ground.say(self.facts)


class Explanation(msgspec.Struct, frozen=True):
    """The first of `said` decides; the others tell where the rights come from."""

    is_allowed: bool
    said: Sequence[Said]


class Asked(msgspec.Struct, frozen=True):
    """Without `types` of any entity at all. Types as they are stored, or short."""

    subject: str
    action: str
    tenant: str = DEFAULT_TENANT
    entity: str = ""
    types: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    attribute: str = ""


def explain(gate: Gate, asked: Asked) -> Explanation:
    """Raises BadRequestData for an action there is not."""
    if asked.action not in ACTIONS:
        raise BadRequestData(f"Actions are {', '.join(ACTIONS)}.", rule="role-actions")
    right, facts = ACTIONS[asked.action], _facts(asked)
    caller = gate.find_owner(asked.subject, asked.tenant)
    if caller is None:
        return Explanation(False, (Said(Ground.GONE, facts),))
    sources = tuple(_sources(gate, asked, caller, facts))
    if not caller.may(right):
        return Explanation(False, (Said(Ground.NO_ACTION, facts), *sources))
    reach = _reach_of(caller, right)
    types = tuple(map(expand, asked.types))
    if types and not reaches(reach, types, asked.scopes):
        return Explanation(False, (Said(Ground.OUTSIDE, {**facts, "reach": told_reach(reach)}), *sources))
    if asked.attribute and caller.hides is not None and local_name(asked.attribute) in caller.hides.of(types):
        privacy = _class_of(gate.roles.classes_of(asked.tenant), asked.attribute, types)
        return Explanation(False, (Said(Ground.CLASS, {**facts, "privacy": privacy}), *sources))
    return Explanation(True, (Said(Ground.ALLOWED, facts), *sources))


def told_reach(reach: Reach) -> str:
    """For people: each area by its types and scopes."""
    if reach is None:
        return "*"
    areas = []
    for area in reach:
        types = ", ".join(sorted(map(local_name, area.types))) or "*"
        areas.append(f"{types} ({', '.join(area.scopes)})" if area.scopes else types)
    return "; ".join(areas)


def _facts(asked: Asked) -> dict[str, str]:
    types = ", ".join(map(local_name, asked.types))
    entity = asked.entity or (f"{types} ({', '.join(asked.scopes)})" if asked.scopes else types)
    return {
        "subject": asked.subject,
        "tenant": asked.tenant,
        "action": asked.action,
        "entity": entity,
        "attribute": asked.attribute,
    }


def _sources(gate: Gate, asked: Asked, caller: Caller, facts: Mapping[str, str]) -> list[Said]:
    if caller.mandate:
        return [Said(Ground.BY_MANDATE, {**facts, "mandate": caller.mandate})]
    home = gate.find_role(asked.subject, asked.tenant)
    assigned = gate.roles.in_force(asked.subject, asked.tenant)
    return [
        *([] if home is None else [Said(Ground.BY_ROLE, {**facts, "role": home})]),
        *(
            Said(Ground.BY_ASSIGNMENT, {**facts, "role": one.role, "assignment": told_assignment(one)})
            for one in assigned
        ),
    ]


def told_assignment(one: Assignment) -> str:
    narrowed = " · ".join(text for text in (", ".join(one.types), ", ".join(one.scopes)) if text)
    return f"{one.id} ({narrowed})" if narrowed else one.id


def _reach_of(caller: Caller, right: Right) -> Reach:
    return {Right.READ: caller.reads, Right.WRITE: caller.writes, Right.COMMAND: caller.commands}.get(right)


def _class_of(classes: Sequence[Classified], attribute: str, types: Sequence[str]) -> str:
    """The highest that holds."""
    name, local = local_name(attribute), {local_name(one) for one in types}
    found = [one.privacy for one in classes if one.attribute == name and (not one.type or one.type in local)]
    return max(found, key=lambda one: CLASSES[one], default="public")
