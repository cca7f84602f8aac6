"""The searched text of an entity, as a store keeps it: a line for each part, each word after a blank."""

from collections.abc import Iterable

from parvis.broker.model.change import Change, Mode
from parvis.broker.model.entity import Iri, Json
from parvis.broker.model.header import Header
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
_TAKING_AWAY = frozenset({Mode.REPLACE, Mode.UPSERT_REPLACE, Mode.KEEP_ATTRIBUTES, Mode.EXPIRE})


def searched_text(entity_id: str, types: Iterable[Iri], attributes: Iterable[Attribute]) -> str:
    words: dict[Part, list[str]] = {part: [] for part in Part}
    for name, value in attributes:
        part = part_of(name)
        if part is not None:
            split = words_of_mark if part is Part.MARK else words_in
            words[part] += [word for text in texts_in(value) for word in split(text)]
    words[Part.MARK] += words_of_id(entity_id)
    words[Part.TELLING] += [word for iri in types for word in words_of_type(iri)]
    return "\n".join("".join(f" {word}" for word in unique(words[part])) for part in Part)


def words_by_rank(text: str) -> set[tuple[int, str]]:
    """What an index holds of it: 0 for words that name the entity, 1 for the others."""
    title, marks, telling = lines_of(text)
    naming = {*title.split(), *marks.split()}
    return {(0, word) for word in naming} | {(1, word) for word in telling.split() if word not in naming}


def lines_of(text: str) -> tuple[str, str, str]:
    title, marks, telling = text.split("\n") if text else ("", "", "")
    return title, marks, telling


def changes_words(change: Change, before: Header | None, after: Header) -> bool:
    """Whether the entity may be found by other words afterwards."""
    if before is None or before.typeset != after.typeset or (before.deleted is None) != (after.deleted is None):
        return True
    if change.mode in _TAKING_AWAY:
        return True
    return any(part_of(one.name) is not None for one in change.instances) or any(
        part_of(name) is not None for name, _ in change.removals
    )
