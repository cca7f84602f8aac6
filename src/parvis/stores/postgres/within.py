"""How far a reach goes, and which scopes are asked for, as SQL. `bind` takes a value and gives what stands for it."""

from collections.abc import Callable, Sequence
from typing import Any

from parvis.broker.query.tree import ScopeQuery
from parvis.broker.query.within import Chosen
from parvis.stores.postgres.conditions import NEVER, is_encodable

Bind = Callable[[Any], str]


def of_typesets(chosen: Chosen, bind: Bind, row: str = "e.") -> str:
    """Without a condition where any will do."""
    return "true" if chosen.typesets is None else f"{row}typeset = ANY ({bind(numbers_text(chosen.typesets))}::int[])"


def in_scopes(chosen: Chosen, bind: Bind, row: str = "e.") -> list[str]:
    """What holds of entities of the chosen sets of types besides."""
    if not chosen.scoped:
        return []
    bound = [number for one in chosen.scoped for number in one.typesets]
    ways = [f"{row}typeset <> ALL ({bind(numbers_text(bound))}::int[])"]
    for one in chosen.scoped:
        is_one = f"{row}typeset = ANY ({bind(numbers_text(one.typesets))}::int[])"
        ways.append(f"({is_one} AND {scopes_match(one.scope, bind, row)})")
    return [f"({' OR '.join(ways)})"]


def everything_in(chosen: Chosen, bind: Bind, row: str = "e.") -> str:
    return " AND ".join([of_typesets(chosen, bind, row), *in_scopes(chosen, bind, row)])


def scopes_match(query: ScopeQuery, bind: Bind, row: str = "e.") -> str:
    alternatives = [
        " AND ".join(_any_scope(pattern, bind, row) for pattern in every) or "true" for every in query.alternatives
    ]
    return f"({' OR '.join(f'({one})' for one in alternatives) or 'false'})"


def numbers_text(numbers: Sequence[int]) -> str:
    """As PostgreSQL reads an array: thousands of parameters would be slower by far."""
    return f"{{{','.join(map(str, numbers))}}}"


def _any_scope(pattern: str, bind: Bind, row: str) -> str:
    if not is_encodable(pattern) or "\0" in pattern:
        return NEVER.sql
    expression = bind(_scope_expression(pattern))
    return f"EXISTS (SELECT FROM json_array_elements_text({row}scopes::json) s WHERE s.value ~ {expression})"


def _scope_expression(pattern: str) -> str:
    """As `broker.query.selection.scope_expression`, in PostgreSQL's words."""
    levels = pattern.strip("/").split("/")
    below = levels[-1] == "#"
    parts = ("[^/]+" if level == "+" else _escaped(level) for level in (levels[:-1] if below else levels))
    return "^" + "".join(f"/{part}" for part in parts) + ("(/.*)?" if below else "") + "$"


def _escaped(text: str) -> str:
    return "".join(sign if sign.isalnum() or sign == "_" or not sign.isascii() else f"\\{sign}" for sign in text)
