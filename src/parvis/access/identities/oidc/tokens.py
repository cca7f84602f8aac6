"""What a provider signs, judged (OpenID Connect Core 1.0, 3.1.3.7 and 5.3.2). Pure: keys and the time are arguments."""

from collections.abc import Mapping
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from parvis.kernel.time import SECOND, Instant

ALGORITHMS = ("RS256", "PS256", "ES256", "RS384", "PS384", "ES384", "RS512", "PS512", "ES512", "EdDSA")
"""Signatures of whoever holds the private key: neither `none` nor those that the client's secret would make."""
DRIFT_S = 120


class TokenRefused(Exception):
    """`is_key_unknown`: perhaps the provider has changed its keys."""

    def __init__(self, why: str, *, is_key_unknown: bool = False) -> None:
        super().__init__(why)
        self.is_key_unknown = is_key_unknown


def signed_claims(token: str, keys: KeySet) -> dict[str, Any]:
    """Raises TokenRefused."""
    try:
        claims = jwt.decode(token, keys, algorithms=ALGORITHMS).claims
    except (JoseError, ValueError, TypeError) as error:
        raise TokenRefused(f"signature: {error}", is_key_unknown=True) from error
    if not isinstance(claims, dict):
        raise TokenRefused("no claims")
    return claims


def check_id_token(
    claims: Mapping[str, Any], *, issuer: str, client_id: str, nonce: str, acr_values: tuple[str, ...], now: Instant
) -> None:
    """Raises TokenRefused."""
    now_s = now // SECOND
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    expires, issued = claims.get("exp"), claims.get("iat")
    refused = {
        "issuer": claims.get("iss") != issuer,
        "audience": client_id not in audiences or claims.get("azp", client_id) != client_id,
        "end": not isinstance(expires, int | float) or expires + DRIFT_S <= now_s,
        "time": not isinstance(issued, int | float) or issued - DRIFT_S > now_s,
        "nonce": claims.get("nonce") != nonce,
        "subject": not isinstance(claims.get("sub"), str) or not claims["sub"],
        "level (acr)": bool(acr_values) and claims.get("acr") not in acr_values,
    }
    if wrong := [name for name, is_wrong in refused.items() if is_wrong]:
        raise TokenRefused(f"wrong {', '.join(wrong)}")


def check_user_info(claims: Mapping[str, Any], *, subject: str, issuer: str, client_id: str, is_signed: bool) -> None:
    """Raises TokenRefused. Of a signed one issuer and audience are as in the ID token, where it tells them."""
    audience = claims.get("aud", client_id)
    refused = {
        "subject": claims.get("sub") != subject,
        "issuer": is_signed and claims.get("iss", issuer) != issuer,
        "audience": is_signed and client_id not in (audience if isinstance(audience, list) else [audience]),
    }
    if wrong := [name for name, is_wrong in refused.items() if is_wrong]:
        raise TokenRefused(f"wrong {', '.join(wrong)} of the user info")
