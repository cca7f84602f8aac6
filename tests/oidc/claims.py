from collections.abc import Callable
from typing import Any

from oauth2_provider.oauth2_validators import OAuth2Validator

from tests.oidc.provider import groups_of


class Claims(OAuth2Validator):  # type: ignore[misc]
    oidc_claim_scope = OAuth2Validator.oidc_claim_scope | {"groups": "profile", "acr": "openid"}

    def get_additional_claims(self) -> dict[str, Callable[[Any], Any]]:
        return {
            "email": lambda request: request.user.email,
            "given_name": lambda request: request.user.first_name,
            "groups": lambda request: groups_of(request.user.username),
            "acr": lambda _request: "eidas1",
        }
