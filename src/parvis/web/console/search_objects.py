"""What is found of entities: by an id, by a kind of object, and by the words that people know them by."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from urllib.parse import quote, urlencode

from parvis.broker.ports.search import WordQuery
from parvis.broker.query.tree import EntityQuery, TypeIs
from parvis.broker.search.words import words_in
from parvis.fleet.devices.records import hardware_id_of
from parvis.kernel.identity import Caller, Right
from parvis.web.console.dashboards.records import DASHBOARD, address_of
from parvis.web.i18n import catalogue
from parvis.web.objects import count_types
from parvis.web.site import Site
from parvis.web.views import DEVICE_TYPE, ObjectView
from parvis.web.zones import ZONE

MOST_KINDS = 3
SHORTEST_KIND = 3
"""Letters of a word that may stand for a kind of object."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A type of entities, and what of the words asked for does not name it."""

    type: str
    rest: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ObjectsFound:
    views: Sequence[ObjectView]
    kinds: Sequence[Kind]
    is_all: bool


async def find_objects(site: Site, caller: Caller, text: str, language: str, most: int) -> ObjectsFound:
    words = tuple(words_in(text))
    kinds = await _list_kinds_there(site, caller, find_kinds(words, language))
    ids, is_all = await _list_ids(site, caller, words, kinds, most)
    exact = [text] if ":" in text else []
    views = await _list_views(site, caller, [*exact, *ids])
    return ObjectsFound(views[:most], [kind for kind in kinds if not kind.rest], is_all and len(views) <= most)


async def _list_kinds_there(site: Site, caller: Caller, kinds: Sequence[Kind]) -> list[Kind]:
    """Nobody is led to a map of none."""
    counts = await count_types(site, caller) if kinds else {}
    return [kind for kind in kinds if counts.get(kind.type)]


async def _list_ids(
    site: Site, caller: Caller, words: tuple[str, ...], kinds: Sequence[Kind], most: int
) -> tuple[list[str], bool]:
    """Those of a kind that was named come first: "container church" means no church."""
    broker, found, is_all = site.platform.broker, dict[str, None](), True
    queries = [WordQuery(kind.rest, TypeIs(site.reader.expand(kind.type)), most) for kind in kinds if kind.rest]
    for query in [*queries, WordQuery(words, limit=most)]:
        answer = await broker.find_words(caller, query)
        found |= dict.fromkeys(answer.ids)
        is_all = is_all and answer.is_all
    return list(found), is_all


async def _list_views(site: Site, caller: Caller, ids: Sequence[str]) -> list[ObjectView]:
    """In the order of the ids; those are left out that are gone by now."""
    if not ids:
        return []
    page = await site.platform.broker.query(caller, EntityQuery(ids=tuple(ids), limit=len(ids)))
    views = {entity.id: site.reader.view(entity, site.now) for entity in page.entities}
    return [views[entity_id] for entity_id in dict.fromkeys(ids) if entity_id in views]


def href_of(view: ObjectView, caller: Caller) -> str:
    """The page of its own that a device, a dashboard or a zone has, for those who may see it."""
    if Right.READ in caller.everywhere and view.type in _PAGES:
        return _PAGES[view.type](view.id)
    return f"/console/entities/{quote(view.id, safe=':')}"


_PAGES: Mapping[str, Callable[[str], str]] = {
    DEVICE_TYPE: lambda entity_id: f"/console/devices/{quote(hardware_id_of(entity_id), safe='')}",
    DASHBOARD: address_of,
    ZONE: lambda entity_id: f"/console/map?{urlencode({'zone': entity_id})}",
}


def find_kinds(words: Sequence[str], language: str) -> list[Kind]:
    """Types of which the first word asked for, or another, begins the name; what is left over narrows them."""
    found = [Kind(name, rest) for name, label in _labels(language).items() if (rest := _rest(words, label)) is not None]
    return sorted(found, key=lambda kind: (len(kind.rest), kind.type))[:MOST_KINDS]


def _rest(words: Sequence[str], label: Sequence[str]) -> tuple[str, ...] | None:
    """The words that name no part of the label; None where none names its first."""
    named = {word for word in words if len(word) >= SHORTEST_KIND and any(part.startswith(word) for part in label)}
    if not any(label[0].startswith(word) for word in named):
        return None
    return tuple(word for word in words if word not in named)


@cache
def _labels(language: str) -> Mapping[str, tuple[str, ...]]:
    """The names of types by type, singular and plural together."""
    labels: dict[str, tuple[str, ...]] = {}
    for key, sentence in catalogue(language).items():
        if key.startswith("type.") and (split := words_in(sentence)):
            name = key.removeprefix("type.").rpartition(".")[0]
            labels[name] = _joined(labels.get(name, ()), split)
    return labels


def kind_words(language: str) -> set[str]:
    return {word for label in _labels(language).values() for word in label}


def _joined(known: Sequence[str], more: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys([*known, *more]))
