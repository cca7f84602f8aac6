"""What roles come to: the one place where it is worked out what somebody may do."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple

from parvis.access.roles.model import BY_AREA, CLASSES, Classified, Role, RoleGrant, Standing
from parvis.kernel.identity import NOBODY, READERS, Right
from parvis.kernel.reach import NOWHERE, Area, Hidden, PrivacyClass, Reach, both, either

Expand = Callable[[str], str]


class Held(NamedTuple):
    """A role, and what an assignment narrows it to: with `is_whole` all of it, also what a role leaves as it is."""

    role: Role
    types: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    is_whole: bool = False


def standing_of(held: Sequence[Held], classes: Sequence[Classified], expand: Expand) -> Standing:
    """Of several roles the lowest clearance of those that read holds: none of them shows more than it would alone. Who
    delivers and does not write `writes` what they may deliver."""
    rights = NOBODY
    reach_of: dict[Right, Reach] = dict.fromkeys((Right.READ, Right.WRITE, Right.COMMAND, Right.INGEST), NOWHERE)
    for one in held:
        for grant in one.role.grants:
            granted, reach = _granted(one, grant, expand)
            rights |= granted
            for right in reach_of:
                if right in granted:
                    reach_of[right] = either(reach_of[right], reach)
    reading = [one.role for one in held if one.role.rights & READERS] or [one.role for one in held]
    clearance = min((CLASSES[one.clearance] for one in reading), default=PrivacyClass.PUBLIC)
    reads, writes, commands, delivers = (reach if right in rights else None for right, reach in reach_of.items())
    writes = writes if Right.WRITE in rights else delivers
    return Standing(rights, reads, writes, commands, hidden_above(clearance, classes))


def _granted(held: Held, grant: RoleGrant, expand: Expand) -> tuple[Right, Reach]:
    reach = area_of(grant.types, grant.scopes, expand)
    narrowed = not held.is_whole and any(one.is_narrowed for one in held.role.grants)
    if (held.types or held.scopes) and (grant.is_narrowed or not narrowed):
        reach = both(reach, area_of(held.types, held.scopes, expand))
    return grant.rights if reach is None else grant.rights & BY_AREA, reach


def area_of(types: Sequence[str], scopes: Sequence[str], expand: Expand) -> Reach:
    if not types and not scopes:
        return None
    return (Area(frozenset(map(expand, types)), tuple(scopes)),)


@lru_cache(maxsize=256)
def hidden_above(clearance: PrivacyClass, classes: Sequence[Classified]) -> Hidden | None:
    """None where nothing is."""
    above = [one for one in classes if CLASSES[one.privacy] > clearance]
    names = frozenset(one.attribute for one in above if not one.type)
    types = sorted({one.type for one in above if one.type})
    of_types = tuple((type_, frozenset(one.attribute for one in above if one.type == type_)) for type_ in types)
    return Hidden(names, of_types) if names or of_types else None
