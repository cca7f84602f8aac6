"""Write the tables of `docs/reference/` from the code they describe.

A page says where with `<!-- from the code: NAME -->`, and `<!-- end -->` after it; `tests/docs` compares.
"""

import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType
from typing import Any, get_args, get_origin

import click

import parvis
import parvis.cli
from parvis.kernel.errors import ParvisError
from parvis.kernel.settings import Documentation, SettingInfo, list_settings, sections

REFERENCE = Path(__file__).resolve().parent.parent / "docs/reference"
BLOCK = re.compile(r"(?<=<!-- from the code: )([a-z-]+)( -->\n).*?(?=<!-- end -->)", re.DOTALL)


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = list(head)
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


def code(text: object) -> str:
    return f"`{text}`" if text != "" else ""


def list_modules() -> list[ModuleType]:
    names = (found.name for found in pkgutil.walk_packages(parvis.__path__, "parvis."))
    return [importlib.import_module(name) for name in names if not name.endswith("__main__")]


def settings() -> str:
    parts = []
    for section, owner in sections().items():
        rows = [setting_row(info) for info in list_settings() if info.section == section]
        parts.append(f"\n## {section}\n\n{owner.__doc__}\n\n{table(SETTING_HEAD, rows)}")
    return "".join(parts) + "\n"


SETTING_HEAD = ("setting", "type", "default", "what it does", "environment")


def setting_row(info: SettingInfo) -> list[str]:
    return [
        code(info.key),
        type_in_words(info.type),
        code(default_in_toml(info.default)),
        f"{info.documentation.description}{limits(info.documentation)}",
        code(info.environment),
    ]


TYPE_WORDS: dict[Any, str] = {str: "text", int: "whole number", float: "number", bool: "true or false"}


def type_in_words(of: Any) -> str:
    if get_origin(of) is tuple:
        return f"list of {TYPE_WORDS[get_args(of)[0]]}s"
    return TYPE_WORDS[of]


def default_in_toml(value: object) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(default_in_toml(item) for item in value)}]"
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else str(value)


def limits(documentation: Documentation) -> str:
    words = []
    if documentation.choices:
        words.append(f"One of {', '.join(code(choice) for choice in documentation.choices)}.")
    if documentation.minimum is not None:
        words.append(f"At least {documentation.minimum:g}.")
    if documentation.maximum is not None:
        words.append(f"At most {documentation.maximum:g}.")
    if documentation.secret:
        words.append("Never shown.")
    return "".join(f" {word}" for word in words)


def list_error_types() -> list[type[ParvisError]]:
    list_modules()
    found: set[type[ParvisError]] = set()
    waiting = [ParvisError]
    while waiting:
        kinds = waiting.pop().__subclasses__()
        found.update(kinds)
        waiting.extend(kinds)
    return sorted((kind for kind in found if kind.__module__.startswith("parvis.")), key=lambda kind: kind.__name__)


def errors() -> str:
    rows = [[kind.__name__, str(kind.status), kind.title, code(kind.type_uri)] for kind in list_error_types()]
    return table(("error", "HTTP status", "title", "type"), rows)


def list_commands(command: click.Command, path: str = "parvis") -> list[tuple[str, click.Command]]:
    found = [(path, command)]
    if isinstance(command, click.Group):
        for name in sorted(command.commands):
            found += list_commands(command.commands[name], f"{path} {name}")
    return found


def commands() -> str:
    parts = []
    for path, command in list_commands(parvis.cli.commands):
        context = click.Context(command, info_name=path)
        usage = command.get_usage(context).removeprefix("Usage: ")
        parts.append(f"\n## {path}\n\n    {usage}\n\n{inspect.cleandoc(command.help or '')}\n\n")
        rows = [option_row(one, context) for one in command.params]
        parts.append(table(("option", "value", "default", "what it does"), rows) if rows else "")
    return "".join(parts) + "\n"


def option_row(parameter: click.Parameter, context: click.Context) -> list[str]:
    if not isinstance(parameter, click.Option):
        return [code(parameter.make_metavar(context)), "", "", "Required." if parameter.required else ""]
    names = ", ".join(code(name) for name in [*parameter.opts, *parameter.secondary_opts])
    value = "" if parameter.is_flag else code(parameter.make_metavar(context))
    default = "" if parameter.is_flag or not parameter.show_default else code(parameter.default)
    environment = f" Environment: {code(parameter.envvar)}." if isinstance(parameter.envvar, str) else ""
    return [names, value, default, f"{parameter.help or ''}{environment}"]


RENDERERS: dict[str, Callable[[], str]] = {
    "settings": settings,
    "errors": errors,
    "commands": commands,
}


def written_again(page: str) -> str:
    return BLOCK.sub(lambda block: f"{block[1]}{block[2]}{RENDERERS[block[1]]()}", page)


def main() -> None:
    for path in sorted(REFERENCE.glob("*.md")):
        path.write_text(written_again(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
