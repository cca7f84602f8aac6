"""One setting: its default, and what is said of it."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Documentation:
    """What a setting's metadata says beyond its type and default."""

    description: str
    environment: str | None = None
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    secret: bool = False


def setting(default: Any, description: str, **more: Any) -> Any:
    return field(default=default, metadata={"documentation": Documentation(description, **more)})
