"""What several purposes come to for one attribute: the longest holds."""

from collections.abc import Collection, Iterable, Mapping, Sequence

import msgspec

from parvis.access.privacy.checks import read_keep
from parvis.access.privacy.model import Cover, Purpose, Then
from parvis.access.privacy.periods import PERIODS
from parvis.access.roles.model import CLASSES, Classified
from parvis.kernel.reach import PrivacyClass, is_below

_FOR_EVER = float("inf")


class Covered(msgspec.Struct, frozen=True):
    purpose: Purpose
    cover: Cover

    @property
    def keep_span(self) -> int:
        return read_keep(self.cover.keep).span

    @property
    def totals_span(self) -> float:
        return read_keep(self.cover.keep_totals).span if self.cover.keep_totals else _FOR_EVER


class Holding(msgspec.Struct, frozen=True):
    """Values stay as they are as long as `full` says; then they are erased, or give way to what `totals` says."""

    full: Covered
    totals: Covered | None = None

    def __hash__(self) -> int:
        return hash((self.full.cover, None if self.totals is None else self.totals.cover))


class Kept(msgspec.Struct, frozen=True):
    """What holds for an attribute of the entities of a type: of all, or of those in `scopes`. `among` are the ids of
    all purposes that cover it there."""

    type: str
    attribute: str
    scopes: tuple[str, ...]
    holding: Holding
    among: tuple[str, ...]


class Unfounded(msgspec.Struct, frozen=True):
    """An attribute of people that is held, of entities of a type, and that no purpose covers outside of `scopes`."""

    type: str
    attribute: str
    privacy: str
    scopes: tuple[str, ...] = ()


def list_covered(purposes: Iterable[Purpose], attribute: str, types: Collection[str]) -> list[Covered]:
    """All that cover the attribute of entities of any of the types, wherever they are. Names are local."""
    return [
        Covered(purpose, cover)
        for purpose in purposes
        for cover in purpose.covers
        if cover.type in types and attribute in cover.attributes
    ]


def find_holding(covered: Sequence[Covered], types: Collection[str], scopes: Collection[str]) -> Holding | None:
    """Of an entity of these types, in these scopes. Totals are kept for as long as any purpose needs them, and are as
    fine as any of them needs."""
    here = [one for one in covered if one.cover.type in types and _reaches(one.cover, scopes)]
    if not here:
        return None
    full = max(here, key=lambda one: one.keep_span)
    summed = [one for one in here if one.cover.then is Then.AGGREGATE and one.totals_span > full.keep_span]
    if not summed:
        return Holding(full)
    longest = max(summed, key=lambda one: one.totals_span)
    finest = min((one.cover.period for one in summed), key=PERIODS.index)
    return Holding(full, Covered(longest.purpose, msgspec.structs.replace(longest.cover, period=finest)))


def list_kept(purposes: Sequence[Purpose]) -> list[Kept]:
    """By type and attribute, in local names."""
    covers = [cover for one in purposes for cover in one.covers]
    found = []
    for type_, attribute in sorted({(one.type, name) for one in covers for name in one.attributes}):
        covered = list_covered(purposes, attribute, (type_,))
        for scopes in sorted({one.cover.scopes for one in covered}):
            holding = find_holding(covered, (type_,), scopes)
            assert holding is not None
            among = dict.fromkeys(
                one.purpose.id for one in covered if not one.cover.scopes or one.cover.scopes == scopes
            )
            found.append(Kept(type_, attribute, scopes, holding, tuple(among)))
    return found


def list_unfounded(
    held: Mapping[str, Collection[str]], purposes: Sequence[Purpose], classes: Sequence[Classified]
) -> list[Unfounded]:
    """Of the attributes held by type, all names local: those classed personal or sensitive without a purpose."""
    found = []
    for type_, attributes in sorted(held.items()):
        for attribute in sorted(attributes):
            privacy = _class_of(type_, attribute, classes)
            covered = list_covered(purposes, attribute, (type_,))
            if CLASSES[privacy] >= PrivacyClass.PERSONAL and all(one.cover.scopes for one in covered):
                scopes = tuple(dict.fromkeys(scope for one in covered for scope in one.cover.scopes))
                found.append(Unfounded(type_, attribute, privacy, scopes))
    return found


def _class_of(type_: str, attribute: str, classes: Sequence[Classified]) -> str:
    named = {one.key: one.privacy for one in classes}
    return named.get((type_, attribute), named.get(("", attribute), "public"))


def _reaches(cover: Cover, scopes: Collection[str]) -> bool:
    return not cover.scopes or any(is_below(scope, one) for scope in scopes for one in cover.scopes)
