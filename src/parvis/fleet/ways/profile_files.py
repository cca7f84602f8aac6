"""What a connector keeps beside `profile.toml`: how devices of a profile are asked."""

import tomllib
from collections.abc import Sequence
from pathlib import Path

import msgspec

from parvis.fleet.fleet import PROFILES_FOLDER
from parvis.fleet.profiles.profile import PACKAGED_PROFILES
from parvis.fleet.ways.connector import Config, InvalidConnector


def profile_roots(data_dir: Path) -> list[Path]:
    """An installation's own file goes before the package's."""
    return [data_dir / PROFILES_FOLDER, PACKAGED_PROFILES]


def load_profile_file(profile: str, file: str, roots: Sequence[Path], wanted: type[Config]) -> tuple[Path, Config]:
    """Of the first root that has one, and where it is.

    Raises:
        InvalidConnector: there is none, or what is wrong with it.
    """
    path = next((one for root in roots if (one := root / profile / file).is_file()), None)
    if path is None:
        raise InvalidConnector(f"There is no {profile}/{file} in {' or '.join(str(root) for root in roots)}.")
    try:
        return path, msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), wanted)
    except (OSError, ValueError) as error:
        raise InvalidConnector(f"{path}: {error}") from None
