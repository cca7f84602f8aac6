"""What those see who are not signed in: each tenant's own choice."""

from collections.abc import Callable, Iterable

from parvis.broker.model.entity import Iri
from parvis.kernel.identity import DEFAULT_TENANT
from parvis.kernel.reach import NOWHERE, Area, Reach

PublicElsewhere = Callable[[str], Iterable[str]]
"""The names of the types that another tenant than the default one has made public."""


class Public:
    """`types` are those of the default tenant; without `elsewhere` they are so in every one."""

    def __init__(self, types: frozenset[Iri], elsewhere: PublicElsewhere | None, expand: Callable[[str], Iri]) -> None:
        self._types = types
        self._elsewhere = elsewhere
        self._expand = expand

    def types(self, tenant: str) -> frozenset[Iri]:
        if tenant == DEFAULT_TENANT or self._elsewhere is None:
            return self._types
        return frozenset(map(self._expand, self._elsewhere(tenant)))

    def reach(self, tenant: str) -> Reach:
        types = self.types(tenant)
        return (Area(types),) if types else NOWHERE
