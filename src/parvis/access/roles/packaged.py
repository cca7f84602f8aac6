"""The roles and the privacy classes that come with Parvis."""

import tomllib
from collections.abc import Mapping
from importlib.resources import files
from typing import Final

import msgspec

from parvis.access.roles.model import Classified, Role


def _roles() -> dict[str, Role]:
    text = files(__package__).joinpath("roles.toml").read_text(encoding="utf-8")
    return {name: msgspec.convert({**one, "name": name}, Role) for name, one in tomllib.loads(text).items()}


def _classes() -> tuple[Classified, ...]:
    text = files(__package__).joinpath("privacy.toml").read_text(encoding="utf-8")
    return tuple(classified(name, privacy) for privacy, names in tomllib.loads(text).items() for name in names)


def classified(name: str, privacy: str) -> Classified:
    """`name` is an attribute's, or Type.attribute."""
    type_, _, attribute = name.rpartition(".")
    return Classified(attribute, privacy, type_)


PACKAGED_ROLES: Final[Mapping[str, Role]] = _roles()
PACKAGED_CLASSES: Final = _classes()
