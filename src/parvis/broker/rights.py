"""How a caller without the right hears of it."""

from parvis.kernel.errors import Forbidden, Unauthenticated
from parvis.kernel.identity import ANONYMOUS, Caller


def refusal(caller: Caller, deed: str) -> Forbidden | Unauthenticated:
    """Who has shown no proof may have one: 401 says so, 403 that it would not help."""
    if caller.subject == ANONYMOUS:
        return Unauthenticated(f"Send an API key, or sign in, to {deed} in tenant {caller.tenant}.")
    return Forbidden(f"{caller.subject} may not {deed} in tenant {caller.tenant}.")
