"""What the pool offers to all its members, and what members have put in its place for themselves."""

from collections.abc import Mapping
from enum import Enum, auto
from typing import Generic, TypeVar

Thing = TypeVar("Thing")


class Source(Enum):
    POOL = auto()
    """As every member has it that has no copy of its own: what the pool changes is changed there at once."""
    COPY = auto()
    """The tenant's own, in place of the pool's."""


class Catalogue(Generic[Thing]):
    """Things by name. Those of the pool are `shared`, and may change at any time; a tenant's copies go before them."""

    def __init__(self, shared: Mapping[str, Thing]) -> None:
        self.shared = shared
        self._copies: dict[str, dict[str, Thing]] = {}

    def of(self, tenant: str) -> Mapping[str, Thing]:
        copies = self._copies.get(tenant)
        return {**self.shared, **copies} if copies else self.shared

    def find(self, tenant: str, name: str) -> Thing | None:
        copies = self._copies.get(tenant)
        found = copies.get(name) if copies else None
        return self.shared.get(name) if found is None else found

    def source(self, tenant: str, name: str) -> Source:
        return Source.COPY if name in self._copies.get(tenant, {}) else Source.POOL

    def put(self, tenant: str, name: str, thing: Thing) -> None:
        self._copies.setdefault(tenant, {})[name] = thing

    def drop(self, tenant: str, name: str) -> None:
        self._copies.get(tenant, {}).pop(name, None)
