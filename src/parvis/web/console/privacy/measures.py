"""The security measures that are switched on, each in a sentence with what the configuration says of it."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from parvis.access.privacy.model import Policy
from parvis.access.privacy.purposes import Purposes
from parvis.kernel.identity import Caller
from parvis.kernel.settings import Settings
from parvis.web.site import Site
from parvis.web.wording import Wording


def measures_of(site: Site, caller: Caller, t: Wording) -> list[str]:
    """What is not in force is not said."""
    settings = site.platform.settings
    policy = Purposes(site.platform.access.store).policy_of(caller.tenant)
    return [*_of_people(site, caller, t), *_of_transport(settings, t), *_of_data(settings, policy, t)]


def _of_people(site: Site, caller: Caller, t: Wording) -> Iterator[str]:
    settings, access = site.platform.settings, site.platform.access
    if not settings.access.auth:
        return
    yield t("privacy_measure.passwords", n=settings.access.shortest_password)
    known = [one for one in access.store.list_accounts() if one.tenant == caller.tenant and one.can_sign_in]
    strong = [one for one in known if access.second_factors.has(one.name) or access.passkeys.list_of(one.name)]
    if strong:
        yield t("privacy_measure.factors", strong=t.number(len(strong)), all=t.number(len(known)))
    if settings.access.second_factor_roles:
        yield t("privacy_measure.factor_roles", roles=", ".join(settings.access.second_factor_roles))
    if settings.staff_identity.issuer:
        yield t("privacy_measure.staff", host=urlsplit(settings.staff_identity.issuer).hostname or "")
    yield t("privacy_measure.sessions", hours=t.number(settings.access.session_hours))
    yield t("privacy_measure.roles")


def _of_transport(settings: Settings, t: Wording) -> Iterator[str]:
    if settings.server.public_url.startswith("https://"):
        yield t("privacy_measure.https")
    if settings.mqtt.enabled and settings.mqtt.tls_certificate:
        yield t("privacy_measure.mqtts")
    if settings.limits.address_per_s:
        yield t("privacy_measure.limits")


def _of_data(settings: Settings, policy: Policy, t: Wording) -> Iterator[str]:
    yield t("privacy_measure.trail")
    forward = urlsplit(settings.audit.forward)
    if forward.hostname:
        yield t(
            "privacy_measure.trail_tls" if forward.scheme == "tls" else "privacy_measure.trail_tcp",
            host=forward.hostname,
        )
    if settings.store.url:
        yield t("privacy_measure.row_level")
    if settings.backup.folder:
        yield t(f"privacy_measure.backups_{'sealed' if settings.backup.key else 'plain'}")
    if settings.backup.folder and settings.backup.keep_days:
        yield t("privacy_measure.backups_days", n=settings.backup.keep_days)
    if policy.executes:
        yield t("privacy_measure.retention")
