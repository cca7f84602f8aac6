"""Identity providers, as the settings name them."""

from dataclasses import dataclass

from parvis.kernel.setting import setting


@dataclass(frozen=True, slots=True)
class ProviderSettings:
    """An OpenID Connect provider."""

    issuer: str = setting("", "The provider's issuer, as its own description has it; empty: nobody comes this way.")
    client_id: str = setting("", "What the provider calls this platform.")
    client_secret: str = setting("", "The secret it has given it.", secret=True)
    title: str = setting("", "What the button on the sign-in page calls the provider.")
    scopes: tuple[str, ...] = setting(("openid", "profile", "email"), "What is asked of the provider.")
    acr_values: tuple[str, ...] = setting((), "Levels of assurance that are asked for; another lets nobody in.")
    acr_by: str = setting(
        "acr_values",
        "How levels are asked for: by the parameter acr_values, or as an essential claim (ProConnect).",
        choices=("acr_values", "claims"),
    )
    pkce: bool = setting(True, "Off for a provider that refuses parameters it does not know (ProConnect).")
    name_claim: str = setting("email", "The claim that new accounts are called by; empty: a name that tells nothing.")
    rules: tuple[str, ...] = setting(
        (),
        "Who gets which role: lines CLAIM VALUE ROLE [TENANT], such as"
        ' "groups agents-mairie operator" or "email *@town.example reader"; the first that fits counts, and whom none'
        " fits has no way in.",
    )


@dataclass(frozen=True, slots=True)
class StaffIdentitySettings(ProviderSettings):
    """Signing in of the territory's own people through an OpenID Connect provider, such as ProConnect."""


@dataclass(frozen=True, slots=True)
class ResidentIdentitySettings(ProviderSettings):
    """Signing in of residents through an OpenID Connect provider, such as FranceConnect: the role resident alone."""


NO_STAFF, NO_RESIDENTS = StaffIdentitySettings(), ResidentIdentitySettings()
