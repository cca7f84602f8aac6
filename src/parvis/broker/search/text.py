"""The searched text of an entity, as a store keeps it: a line for each part, each word after a blank; the last one has
what its relationships lead to, each after a tab."""

from collections.abc import Iterable

from parvis.broker.model.entity import Entity, Instance, Iri, Json, Kind
from parvis.broker.search.words import (
    Part,
    part_of,
    texts_in,
    unique,
    words_in,
    words_of_id,
    words_of_mark,
    words_of_type,
)

Attribute = tuple[Iri, Json]
BONDS = 2
LONGEST_TARGET = 500
MOST_BONDS = 2_000
"""Of one entity: by targets beyond these it is not found (a street cabinet has some hundred lamps)."""


def searched_text(
    entity_id: str, types: Iterable[Iri], attributes: Iterable[Attribute], targets: Iterable[str] = ()
) -> str:
    words: dict[Part, list[str]] = {part: [] for part in Part}
    for name, value in attributes:
        part = part_of(name)
        if part is not None:
            split = words_of_mark if part is Part.MARK else words_in
            words[part] += [word for text in texts_in(value) for word in split(text)]
    words[Part.MARK] += words_of_id(entity_id)
    words[Part.TELLING] += [word for iri in types for word in words_of_type(iri)]
    lines = ["".join(f" {word}" for word in unique(words[part])) for part in Part]
    bonds = "".join(f"\t{target}" for target in unique((one for one in targets if _is_kept(one)), MOST_BONDS))
    return "\n".join((*lines, bonds))


def _is_kept(target: str) -> bool:
    return len(target) <= LONGEST_TARGET and target.isprintable()


def words_by_rank(text: str) -> set[tuple[int, str]]:
    """What an index holds of it: 0 for words that name the entity, 1 for the others, BONDS for what it refers to."""
    title, marks, telling, bonds = lines_of(text)
    naming = {*title.split(), *marks.split()}
    words = {(0, word) for word in naming} | {(1, word) for word in telling.split() if word not in naming}
    return words | {(BONDS, target) for target in bonds.split("\t") if target}


def lines_of(text: str) -> tuple[str, str, str, str]:
    title, marks, telling, bonds = (*text.split("\n"), "", "", "")[:4]
    return title, marks, telling, bonds


def changes_words(before: Entity | None, after: Entity | None) -> bool:
    """Whether an entity may be found by other words afterwards, or refer to others. None: it is not there."""
    if before is None or after is None:
        return before is not after
    return before.types != after.types or _told(before) != _told(after)


def searched(instances: Iterable[Instance]) -> list[Instance]:
    """Those whose words find their entity, or that refer to another one."""
    return [one for one in instances if one.kind is Kind.RELATIONSHIP or part_of(one.name) is not None]


def _told(entity: Entity) -> list[tuple[Iri, Json]]:
    return [(one.name, one.value) for one in searched(entity.instances)]
