"""`territory.toml` as it is offered: every setting, explained."""

import json
from collections.abc import Mapping
from typing import Any

from parvis.kernel.settings import SettingInfo, list_settings, sections


def render_territory_file(given: Mapping[str, Any] | None = None) -> str:
    """A commented `territory.toml`: what is `given` is set, the rest are comments with their defaults."""
    given = given or {}
    lines = ["# Settings of this installation. The environment and the command line win over this file."]
    for section, owner in sections().items():
        lines += ["", f"# {owner.__doc__}", f"[{section}]"]
        for info in list_settings():
            if info.section == section:
                lines += _documented(info, given.get(info.key))
    return "\n".join(lines) + "\n"


def _documented(info: SettingInfo, value: Any) -> list[str]:
    comment = f"# {info.documentation.description} ({info.environment})"
    assigned = f"{info.name} = {_toml(info.default if value is None else value)}"
    return [comment, assigned if value is not None else f"# {assigned}", ""]


def _toml(value: Any) -> str:
    """JSON's scalars and lists are TOML's."""
    return json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False)
