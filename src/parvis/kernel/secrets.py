"""Secrets from the environment, or from files that it names: container platforms mount them so (`NAME_FILE`)."""

from collections.abc import Mapping
from pathlib import Path

FILE_SUFFIX = "_FILE"
LONGEST_BYTES = 64 << 10


def find_secret(name: str, environment: Mapping[str, str]) -> str | None:
    """What the variable holds, or the file that `NAME_FILE` names, without its last line break.

    Raises:
        ValueError: both are there, or the file cannot be read.
    """
    path = environment.get(name + FILE_SUFFIX)
    if path is None:
        return environment.get(name)
    if name in environment:
        raise ValueError(f"{name} and {name}{FILE_SUFFIX} are both set: keep one")
    return _read(Path(path), name + FILE_SUFFIX)


def _read(path: Path, variable: str) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(LONGEST_BYTES + 1)
        if len(content) > LONGEST_BYTES:
            raise ValueError(f"{variable}: the file holds more than {LONGEST_BYTES >> 10} KiB")
        return content.decode().removesuffix("\n").removesuffix("\r")
    except OSError as error:
        raise ValueError(f"{variable}: the file cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"{variable}: the file is no text in UTF-8") from error
