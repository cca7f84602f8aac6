"""Random tokens and what is derived from them."""

import hashlib
import hmac
import secrets

from parvis.access.model import Digest

API_KEY_PREFIX = "parvis_"


def new_token() -> str:
    """256 random bits, fit for URLs and cookies."""
    return secrets.token_urlsafe(32)


def new_api_key() -> str:
    return API_KEY_PREFIX + new_token()


def digest_of(token: str | bytes) -> Digest:
    return hashlib.sha256(token.encode() if isinstance(token, str) else token).digest()


def form_token(cookie: str, where: str = "") -> str:
    """What a form sent with this cookie must carry: another site can neither read nor make it. Of a session's token it
    is the part that stays which tells: a page may be open for longer than the other part."""
    return hmac.digest(cookie.partition(".")[0].encode(), b"form" + where.encode(), "sha256").hex()


def is_form_token(cookie: str, given: str, where: str = "") -> bool:
    return bool(cookie) and hmac.compare_digest(form_token(cookie, where).encode(), given.encode())
