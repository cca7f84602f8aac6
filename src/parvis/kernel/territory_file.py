"""`territory.toml` as it is offered: every setting, explained; and changed, where the rest of it stays as it was."""

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from parvis.kernel.durable import write_whole
from parvis.kernel.settings import SETTINGS, TERRITORY_FILE, InvalidSettings, SettingInfo, list_settings, sections
from parvis.kernel.settings_reader import read_document, settings_of_document


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


def change_territory_file(data_dir: Path, changes: Mapping[str, Any]) -> None:
    """Sets "section.name" to a value for each; comments, connectors and whatever else is written there stay.

    The file is replaced whole or not at all.

    Raises:
        InvalidSettings: a value that its setting cannot take, or a file that is written in another way than ours.
    """
    path = data_dir / TERRITORY_FILE
    before = path.read_text(encoding="utf-8") if path.exists() else render_territory_file()
    wanted = _merged(read_document(path), changes)
    settings_of_document(data_dir, wanted)
    text = _changed(before, changes)
    if _without_empty(_find_document(text)) != _without_empty(wanted):
        keys = ", ".join(changes)
        raise InvalidSettings(f"{TERRITORY_FILE} is written in a way that cannot be changed here: set {keys} by hand.")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, text.encode())


def _merged(document: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    merged = {name: dict(table) if isinstance(table, dict) else table for name, table in document.items()}
    for key, value in changes.items():
        section, _, name = key.partition(".")
        table = merged.setdefault(section, {})
        if isinstance(table, dict):
            table[name] = _plain(value)
    return merged


def _find_document(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return {}


def _without_empty(document: Mapping[str, Any]) -> dict[str, Any]:
    return {name: table for name, table in document.items() if table != {}}


def _changed(text: str, changes: Mapping[str, Any]) -> str:
    lines = text.removesuffix("\n").split("\n")
    for key, value in changes.items():
        _set_line(lines, SETTINGS[key], f"{SETTINGS[key].name} = {_toml(value)}")
    return "\n".join(lines) + "\n"


def _set_line(lines: list[str], info: SettingInfo, assigned: str) -> None:
    """In place of the setting, or of the comment with its default."""
    begin = next((number for number, line in enumerate(lines) if _header(line) == info.section), None)
    if begin is None:
        lines += ["", f"[{info.section}]", assigned]
        return
    end = next((number for number in range(begin + 1, len(lines)) if _header(lines[number])), len(lines))
    place = _find_line(lines[begin + 1 : end], info.name)
    if place is None:
        lines.insert(begin + 1, assigned)
    else:
        lines[begin + 1 + place] = assigned


def _find_line(lines: Sequence[str], name: str) -> int | None:
    for written in (rf"\s*{name}\s*=", rf"\s*#\s*{name}\s*="):
        found = next((number for number, line in enumerate(lines) if re.match(written, line)), None)
        if found is not None:
            return found
    return None


_HEADER = re.compile(r"\s*\[\[?\s*([^\]]+?)\s*\]\]?\s*(#.*)?")


def _header(line: str) -> str:
    """The name of the table that begins here; empty where none does."""
    found = _HEADER.fullmatch(line)
    return found[1] if found else ""


def _documented(info: SettingInfo, value: Any) -> list[str]:
    comment = f"# {info.documentation.description} ({info.environment})"
    assigned = f"{info.name} = {_toml(info.default if value is None else value)}"
    return [comment, assigned if value is not None else f"# {assigned}", ""]


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _toml(value: Any) -> str:
    """JSON's scalars and lists are TOML's."""
    return json.dumps(_plain(value), ensure_ascii=False).replace("\x7f", "\\u007f")
