"""From what an identity provider says of somebody to a role in a tenant: by rules that were written down, first one
that fits; whom none fits has no way in."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from parvis.access.model import DEVICE_ROLE, EVERY_TENANT
from parvis.kernel.errors import BadRequestData
from parvis.kernel.identity import DEFAULT_TENANT

ANY_VALUE = "*"
RESIDENT = "resident"


class Rule(msgspec.Struct, frozen=True):
    """Of `claim`, which may be a list, one value is `value`; `*` is any, `*@town.example` any that ends so."""

    claim: str
    value: str
    role: str
    tenant: str = DEFAULT_TENANT

    def fits(self, claims: Mapping[str, Any]) -> bool:
        said = claims.get(self.claim)
        values = said if isinstance(said, list) else [said]
        return any(self._is(str(one)) for one in values if one is not None)

    def _is(self, value: str) -> bool:
        if self.value.startswith(ANY_VALUE):
            return value.casefold().endswith(self.value[1:].casefold())
        return value.casefold() == self.value.casefold()


def parse_rule(line: str) -> Rule:
    """`CLAIM VALUE ROLE [TENANT]`. Raises BadRequestData."""
    words = line.split()
    if len(words) not in (3, 4):
        raise BadRequestData(f"A rule is CLAIM VALUE ROLE [TENANT], and not {line!r}.")
    rule = Rule(*words)
    if rule.role == DEVICE_ROLE or rule.tenant == EVERY_TENANT:
        raise BadRequestData(f"No identity provider gives the role {DEVICE_ROLE}, or rights in every tenant: {line!r}.")
    return rule


def residents_only(rules: Sequence[Rule]) -> Sequence[Rule]:
    """Raises BadRequestData where one gives more than what residents may."""
    for rule in rules:
        if rule.role != RESIDENT:
            raise BadRequestData(f"The provider of residents' identities gives the role {RESIDENT} alone.")
    return rules


def find_rule(rules: Sequence[Rule], claims: Mapping[str, Any]) -> Rule | None:
    known = vouched(claims)
    return next((rule for rule in rules if rule.fits(known)), None)


def vouched(claims: Mapping[str, Any]) -> Mapping[str, Any]:
    """Without an e-mail address that the provider says it has not verified: anybody may have typed it (OpenID Connect
    Core 1.0, 5.1). Some write the claim as a text."""
    if str(claims.get("email_verified", True)).casefold() != "false":
        return claims
    return {name: value for name, value in claims.items() if name != "email"}
