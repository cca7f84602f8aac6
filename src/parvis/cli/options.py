"""Options that several commands share, and how they become settings."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import click

from parvis.kernel.remembered import check_store_is_named, on_remembered_store
from parvis.kernel.settings import DATA_VARIABLE, Settings
from parvis.kernel.settings_reader import load_settings

Command = TypeVar("Command", bound=Callable[..., Any])


def data_option(default: str = "data") -> Callable[[Command], Command]:
    return click.option(
        "--data",
        "data_dir",
        type=click.Path(path_type=Path, file_okay=False),
        envvar=DATA_VARIABLE,
        default=default,
        show_default=True,
        help="Directory that holds everything of this installation.",
    )


def serving_options(command: Command) -> Command:
    """The options of everything that listens."""
    for option in reversed(
        (
            click.option("--host", help="Address to listen on for HTTP."),
            click.option("--port", type=int, help="Port to listen on for HTTP; 0 takes a free one."),
            click.option("--mqtt-host", help="Address to listen on for MQTT."),
            click.option("--mqtt-port", type=int, help="Port to listen on for MQTT; 0 takes a free one."),
            click.option(
                "--store", metavar="URL", help="Where to keep the data; SQLite in the data directory by default."
            ),
            click.option(
                "--auth",
                type=click.Choice(["on", "off"]),
                help="off: everyone may do everything; only on a loopback address.",
            ),
            click.option(
                "--log-level", type=click.Choice(["debug", "info", "warning", "error"]), help="How much to tell."
            ),
            click.option("--log-format", type=click.Choice(["readable", "json"]), help="For people or for programs."),
        )
    ):
        command = option(command)
    return command


def settings_of(
    data_dir: Path,
    *,
    host: str | None = None,
    port: int | None = None,
    mqtt_host: str | None = None,
    mqtt_port: int | None = None,
    store: str | None = None,
    auth: str | None = None,
    workers: int | None = None,
    log_level: str | None = None,
    log_format: str | None = None,
) -> Settings:
    """Of what serves. Raises InvalidSettings."""
    given = {
        "server.host": host,
        "server.port": port,
        "mqtt.host": mqtt_host,
        "mqtt.port": mqtt_port,
        "store.url": store,
        "server.workers": workers,
        "access.auth": None if auth is None else auth == "on",
        "log.level": log_level,
        "log.format": log_format,
    }
    settings = load_settings(data_dir.resolve(), os.environ, given)
    check_store_is_named(settings)
    return settings


def settings_beside(data_dir: Path) -> Settings:
    """Of commands that work on a platform's data, or beside it: on the store it was last started on.

    Raises InvalidSettings.
    """
    return on_remembered_store(load_settings(data_dir.resolve(), os.environ))


def without_connectors(settings: Settings) -> Settings:
    """For commands that let nobody in: what a connector is told by the environment of the service is not there."""
    return replace(settings, connectors={})
