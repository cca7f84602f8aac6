"""Write the tables of `docs/reference/` from the code they describe.

A page says where with `<!-- from the code: NAME -->`, and `<!-- end -->` after it; `tests/docs` compares.
"""

import asyncio
import importlib
import inspect
import pkgutil
import re
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any, get_args, get_origin

import click
from fastapi import FastAPI
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.metrics_core import Metric
from starlette.applications import Starlette
from starlette.routing import Mount, Route

import parvis
import parvis.cli
from parvis.access.roles.model import CLASSES
from parvis.access.roles.packaged import PACKAGED_CLASSES, PACKAGED_ROLES
from parvis.bootstrap import Platform, open_platform
from parvis.broker.api.routing import Route as NgsiLdRoute
from parvis.broker.api.table import ROUTES as NGSI_LD_ROUTES
from parvis.kernel.errors import ParvisError
from parvis.kernel.settings import Documentation, SettingInfo, list_settings, sections
from parvis.kernel.settings_reader import load_settings
from parvis.stores.archive.rows import COLUMNS
from parvis.web.app import create_app
from parvis.web.metrics import PlatformGauges, RequestMetrics

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))
from scripts import clauses  # noqa: E402 -- run as a file, it stands in the folder, not beside it

REFERENCE = PROJECT / "docs/reference"
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


def archive_columns() -> str:
    rows = [(f"`{one.name}`", one.type, one.meaning) for one in COLUMNS]
    return table(("column", "type", "meaning"), rows)


def errors() -> str:
    rows = [error_row(kind) for kind in list_error_types()]
    return table(("error", "HTTP status", "title", "type"), rows)


def error_row(kind: type[ParvisError]) -> list[str]:
    """A failure without a status of its own happens at the start or in a command, never over HTTP."""
    own = any("status" in vars(base) for base in kind.__mro__ if base not in ParvisError.__mro__)
    return [kind.__name__, str(kind.status) if own else "", kind.title, code(kind.type_uri) if own else ""]


def list_commands(command: click.Command, path: str = "parvis") -> list[tuple[str, click.Command]]:
    found = [(path, command)]
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            found += list_commands(inner, f"{path} {name}")
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
    is_told = parameter.show_default and not parameter.is_flag and not callable(parameter.default)
    default = code(parameter.default) if is_told else ""
    environment = f" Environment: {code(parameter.envvar)}." if isinstance(parameter.envvar, str) else ""
    return [names, value, default, f"{parameter.help or ''}{environment}"]


def roles() -> str:
    rows = []
    for name, role in PACKAGED_ROLES.items():
        grants = (f"{', '.join(one.actions)}{' (narrowed)' if one.is_narrowed else ''}" for one in role.grants)
        rows.append([code(name), "; ".join(grants), role.clearance, role.description["en"]])
    return table(("role", "may", "clearance", "what it is for"), rows)


def privacy_classes() -> str:
    rows = [
        [privacy, ", ".join(code(one.name) for one in PACKAGED_CLASSES if one.privacy == privacy)]
        for privacy in CLASSES
        if privacy != "public"
    ]
    return table(("class", "attributes"), rows)


def metrics() -> str:
    rows = {f"{metric.name}": metric_row(metric, labels) for metric, labels in list_metrics()}
    return table(("metric", "kind", "labels", "what it counts"), [rows[name] for name in sorted(rows)])


def list_metrics() -> Iterator[tuple[Metric, Sequence[str]]]:
    """What /metrics tells of Parvis itself; Python and the process are described by their own library."""
    for module in list_modules():
        for value in vars(module).values():
            if isinstance(value, MetricWrapperBase):
                yield next(iter(value.describe())), value._labelnames
    for family in RequestMetrics().collect():
        yield family, getattr(family, "_labelnames", ())
    for family in asyncio.run(platform_gauges()):
        yield family, ()


async def platform_gauges() -> list[Metric]:
    async with platform() as opened:
        return list(PlatformGauges(opened.gauges).collect())


def metric_row(metric: Metric, labels: Sequence[str]) -> list[str]:
    name = f"{metric.name}_total" if metric.type == "counter" else metric.name
    sentence = f"{metric.documentation.rstrip('.')}."
    return [code(name), metric.type, ", ".join(code(label) for label in labels), sentence]


def ngsi_ld() -> str:
    rows = [ngsi_ld_row(route) for route in NGSI_LD_ROUTES]
    return table(("method", "path below `/ngsi-ld/v1`", "what it does", "parameters"), rows)


def ngsi_ld_row(route: NgsiLdRoute) -> list[str]:
    what = inspect.cleandoc(route.handler.__doc__ or "").partition("\n")[0]
    parameters = ", ".join(code(name) for name in sorted(route.parameters))
    return [route.method, code(route.template.replace("{}", "{…}")), what, parameters]


def typed_api() -> str:
    rows = []
    for path, operations in asyncio.run(described_api())["paths"].items():
        for method, operation in operations.items():
            parameters = ", ".join(code(one["name"]) for one in operation.get("parameters", ()))
            rows.append([method.upper(), code(path), operation["summary"], parameters])
    return table(("method", "path below `/api`", "what it does", "parameters"), rows)


async def described_api() -> dict[str, Any]:
    async with application() as app:
        mount = next(route for route in app.routes if isinstance(route, Mount))
        assert isinstance(mount.app, FastAPI)
        return mount.app.openapi()


async def list_pages() -> set[tuple[str, str]]:
    """(method, path) of every page."""
    async with application() as app:
        routes = [route for route in app.routes if isinstance(route, Route)]
    return {(method, route.path) for route in routes for method in (route.methods or ()) if method != "HEAD"}


@asynccontextmanager
async def application() -> AsyncIterator[Starlette]:
    async with platform() as opened:
        app = create_app(opened)
        assert isinstance(app, Starlette)
        yield app


@asynccontextmanager
async def platform() -> AsyncIterator[Platform]:
    with TemporaryDirectory(prefix="parvis-reference-") as data:
        async with open_platform(load_settings(Path(data)), listen=False) as opened:
            yield opened


def clause_table(section: str) -> str:
    return table(
        ("clause", "what it asks", "where (below `parvis.broker`)", "tests (below `tests/`)"), clauses.rows(section)
    )


RENDERERS: dict[str, Callable[[], str]] = {
    "settings": settings,
    "errors": errors,
    "commands": commands,
    "metrics": metrics,
    "ngsi-ld": ngsi_ld,
    "typed-api": typed_api,
    "archive-columns": archive_columns,
    "roles": roles,
    "privacy-classes": privacy_classes,
    **{f"clauses-{section}": partial(clause_table, section) for section in clauses.sections()},
}


def written_again(page: str) -> str:
    return BLOCK.sub(lambda block: f"{block[1]}{block[2]}{RENDERERS[block[1]]()}", page)


def main() -> None:
    for path in sorted(REFERENCE.glob("*.md")):
        path.write_text(written_again(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
