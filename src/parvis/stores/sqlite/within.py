"""How far a reach goes, as SQL. `bind` takes a value and gives what stands for it: in the order in which that stands
in the text, for some statements number no parameters."""

from collections.abc import Callable
from typing import Any

import msgspec

from parvis.broker.query.within import Chosen

Bind = Callable[[Any], str]


def of_typesets(chosen: Chosen, bind: Bind, row: str = "e.") -> str:
    """Without a condition where any will do."""
    return "1" if chosen.typesets is None else f"+{row}typeset IN {_listed(chosen.typesets, bind)}"


def in_scopes(chosen: Chosen, bind: Bind, row: str = "e.") -> list[str]:
    """What holds of entities of the chosen sets of types besides."""
    if not chosen.scoped:
        return []
    bound = [number for one in chosen.scoped for number in one.typesets]
    ways = [f"{row}typeset NOT IN {_listed(bound, bind)}"]
    for one in chosen.scoped:
        is_one = f"{row}typeset IN {_listed(one.typesets, bind)}"
        ways.append(f"({is_one} AND scopes_match({bind(msgspec.json.encode(one.scope).decode())}, {row}scopes))")
    return [f"({' OR '.join(ways)})"]


def everything_in(chosen: Chosen, bind: Bind, row: str = "e.") -> str:
    return " AND ".join([of_typesets(chosen, bind, row), *in_scopes(chosen, bind, row)])


def _listed(numbers: list[int], bind: Bind) -> str:
    return f"(SELECT value FROM json_each({bind(str(numbers))}))"
