"""Documents about the same, of several brokers, into one: kinds of entities and attributes (NGSI-LD 1.9.1, 5.2.24 to
5.2.28) and temporal evolutions (4.5.6). Names are in one @context."""

from collections.abc import Sequence
from typing import Any

from parvis.broker.jsonld.context import Context
from parvis.broker.sources.model import Registration
from parvis.broker.sources.plan import covers

Document = dict[str, Any]

_COUNTS = frozenset({"entityCount", "attributeCount"})
_ABOUT = frozenset({"id", "type", "@context", "createdAt", "modifiedAt", "deletedAt", "scope"})


def join_kinds(documents: Sequence[Any]) -> Any:
    """Of the first one's shape; what is of another shape is left out."""
    first, *others = documents
    if isinstance(first, list):
        return _joined_list([one for some in documents if isinstance(some, list) for one in some])
    return _joined_object([first, *(one for one in others if isinstance(one, dict))])


def join_evolutions(documents: Sequence[Any], last_n: int | None = None) -> Any:
    """Of one entity, or of several in lists; of each attribute the last `last_n` instances."""
    first, *others = documents
    if not isinstance(first, list):
        return _evolution([first, *(one for one in others if isinstance(one, dict))], last_n)
    by_id: dict[str, list[Document]] = {}
    for some in documents:
        for one in some if isinstance(some, list) else []:
            if isinstance(one, dict):
                by_id.setdefault(str(one.get("id")), []).append(one)
    return [_evolution(some, last_n) for some in by_id.values()]


def registered_evolutions(document: Any, registration: Registration, context: Context) -> Any:
    """A source is believed in what it has registered, and in nothing else; None where nothing is left of it."""
    if isinstance(document, list):
        found = [registered_evolutions(one, registration, context) for one in document]
        return [one for one in found if one is not None]
    if not isinstance(document, dict):
        return None
    given = document.get("type")
    names = [one for one in (given if isinstance(given, list) else [given]) if isinstance(one, str)]
    types = [context.expand(one) for one in names]
    infos = [one for one in registration.information if covers(one, str(document.get("id")), types or None)]
    if not infos:
        return None
    if any(not one.attributes for one in infos):
        return document
    known = {attribute for one in infos for attribute in one.attributes}
    kept = {name: value for name, value in document.items() if name in _ABOUT or context.expand(name) in known}
    return kept if kept.keys() - _ABOUT else None


def _joined_list(members: Sequence[Any]) -> list[Any]:
    """Of objects that have an id, each once; of texts, each once, in order."""
    if not all(isinstance(one, dict) for one in members):
        return sorted({one for one in members if isinstance(one, str)})
    by_id: dict[str, list[Document]] = {}
    for one in members:
        by_id.setdefault(str(one.get("id")), []).append(one)
    return [_joined_object(some) for _, some in sorted(by_id.items())]


def _joined_object(objects: Sequence[Document]) -> Document:
    joined = dict(objects[0])
    for one in objects[1:]:
        for name, value in one.items():
            joined[name] = _joined_member(name, joined[name], value) if name in joined else value
    return joined


def _joined_member(name: str, ours: Any, theirs: Any) -> Any:
    if name in _COUNTS and isinstance(ours, int) and isinstance(theirs, int):
        return ours + theirs
    if isinstance(ours, list) and isinstance(theirs, list):
        return _joined_list([*ours, *theirs])
    return ours


def _evolution(parts: Sequence[Document], last_n: int | None) -> Document:
    joined = dict(parts[0])
    for part in parts[1:]:
        for name, value in part.items():
            if name not in joined:
                joined[name] = value
            elif name not in _ABOUT:
                joined[name] = _instances(joined[name], value)
    if last_n is None:
        return joined
    return {name: value if name in _ABOUT else _last(value, last_n) for name, value in joined.items()}


def _instances(ours: Any, theirs: Any) -> Any:
    """Each instance once, of two of the same time and dataset ours; of the simplified form its values."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return {name: _instances(value, theirs.get(name, [])) for name, value in ours.items()}
    if isinstance(ours, list) and isinstance(theirs, list):
        held = [_moment(one) for one in ours]
        new = [one for one in theirs if one not in ours and (_moment(one)[1] == "" or _moment(one) not in held)]
        return sorted([*ours, *new], key=lambda one: _moment(one)[1])
    return ours


def _last(value: Any, last_n: int) -> Any:
    if isinstance(value, dict):
        return {name: _last(part, last_n) for name, part in value.items()}
    return value[-last_n:] if isinstance(value, list) and last_n else value


def _moment(instance: Any) -> tuple[str, str]:
    """The dataset and the time of an instance, or of a pair of value and time; the time is empty where it has none."""
    if isinstance(instance, dict):
        return str(instance.get("datasetId", "")), str(instance.get("observedAt", ""))
    if isinstance(instance, list) and len(instance) > 1 and isinstance(instance[-1], str):
        return "", instance[-1]
    return "", ""
