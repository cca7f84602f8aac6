"""What may be said of a role, an assignment, a privacy class."""

import re
from collections.abc import Iterable

from parvis.access.roles.model import ACTIONS, BY_AREA, CLASSES, Classified, Role
from parvis.kernel.errors import BadRequestData

MOST_GRANTS = 20
MOST_NAMES = 100
LONGEST_TEXT = 300
_ROLE = re.compile(r"[a-z][a-z0-9-]{1,39}")
_SCOPE = re.compile(r"(/[\w-]+)+")
_TERM = re.compile(r"[\w:/#.?=&%~-]{1,300}")
_LOCAL = re.compile(r"\w[\w-]{0,99}")


def check_content(role: Role) -> None:
    """Raises BadRequestData."""
    if _ROLE.fullmatch(role.name) is None:
        raise BadRequestData("A role's name has 2 to 40 small letters, digits and -.", rule="role-name")
    if role.clearance not in CLASSES:
        raise BadRequestData(f"A clearance is one of {', '.join(CLASSES)}.", rule="role-clearance")
    if not role.grants or len(role.grants) > MOST_GRANTS:
        raise BadRequestData(f"A role has 1 to {MOST_GRANTS} grants.", rule="role-grants")
    if any(len(text) > LONGEST_TEXT for text in (*role.title.values(), *role.description.values())):
        raise BadRequestData(f"A title or description has at most {LONGEST_TEXT} characters.", rule="role-text")
    for grant in role.grants:
        if not grant.actions or not ACTIONS.keys() >= set(grant.actions):
            raise BadRequestData(f"Actions are {', '.join(ACTIONS)}.", rule="role-actions")
        check_area(grant.types, grant.scopes)
        if (grant.types or grant.scopes) and grant.rights & ~BY_AREA:
            raise BadRequestData("administer, audit and steward are granted on everything.", rule="role-whole")


def check_area(types: Iterable[str], scopes: Iterable[str]) -> None:
    """Raises BadRequestData."""
    types, scopes = tuple(types), tuple(scopes)
    if len(types) > MOST_NAMES or any(_TERM.fullmatch(one) is None for one in types):
        raise BadRequestData("Types are names such as Streetlight, or whole IRIs.", rule="role-types")
    if len(scopes) > MOST_NAMES or any(_SCOPE.fullmatch(one) is None for one in scopes):
        raise BadRequestData("Scopes look like /school/north.", rule="role-scopes")


def check_classified(one: Classified) -> None:
    """Raises BadRequestData."""
    if one.privacy not in CLASSES:
        raise BadRequestData(f"A privacy class is one of {', '.join(CLASSES)}.", rule="privacy-class")
    if _LOCAL.fullmatch(one.attribute) is None or (one.type and _LOCAL.fullmatch(one.type) is None):
        raise BadRequestData("Name an attribute, such as email, or a type and an attribute.", rule="privacy-attribute")
