"""Where a resident is: at an address or a place that the public objects stand at, or where their browser says."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from parvis.broker.ports.search import WordQuery
from parvis.broker.query.tree import EntityQuery
from parvis.broker.search.slips import slips_of
from parvis.broker.search.words import words_in
from parvis.kernel.identity import Caller
from parvis.web.portal.today import Gatherer, Seen
from parvis.web.site import Site
from parvis.web.views import natural

MOST_LOOKED_AT = 100
LONGEST = 120
OTHERS_SHOWN = 4
MOST_WORDS = 6
Place = tuple[float, float]
"""Longitude and latitude."""
_NUMBER = re.compile(r"\d+(bis|ter|quater)?")
_WAYS = frozenset(
    [
        "rue",
        "avenue",
        "boulevard",
        "chemin",
        "route",
        "impasse",
        "allee",
        "allees",
        "quai",
        "place",
        "cours",
        "sentier",
        "venelle",
        "passage",
        "ruelle",
        "square",
        "street",
        "road",
        "lane",
    ]
)
"""What says that a street is asked for."""
_BETWEEN = frozenset(
    ["de", "du", "des", "d", "la", "le", "les", "l", "a", "au", "aux", "et", "en", "sur", "sous", "of", "the"]
)
_POSITION = re.compile(r"(-?\d{1,2}(?:\.\d{1,8})?),(-?\d{1,3}(?:\.\d{1,8})?)")


class Spot(NamedTuple):
    """`label` is "12 Rue du Port, Penhervan", or what stands there is called. `is_meant`: not of another street."""

    label: str
    place: Place
    is_meant: bool = True


class Nearby(NamedTuple):
    """`asked` is what was typed, `others` what else it may mean. A `place` without a `spot` is what a browser told."""

    asked: str = ""
    place: Place | None = None
    spot: Spot | None = None
    others: tuple[Spot, ...] = ()

    @property
    def is_unknown(self) -> bool:
        return bool(self.asked) and self.place is None

    @property
    def is_other_street(self) -> bool:
        return self.is_unknown and bool(self.others)


async def find_nearby(site: Site, caller: Caller, query: Mapping[str, str], commune: str) -> Nearby:
    """Of `near`, words, or `at`, a latitude and a longitude. In the commune first."""
    asked = query.get("near", "").strip()[:LONGEST]
    if not asked:
        return Nearby(place=position_of(query.get("at", "")))
    words = words_in(asked)
    spots = rank(await _list_candidates(site, caller, words), words, commune)
    if not spots or not spots[0].is_meant:
        forgiven = rank(await _list_like(site, caller, words), words, commune, is_forgiving=True)
        spots = forgiven if forgiven and forgiven[0].is_meant else spots
    if not spots or not spots[0].is_meant:
        return Nearby(asked, others=tuple(spots[:OTHERS_SHOWN]))
    return Nearby(asked, spots[0].place, spots[0], tuple(spots[1 : 1 + OTHERS_SHOWN]))


def position_of(text: str) -> Place | None:
    found = _POSITION.fullmatch(text.replace(" ", ""))
    if found is None:
        return None
    latitude, longitude = float(found[1]), float(found[2])
    return (longitude, latitude) if abs(latitude) <= 90 and abs(longitude) <= 180 else None


class Candidate(NamedTuple):
    street: str
    commune: str
    name: str
    place: Place


async def _list_candidates(site: Site, caller: Caller, words: Sequence[str]) -> list[Candidate]:
    """With the number of the house; where nobody has such a one, of the whole street."""
    without = [word for word in words if not _NUMBER.fullmatch(word)]
    for some in (words, without) if without != words else (words,):
        if some and (found := await _search(site, caller, some)):
            return found
    return []


async def _list_like(site: Site, caller: Caller, words: Sequence[str]) -> list[Candidate]:
    """Of what is found by all words but one: that one may have a slip in it."""
    named = [word for word in words if not _NUMBER.fullmatch(word)][:MOST_WORDS]
    found: list[Candidate] = []
    for wrong in (word for word in dict.fromkeys(named) if slips_of(word)):
        if others := [word for word in named if word != wrong]:
            found += await _search(site, caller, others)
    return found


async def _search(site: Site, caller: Caller, words: Sequence[str]) -> list[Candidate]:
    broker = site.platform.broker
    ids = (await broker.find_words(caller, WordQuery(tuple(words), limit=MOST_LOOKED_AT))).ids
    if not ids:
        return []
    gatherer, now = Gatherer(site.reader), site.now
    entities = (await broker.query(caller, EntityQuery(ids=ids, limit=len(ids)))).entities
    seen = [Seen(one, site.reader.view(one, now)) for one in entities]
    return [
        Candidate(gatherer.street(one), one.view.commune, one.view.name, one.view.position)
        for one in seen
        if one.view.position is not None
    ]


def rank(
    candidates: Iterable[Candidate], words: Sequence[str], commune: str, *, is_forgiving: bool = False
) -> list[Spot]:
    """The best of each street, or of each place that is called so; the likeliest first."""
    wanted = next((int(re.sub(r"\D", "", word)) for word in words if _NUMBER.fullmatch(word)), 0)
    asked = _Asked({word for word in words if not _NUMBER.fullmatch(word)}, is_forgiving)
    best: dict[tuple[str, str], tuple[tuple[object, ...], Spot]] = {}
    for one in candidates:
        number, street = _split(one.street)
        is_street = asked.means(street, one.commune)
        is_meant = is_street or (asked.means(one.name, one.commune) if asked.is_street else not is_forgiving)
        shows_street = is_street or (one.street and not is_meant)
        label = ", ".join(filter(None, (one.street if shows_street else one.name, one.commune)))
        key = (street if shows_street else one.name, one.commune)
        order = (not is_meant, not is_street, one.commune != commune, abs(number - wanted), natural(label))
        if key not in best or order < best[key][0]:
            best[key] = order, Spot(label, one.place, is_meant)
    return [spot for _, spot in sorted(best.values(), key=lambda found: found[0])]


def _split(street: str) -> tuple[int, str]:
    """12, "Rue du Port"; 0 where there is no number."""
    found = re.match(r"(\d+)\s*(?:bis|ter|quater)?,?\s+(.*)", street)
    return (int(found[1]), found[2]) if found else (0, street)


class _Asked:
    def __init__(self, words: set[str], is_forgiving: bool) -> None:
        self.is_street = bool(words & _WAYS)
        self._forms = [{word, *(slips_of(word) if is_forgiving else ())} for word in words]
        self._names = [forms for word, forms in zip(words, self._forms, strict=True) if word not in _WAYS | _BETWEEN]

    def means(self, name: str, commune: str) -> bool:
        """Whether all of it is said there; of a street what it is called too, for a commune may be called so."""
        called = words_in(name)
        everything = [*called, *words_in(commune)]
        if not all(_begins(forms, everything) for forms in self._forms):
            return False
        return not self.is_street or not self._names or any(_begins(forms, called) for forms in self._names)


def _begins(forms: Iterable[str], words: Sequence[str]) -> bool:
    return any(word.startswith(one) for one in forms for word in words)
