"""What networks have in the streets."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Addressed:
    """`commune` is an index of `Territory.communes`."""

    id: str
    name: str
    x: float
    y: float
    address: str
    commune: int
