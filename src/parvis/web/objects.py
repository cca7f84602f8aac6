"""Which objects a page shows: as many as it can hold, and how many there are besides."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from parvis.broker.query.tree import Compare, EntityQuery, Operator, Or, Path
from parvis.kernel.identity import Caller
from parvis.web.filters import ObjectFilter
from parvis.web.headline import is_other
from parvis.web.site import MOST_OBJECTS, Site
from parvis.web.views import NAMES, ObjectView, by_urgency

_IDS_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Objects:
    """`views` are most urgent first, `communes` those to choose from, `counts` how many there are by type.

    `beyond`: how many more may fit but were not looked at. `aside`: how many of types that no domain knows are not
    shown beside all else, because they would hide it.
    """

    chosen: ObjectFilter
    views: Sequence[ObjectView]
    communes: tuple[str, ...]
    counts: Mapping[str, int]
    beyond: int = 0
    aside: int = 0


async def count_types(site: Site, caller: Caller) -> dict[str, int]:
    counts = await site.platform.broker.count_types(caller)
    return {site.reader.compact(iri): number for iri, number in counts.items()}


def count_others(counts: Mapping[str, int]) -> int:
    """How many objects are of types that no domain knows."""
    return sum(number for name, number in counts.items() if is_other(name))


async def load_objects(
    site: Site, caller: Caller, query: Mapping[str, str], ids: Sequence[str] | None = None, most: int = MOST_OBJECTS
) -> Objects:
    """Those that the filter of a page's address admits; of `ids` alone where they are given."""
    counts = await count_types(site, caller)
    chosen = ObjectFilter.from_query(query, counts)
    shown, aside = _without_a_crowd(chosen, counts, most)
    total = sum(counts.get(name, 0) for name in shown.types)
    found = await site.find_views(caller, _queries(site, shown, ids, is_crowd=total > most), most)
    communes = sorted({view.commune for view in found if view.commune})
    views = by_urgency(view for view in found if shown.admits(view))
    is_cut = ids is None and len(found) >= most and total > most
    return Objects(chosen, views, tuple(communes), counts, total - len(found) if is_cut else 0, aside)


def _without_a_crowd(chosen: ObjectFilter, counts: Mapping[str, int], most: int) -> tuple[ObjectFilter, int]:
    """A hundred thousand trees would hide what is measured: who wants them chooses them, or searches for them."""
    others = count_others(counts)
    if chosen.kind or chosen.search or chosen.of_import or sum(counts.values()) <= most:
        return chosen, 0
    return replace(chosen, others=()), others


def _queries(site: Site, chosen: ObjectFilter, ids: Sequence[str] | None, *, is_crowd: bool) -> Iterable[EntityQuery]:
    types = chosen.selection(site.reader.terms)
    if ids is not None:
        for start in range(0, len(ids), _IDS_AT_ONCE):
            part = tuple(ids[start : start + _IDS_AT_ONCE])
            yield EntityQuery(ids=part, types=types, limit=_IDS_AT_ONCE)
        return
    if not (is_crowd and chosen.search):
        yield EntityQuery(types=types)
        return
    pattern = f"(?i){re.escape(chosen.search)}"
    named = tuple(Compare(Path(site.reader.expand(name)), Operator.MATCH, pattern) for name in NAMES)
    yield EntityQuery(types=types, q=Or(named))
    yield EntityQuery(types=types, id_pattern=pattern)
