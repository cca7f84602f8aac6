"""The purposes that come with Parvis, and how one is written in TOML."""

import tomllib
from collections.abc import Mapping
from importlib.resources import files
from typing import Any, Final

import msgspec

from parvis.access.privacy.model import Purpose
from parvis.kernel.errors import BadRequestData


def _packaged() -> dict[str, Purpose]:
    text = files(__package__).joinpath("purposes.toml").read_text(encoding="utf-8")
    return {one.id: one for one in read_purposes(text)}


def read_purposes(text: str) -> list[Purpose]:
    """Of a file with a table for each, its covers in `cover`. Raises BadRequestData."""
    try:
        tables = tomllib.loads(text)
        return [_purpose(name, table) for name, table in tables.items()]
    except (tomllib.TOMLDecodeError, msgspec.ValidationError, AttributeError, TypeError) as fault:
        raise BadRequestData(f"These are no purposes: {fault}", rule="purpose-file") from None


def _purpose(name: str, table: Mapping[str, Any]) -> Purpose:
    told = {**table, "id": name, "covers": table.get("cover", [])}
    told.pop("cover", None)
    if told.keys() & {"version", "is_off"}:
        raise BadRequestData("version and is_off are the platform's to say.", rule="purpose-file")
    return msgspec.convert(told, Purpose)


PACKAGED_PURPOSES: Final[Mapping[str, Purpose]] = _packaged()
