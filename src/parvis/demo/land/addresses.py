"""Addresses as the French write them: odd numbers on one side of the street, even ones on the other."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Address:
    """`number` may carry "bis"; `building` and `commune` are indices of the territory's tuples."""

    number: str
    street: str
    commune: int
    building: int
    x: float
    y: float

    @property
    def text(self) -> str:
        return f"{self.number} {self.street}"
