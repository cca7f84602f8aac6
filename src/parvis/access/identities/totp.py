"""Codes of an authenticator application: TOTP (RFC 6238) over HOTP (RFC 4226), SHA-1, six digits, thirty seconds.

These parameters are what every application takes, whatever its QR code asks for.
"""

import hashlib
import hmac
import secrets
from base64 import b32encode
from urllib.parse import quote, urlencode

from parvis.kernel.time import SECOND, Instant

PERIOD_S = 30
DIGITS = 6
SECRET_BYTES = 20
"""As long as SHA-1's output (RFC 4226, 4, R6)."""
DRIFT_STEPS = 1
"""So many periods a telephone's clock may be off, either way (RFC 6238, 5.2)."""


def new_secret() -> bytes:
    return secrets.token_bytes(SECRET_BYTES)


def step_at(now: Instant) -> int:
    return now // (PERIOD_S * SECOND)


def code_of(secret: bytes, step: int, digits: int = DIGITS) -> str:
    """RFC 4226, 5.3."""
    digest = hmac.digest(secret, step.to_bytes(8, "big"), hashlib.sha1)
    offset = digest[-1] & 0xF
    number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFF_FFFF
    return f"{number % 10**digits:0{digits}d}"


def find_step(secret: bytes, code: str, now: Instant) -> int | None:
    """The period whose code it is; all near ones are compared, so that time tells nothing."""
    current = step_at(now)
    steps = range(current - DRIFT_STEPS, current + DRIFT_STEPS + 1)
    fitting = [step for step in steps if hmac.compare_digest(code_of(secret, step).encode(), code.encode())]
    return max(fitting, default=None)


def key_uri(secret: bytes, issuer: str, account: str) -> str:
    """What the QR code holds, as applications read it (otpauth, after Google Authenticator's Key URI Format)."""
    label = quote(f"{issuer.replace(':', ' ')}:{account}")
    asked = urlencode({"secret": readable(secret), "issuer": issuer.replace(":", " ")}, quote_via=quote)
    return f"otpauth://totp/{label}?{asked}"


def readable(secret: bytes) -> str:
    return b32encode(secret).decode().rstrip("=")
