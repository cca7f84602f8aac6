"""`[connectors.<name>]` of the settings: tables that each connector reads itself."""

import re
from collections.abc import Mapping
from typing import Any

from parvis.kernel.secrets import find_secret

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


def read_tables(tables: Any) -> dict[str, Mapping[str, Any]]:
    """As they are written. Raises ValueError: one of them is no table."""
    if not isinstance(tables, dict) or not all(isinstance(one, dict) for one in tables.values()):
        raise ValueError("write tables, such as [connectors.chirpstack]")
    return tables


def resolve_table(table: Mapping[str, Any], environment: Mapping[str, str]) -> dict[str, Any]:
    """A text `${NAME}` stands for that variable of the environment, or for what the file holds that `NAME_FILE` names:
    so no password need be in the file.

    Raises:
        ValueError: it names a variable that is not there, or a file that cannot be read.
    """
    return {name: _resolved(value, environment) for name, value in table.items()}


def _resolved(value: Any, environment: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {name: _resolved(one, environment) for name, one in value.items()}
    if isinstance(value, list):
        return [_resolved(one, environment) for one in value]
    if isinstance(value, str) and (variable := _VARIABLE.fullmatch(value)):
        if (found := find_secret(variable[1], environment)) is None:
            raise ValueError(f"there is no variable {variable[1]} in the environment")
        return found
    return value
