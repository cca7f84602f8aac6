"""How a caller without the right hears of it."""

from collections.abc import Sequence

from parvis.kernel.errors import Forbidden, Unauthenticated
from parvis.kernel.identity import ANONYMOUS, Caller, Right


def refusal(caller: Caller, deed: str) -> Forbidden | Unauthenticated:
    """Who has shown no proof may have one: 401 says so, 403 that it would not help."""
    if caller.subject == ANONYMOUS:
        return Unauthenticated(f"Send an API key, or sign in, to {deed} in tenant {caller.tenant}.")
    return Forbidden(f"{caller.subject} may not {deed} in tenant {caller.tenant}.")


def check_everywhere(caller: Caller, right: Right) -> None:
    """For what is of no entity, and so of all. Raises Forbidden or Unauthenticated."""
    if right not in caller.everywhere:
        raise refusal(caller, "write everything" if right is Right.WRITE else "read everything")


def hidden_attributes(caller: Caller, names: Sequence[str]) -> Forbidden | Unauthenticated:
    return refusal(caller, f"read {', '.join(names)}, whose privacy class is above what the role reads,")


def outside(caller: Caller, entity_id: str) -> Forbidden | Unauthenticated:
    return refusal(caller, f"write {entity_id[:200]}, which lies outside what the role reaches,")
