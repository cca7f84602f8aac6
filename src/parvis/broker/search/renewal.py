"""What the index of words changes for entities that were written."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from parvis.broker.model.entity import Iri
from parvis.broker.search.text import Attribute, searched_text, words_by_rank

Key = tuple[int, int]
"""The store's numbers of a tenant and an entity."""


class Held(NamedTuple):
    """An entity as it is, and the text that the index holds of it. `urn` is None where the entity is no more, `text`
    empty where the index does not know it."""

    tenant: int
    entity: int
    urn: str | None
    types: Sequence[Iri]
    text: str

    @property
    def key(self) -> Key:
        return (self.tenant, self.entity)


class Renewal(NamedTuple):
    """`gone` and `come` are rows of (tenant, rank, word, entity), `kept` of (tenant, entity, text)."""

    gone: list[tuple[int, int, str, int]]
    come: list[tuple[int, int, str, int]]
    kept: list[tuple[int, int, str]]
    dropped: list[Key]


def renewal_of(
    held: Iterable[Held], shown: Mapping[Key, Sequence[Attribute]], targets: Mapping[Key, Sequence[str]]
) -> Renewal:
    """`shown` are the searched attributes of each, `targets` what its relationships lead to."""
    renewal = Renewal([], [], [], [])
    for one in held:
        text = ""
        if one.urn is not None:
            text = searched_text(one.urn, one.types, shown.get(one.key, ()), targets.get(one.key, ()))
        if text != one.text:
            old, new = words_by_rank(one.text), words_by_rank(text)
            renewal.gone.extend((one.tenant, rank, word, one.entity) for rank, word in old - new)
            renewal.come.extend((one.tenant, rank, word, one.entity) for rank, word in new - old)
            if text:
                renewal.kept.append((*one.key, text))
            else:
                renewal.dropped.append(one.key)
    return renewal
