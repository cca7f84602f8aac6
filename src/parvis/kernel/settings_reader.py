"""Reads the settings of an installation: file, then environment, then command line."""

import difflib
import math
import tomllib
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args, get_origin

from parvis.kernel.connector_tables import read_tables
from parvis.kernel.secrets import FILE_SUFFIX, find_secret
from parvis.kernel.settings import (
    CONNECTORS,
    DATA_VARIABLE,
    ENVIRONMENT_PREFIX,
    SETTINGS,
    TERRITORY_FILE,
    Documentation,
    InvalidSettings,
    SettingInfo,
    Settings,
    TerritorySettings,
    sections,
)
from parvis.kernel.time import find_zone

_TRUE = frozenset({"true", "yes", "on", "1"})
_FALSE = frozenset({"false", "no", "off", "0"})
_TYPO_SIMILARITY = 0.8


def load_settings(
    data_dir: Path, environment: Mapping[str, str] = types.MappingProxyType({}), given: Mapping[str, Any] | None = None
) -> Settings:
    """Settings of the file, then the environment, then `given` ("section.name" to a value; None: not given).

    Raises:
        InvalidSettings: a key that is not known, or a value that its setting cannot take.
    """
    return settings_of_document(data_dir, read_document(data_dir / TERRITORY_FILE), environment, given)


def settings_of_document(
    data_dir: Path,
    document: Mapping[str, Any],
    environment: Mapping[str, str] = types.MappingProxyType({}),
    given: Mapping[str, Any] | None = None,
) -> Settings:
    """The same of what a file says, or would say. Raises InvalidSettings."""
    tables = {name: table for name, table in document.items() if name != CONNECTORS}
    try:
        connectors = read_tables(document.get(CONNECTORS, {}))
    except ValueError as error:
        raise InvalidSettings(f"{TERRITORY_FILE}: {CONNECTORS}: {error}") from error
    values = _flatten(tables)
    values |= _read_environment(environment)
    values |= {key: _take(_info(key, key), value, key) for key, value in (given or {}).items() if value is not None}
    own = {name: owner(**_of_section(values, name)) for name, owner in sections().items()}
    settings = Settings(data_dir, **own, connectors=connectors)
    _check_territory(settings.territory)
    return settings


def _check_territory(territory: TerritorySettings) -> None:
    if find_zone(territory.time_zone) is None:
        raise InvalidSettings(f"territory.time_zone: there is no time zone {territory.time_zone!r}")
    if len(territory.centre) != 2 or abs(territory.centre[0]) > 180 or abs(territory.centre[1]) > 90:
        raise InvalidSettings("territory.centre must be a longitude and a latitude in degrees, such as [-3.3, 47.7]")
    if not territory.languages:
        raise InvalidSettings("territory.languages must name at least one language")


def _of_section(values: Mapping[str, Any], section: str) -> dict[str, Any]:
    return {SETTINGS[key].name: value for key, value in values.items() if SETTINGS[key].section == section}


def read_document(path: Path) -> dict[str, Any]:
    """Empty where it is not there. Raises InvalidSettings."""
    if not path.exists():
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidSettings(f"{path.name} is no valid TOML: {error}") from error


def _flatten(document: Mapping[str, Any]) -> dict[str, Any]:
    values = {}
    for section, content in document.items():
        if section not in sections() or not isinstance(content, dict):
            raise InvalidSettings(
                f"{TERRITORY_FILE}: there is no section [{section}]{_nearest(section, list(sections()), '[{}]')}"
            )
        for name, value in content.items():
            key = f"{section}.{name}"
            values[key] = _take(_info(key, TERRITORY_FILE), value, f"{TERRITORY_FILE}: {key}")
    return values


def _read_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    by_variable = {info.environment: info for info in SETTINGS.values()}
    values = {}
    for variable in environment:
        info = by_variable.get(variable) or by_variable.get(variable.removesuffix(FILE_SUFFIX))
        if info is not None:
            values[info.key] = _take(info, _from_text(info, _text_of(info, environment), variable), variable)
        elif variable.startswith(ENVIRONMENT_PREFIX) and variable != DATA_VARIABLE:
            _refuse_typo(variable, [*by_variable, DATA_VARIABLE])
    return values


def _text_of(info: SettingInfo, environment: Mapping[str, str]) -> str:
    try:
        return find_secret(info.environment, environment) or ""
    except ValueError as error:
        raise InvalidSettings(str(error)) from error


def _refuse_typo(variable: str, known: list[str]) -> None:
    """Other tools may own PARVIS_ variables, so only a near miss is an error."""
    if near := difflib.get_close_matches(variable, known, 1, _TYPO_SIMILARITY):
        raise InvalidSettings(f"{variable} is no setting: did you mean {near[0]}?")


def _info(key: str, where: str) -> SettingInfo:
    if (info := SETTINGS.get(key)) is None:
        raise InvalidSettings(f"{where}: there is no setting {key}{_nearest(key, list(SETTINGS), '{}')}")
    return info


def _nearest(word: str, known: list[str], shape: str) -> str:
    near = difflib.get_close_matches(word, known, 1, 0.0)
    return f"; did you mean {shape.format(near[0])}?" if near else ""


def _from_text(info: SettingInfo, text: str, where: str) -> Any:
    if get_origin(info.type) is tuple:
        return [_scalar(get_args(info.type)[0], part.strip(), where) for part in text.split(",") if part.strip()]
    return _scalar(info.type, text, where)


def _scalar(wanted: type, text: str, where: str) -> Any:
    if wanted is bool:
        if (word := text.strip().lower()) not in _TRUE | _FALSE:
            raise InvalidSettings(f"{where}: {text!r} is neither on nor off")
        return word in _TRUE
    try:
        return wanted(text)
    except ValueError as error:
        raise InvalidSettings(f"{where}: {text!r} is no {_WORDS[wanted]}") from error


_WORDS = {str: "text", int: "whole number", float: "number", bool: "true or false"}


def _take(info: SettingInfo, value: Any, where: str) -> Any:
    if get_origin(info.type) is tuple:
        if not isinstance(value, list | tuple):
            raise InvalidSettings(f"{where} must be a list")
        member = get_args(info.type)[0]
        return tuple(_checked(info, member, one, where) for one in value)
    return _checked(info, info.type, value, where)


def _checked(info: SettingInfo, wanted: type, value: Any, where: str) -> Any:
    if wanted is float and type(value) is int:
        value = _as_float(value)
    if type(value) is not wanted:
        raise InvalidSettings(f"{where} must be a {_WORDS[wanted]}, not {value!r}")
    _check_bounds(info.documentation, value, where)
    return value


def _as_float(value: int) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _check_bounds(rule: Documentation, value: Any, where: str) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise InvalidSettings(f"{where} must be a number that can be counted with, not {value!r}")
    if rule.choices and value not in rule.choices:
        raise InvalidSettings(f"{where} must be one of {', '.join(rule.choices)}, not {value!r}")
    if rule.minimum is not None and value < rule.minimum:
        raise InvalidSettings(f"{where} must be at least {rule.minimum:g}, not {value!r}")
    if rule.maximum is not None and value > rule.maximum:
        raise InvalidSettings(f"{where} must be at most {rule.maximum:g}, not {value!r}")
