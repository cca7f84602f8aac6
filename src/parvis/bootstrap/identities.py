"""Identity providers, where the settings name one: what they need is read then, not before."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from parvis.access.access import Access
from parvis.kernel.outbound import OutboundHttp
from parvis.kernel.provider_settings import ProviderSettings
from parvis.kernel.settings import Settings
from parvis.kernel.time import Clock, system_clock

if TYPE_CHECKING:
    from parvis.access.identities.oidc.sign_in import ForeignSignIn

STAFF, RESIDENTS = "staff", "residents"


def build_providers(
    settings: Settings, access: Access, outbound: OutboundHttp, clock: Clock = system_clock
) -> "Mapping[str, ForeignSignIn]":
    """By key, `staff` and `residents`. Raises BadRequestData for a rule that cannot be."""
    chosen = {STAFF: settings.staff_identity, RESIDENTS: settings.resident_identity}
    return {key: _build(key, provider, access, outbound, clock) for key, provider in chosen.items() if provider.issuer}


def _build(key: str, chosen: ProviderSettings, access: Access, outbound: OutboundHttp, clock: Clock) -> "ForeignSignIn":
    from parvis.access.identities.oidc.provider import Provider
    from parvis.access.identities.oidc.rules import parse_rule, residents_only
    from parvis.access.identities.oidc.sign_in import ForeignSignIn, Terms

    rules = [parse_rule(line) for line in chosen.rules]
    terms = Terms(
        key,
        chosen.title or chosen.issuer.partition("://")[2].partition("/")[0],
        chosen.scopes,
        chosen.acr_values,
        chosen.name_claim,
        residents_only(rules) if key == RESIDENTS else rules,
        uses_pkce=chosen.pkce,
        asks_by_claims=chosen.acr_by == "claims",
    )
    provider = Provider(chosen.issuer, chosen.client_id, chosen.client_secret, outbound, clock)
    return ForeignSignIn(terms, provider, access.store, access.sessions, access.gate.forget, clock)
