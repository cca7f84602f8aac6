"""Of a session's token one part stays and one changes now and then, so that a stolen token is soon worth nothing.

The next secret is offered beside the one in force, and takes its place when it is first shown: an answer that was lost
on its way signs nobody out. What was under way with the one before is answered for a moment; whoever shows it later
holds a copy, and the session ends.
"""

from enum import Enum, auto
from hmac import compare_digest

from parvis.access.model import Digest, Session
from parvis.access.tokens import digest_of, new_token
from parvis.kernel.time import MINUTE, Instant

ROTATE_EVERY = 30 * MINUTE
GRACE = MINUTE
OFFER_AGAIN_AFTER = MINUTE
_SEAM = b"."


class Shown(Enum):
    CURRENT = auto()
    NEXT = auto()
    JUST_BEFORE = auto()
    LONG_SPENT = auto()
    UNKNOWN = auto()


def new_session_token() -> str:
    return f"{new_token()}{_SEAM.decode()}{new_token()}"


def rotated(token: str) -> str:
    return f"{token.partition(_SEAM.decode())[0]}{_SEAM.decode()}{new_token()}"


def parts_of(token: str | bytes) -> tuple[Digest, Digest]:
    """Digests of the part that stays and of the one that changes; empty where a token has none, as older ones had."""
    stays, _, changes = (token.encode() if isinstance(token, str) else token).partition(_SEAM)
    return digest_of(stays), digest_of(changes) if changes else b""


def what_is_shown(session: Session, secret: Digest, now: Instant) -> Shown:
    if compare_digest(secret, session.secret):
        return Shown.CURRENT
    if session.next_secret is not None and compare_digest(secret, session.next_secret):
        return Shown.NEXT
    if session.previous is not None and compare_digest(secret, session.previous):
        return Shown.JUST_BEFORE if now - session.rotated_at < GRACE else Shown.LONG_SPENT
    return Shown.UNKNOWN


def is_due(session: Session, now: Instant) -> bool:
    """Whether its holder should be given the next secret: pages that are asked for together are given one."""
    offered_long_ago = session.next_secret is None or now - session.next_at >= OFFER_AGAIN_AFTER
    return now - session.rotated_at >= ROTATE_EVERY and offered_long_ago
