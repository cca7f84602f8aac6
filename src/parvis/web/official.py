"""Communes and groups of communes by their official names and codes, as the build has taken them from the package
@etalab/decoupage-administratif (INSEE's code, BANATIC, La Poste; Licence Ouverte 2.0).

Nothing stays in memory: one look-up reads 1.5 MB, in a thread, in some tenths of a second.
"""

import gzip
import re
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

import msgspec

from parvis.broker.search.slips import slips_of

OFFICIAL = Path(__file__).parent / "official"
PRESENT = "commune-actuelle"
MAINLAND_ZONE = "Europe/Paris"
_COMMUNES, _GROUPS = "france/communes.json.gz", "france/epci.json.gz"
_FAR_ZONES = {
    "971": "America/Guadeloupe", "972": "America/Martinique", "973": "America/Cayenne", "974": "Indian/Reunion",
    "975": "America/Miquelon", "976": "Indian/Mayotte", "977": "America/St_Barthelemy", "978": "America/Marigot",
    "986": "Pacific/Wallis", "987": "Pacific/Tahiti", "988": "Pacific/Noumea",
}  # fmt: skip
_GROUP_KIND = re.compile("(CA|CC|CU|MET69|METRO) +")
_UNSAID = re.compile("[^a-z0-9]+")
Row = TypeVar("Row")


class Member(msgspec.Struct, frozen=True):
    code: str
    nom: str


class _Commune(msgspec.Struct, frozen=True):
    code: str
    nom: str
    type: str
    departement: str = ""
    siren: str = ""
    codesPostaux: tuple[str, ...] = ()  # noqa: N815
    population: int = 0


class _Group(msgspec.Struct, frozen=True):
    code: str
    nom: str
    type: str
    membres: tuple[Member, ...] = ()
    populationTotale: int = 0  # noqa: N815


class OfficialTerritory(msgspec.Struct, frozen=True):
    """`code` is INSEE's of a commune, the SIREN of a group, whose `kind` is CA, CC, CU or METRO; that of a commune is
    empty. `postal_codes` are a commune's."""

    code: str
    name: str
    kind: str
    members: tuple[Member, ...]
    population: int
    postal_codes: tuple[str, ...] = ()

    @property
    def time_zone(self) -> str:
        return _FAR_ZONES.get(self.members[0].code[:3], MAINLAND_ZONE)

    @property
    def department(self) -> str:
        code = self.members[0].code
        return code[: 3 if code.startswith(("97", "98")) else 2]


def is_there(folder: Path = OFFICIAL) -> bool:
    return all((folder / name).is_file() for name in (_COMMUNES, _GROUPS))


def find_territory(code: str, folder: Path = OFFICIAL) -> OfficialTerritory | None:
    """By INSEE's code or a SIREN."""
    return next((one for one in _list_all(folder) if one.code == code), None)


class Found(NamedTuple):
    """The best, and how many there are in all. `is_guess`: nothing is called so, these are one slip away."""

    best: list[OfficialTerritory]
    total: int
    is_guess: bool = False


def search_territories(asked: str, most: int, folder: Path = OFFICIAL) -> Found:
    """By name, postal code or official code. Nothing where there are no tables."""
    if not is_there(folder):
        return Found([], 0)
    wanted = asked.strip().replace(" ", "") if asked.replace(" ", "").isdigit() else asked.strip()
    if not plain(wanted):
        return Found([], 0)
    by_code = {one.code: one for one in _by_code(wanted.upper(), folder)}
    if by_code or wanted.isdigit():
        found = list(by_code.values())
        return Found(found[:most], len(found))
    words = plain(wanted).split()
    ranked = sorted((_rank(one, words), one.name, one) for one in _list_all(folder) if _is_named(one, words))
    if ranked:
        return Found([one for _, _, one in ranked[:most]], len(ranked))
    guessed = _list_guesses(words, folder)
    return Found(guessed[:most], len(guessed), is_guess=True)


def _list_guesses(words: Sequence[str], folder: Path) -> list[OfficialTerritory]:
    """Whose name begins with each word, or has one that is a slip away from it: the shortest names first."""
    slips = {word: frozenset(slips_of(word)) for word in words}
    found = []
    for one in _list_all(folder):
        parts = plain(one.name).split()
        if all(any(part.startswith(word) or part in slips[word] for part in parts) for word in words):
            found.append((len(parts), -one.population, one.name, one))
    return [one for *_, one in sorted(found)]


def _by_code(wanted: str, folder: Path) -> Iterator[OfficialTerritory]:
    """Of a commune the groups that it is in come with it."""
    codes: set[str] = set()
    for commune in _read(folder, _COMMUNES, list[_Commune]):
        if commune.type == PRESENT and wanted in (commune.code, commune.siren, *commune.codesPostaux):
            codes.add(commune.code)
            yield _of_commune(commune)
    for group in _read(folder, _GROUPS, list[_Group]):
        if group.code == wanted or any(member.code in codes for member in group.membres):
            yield _of_group(group)


def _list_all(folder: Path) -> Iterator[OfficialTerritory]:
    yield from map(_of_group, _read(folder, _GROUPS, list[_Group]))
    yield from (_of_commune(one) for one in _read(folder, _COMMUNES, list[_Commune]) if one.type == PRESENT)


def _of_commune(commune: _Commune) -> OfficialTerritory:
    itself = (Member(commune.code, commune.nom),)
    return OfficialTerritory(commune.code, commune.nom, "", itself, commune.population, commune.codesPostaux)


def _of_group(group: _Group) -> OfficialTerritory:
    name = _GROUP_KIND.sub("", group.nom, count=1)
    kind = "METRO" if group.type == "MET69" else group.type
    return OfficialTerritory(group.code, name, kind, group.membres, group.populationTotale)


def _is_named(one: OfficialTerritory, words: Sequence[str]) -> bool:
    name = f" {plain(one.name)}"
    return all(f" {word}" in name for word in words)


def _rank(one: OfficialTerritory, words: Sequence[str]) -> tuple[int, int]:
    """What is called exactly so, what begins so, then what is larger."""
    name, asked = plain(one.name), " ".join(words)
    return (0 if name == asked else 1 if name.startswith(asked) else 2), -one.population


def plain(text: str) -> str:
    """ "L'Île-d'Yeu" -> "l ile d yeu"."""
    letters = unicodedata.normalize("NFKD", text.replace("œ", "oe").replace("Œ", "oe")).casefold()
    bare = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return _UNSAID.sub(" ", bare).strip()


def _read(folder: Path, name: str, of: type[list[Row]]) -> list[Row]:
    """Raises OSError or msgspec.ValidationError."""
    return msgspec.json.decode(gzip.decompress((folder / name).read_bytes()), type=of)
