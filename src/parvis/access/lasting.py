"""What would outlive a mandate is not made by one."""

from parvis.kernel.errors import Forbidden
from parvis.kernel.identity import Caller


def check_lasts(caller: Caller) -> None:
    """Raises Forbidden."""
    if caller.mandate:
        raise Forbidden(
            "Who acts by a mandate makes no accounts, keys, roles or privacy classes: they would outlive it."
        )
