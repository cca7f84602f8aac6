"""Which objects a page shows: as many as it can hold, and how many there are besides."""

import asyncio
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from parvis.broker.query.tree import Compare, Condition, EntityQuery, Operator, Or, Path
from parvis.kernel.errors import ResourceNotFound
from parvis.kernel.identity import Caller
from parvis.kernel.time import MINUTE, Instant
from parvis.web.filters import ObjectFilter, Tally, local_moment, parse_moment
from parvis.web.headline import Domain, is_other
from parvis.web.site import MOST_OBJECTS, Site
from parvis.web.twins import told_apart
from parvis.web.views import NAMES, ObjectView, by_urgency
from parvis.web.zones import Zone, drawn_zone, find_zone, list_zones

_IDS_AT_ONCE = 500
_CLOCKS_APART = 10 * MINUTE
"""A browser whose clock is ahead means now."""


class RefusedMoment(Enum):
    TO_COME = "to_come"
    UNREAD = "unread"


@dataclass(frozen=True, slots=True)
class Objects:
    """`views` are most urgent first, `communes` those to choose from, `counts` how many there are by type.

    `layers` counts by domain, those domains included that are switched off. `zones` are those to choose from.
    `beyond`: how many more may fit but were not looked at. `aside`: how many of types that no domain knows are not
    shown beside all else, because they would hide it. `later`: how many of a moment of the past were not there yet.
    `refused`: the moment that was asked for and is none of the past, so that now is shown.
    """

    chosen: ObjectFilter
    views: Sequence[ObjectView]
    layers: Mapping[Domain, Tally]
    communes: tuple[str, ...]
    counts: Mapping[str, int]
    zones: Sequence[Zone] = ()
    beyond: int = 0
    aside: int = 0
    later: int = 0
    refused: RefusedMoment | None = None


@dataclass(frozen=True, slots=True)
class Crowd:
    """How the most urgent of more objects than fit are found: `urgent` may need attention; all are `where`."""

    urgent: Sequence[EntityQuery] = ()
    where: Condition | None = None


async def count_types(site: Site, caller: Caller) -> dict[str, int]:
    counts = await site.platform.broker.count_types(caller)
    return {site.reader.compact(iri): number for iri, number in counts.items()}


def count_others(counts: Mapping[str, int]) -> int:
    """How many objects are of types that no domain knows."""
    return sum(number for name, number in counts.items() if is_other(name))


async def load_objects(
    site: Site,
    caller: Caller,
    query: Mapping[str, str],
    ids: Sequence[str] | None = None,
    most: int = MOST_OBJECTS,
    crowd: Crowd | None = None,
) -> Objects:
    """Those that the filter of a page's address admits; of `ids` alone where they are given. Where there are more than
    `most`, `crowd` says which of them."""
    counts = await count_types(site, caller)
    zones = await list_zones(site.platform.broker, caller, site.reader)
    moment, refused = _moment(site, query)
    chosen = replace(ObjectFilter.from_query(query, counts), moment=moment)
    chosen = await _with_zone(site, caller, chosen, zones)
    shown, aside = _without_a_crowd(chosen, counts, most)
    total = sum(counts.get(name, 0) for name in shown.types)
    is_crowd = total > most
    later = 0
    if chosen.moment is not None:
        found, later = await _find_then(site, caller, shown, chosen.moment, ids, most)
    elif is_crowd and crowd is not None:
        found = await _find_urgent_first(site, caller, shown, most, crowd)
    else:
        found = await _find(site, caller, shown, ids, most, is_crowd=is_crowd)
    is_cut = ids is None and len(found) >= most and total > most
    beyond = total - len(found) if is_cut else 0
    picked = await asyncio.to_thread(_pick, found, shown)
    return Objects(chosen, *picked, counts, zones, beyond, aside, later, refused)


def _pick(
    found: Sequence[ObjectView], chosen: ObjectFilter
) -> tuple[Sequence[ObjectView], Mapping[Domain, Tally], tuple[str, ...]]:
    """What the filter admits, most urgent first; it by domain; the communes there are. Twenty thousand take a while."""
    admitted = [view for view in found if chosen.admits(view)]
    views = told_apart(by_urgency(view for view in admitted if chosen.shows(view.domain)))
    communes = sorted({view.commune for view in found if view.commune})
    return views, _by_domain(admitted), tuple(communes)


async def _find(
    site: Site,
    caller: Caller,
    chosen: ObjectFilter,
    ids: Sequence[str] | None,
    most: int,
    *,
    is_crowd: bool,
) -> list[ObjectView]:
    return await site.find_views(caller, _queries(site, chosen, ids, is_crowd=is_crowd), most)


async def _find_then(
    site: Site, caller: Caller, chosen: ObjectFilter, moment: Instant, ids: Sequence[str] | None, most: int
) -> tuple[list[ObjectView], int]:
    """Those that were there at the moment, and how many that the filter would admit were not there yet."""
    past = await site.list_past_views(caller, chosen.selection(site.reader.terms), moment, most)
    wanted = None if ids is None else frozenset(ids)
    whatever_state = replace(chosen, state="", above=None)
    later = (view for view in past.later if chosen.shows(view.domain) and whatever_state.admits(view))
    return (
        [view for view in past.views if wanted is None or view.id in wanted],
        sum(wanted is None or view.id in wanted for view in later),
    )


async def _find_urgent_first(
    site: Site, caller: Caller, chosen: ObjectFilter, most: int, crowd: Crowd
) -> list[ObjectView]:
    """The most urgent of all, and as many of the calm ones as there is room for."""
    found: dict[str, ObjectView] = {}
    for query in crowd.urgent:
        found |= {view.id: view for view in await site.find_views(caller, (query,), most)}
    urgent = by_urgency(view for view in found.values() if view.state.needs_attention)[:most]
    shown = {view.id: view for view in urgent}
    if len(shown) < most:
        everywhere = EntityQuery(types=chosen.selection(site.reader.terms), q=crowd.where)
        for view in await site.find_views(caller, (everywhere,), most):
            if len(shown) < most:
                shown.setdefault(view.id, view)
    return list(shown.values())


def _moment(site: Site, query: Mapping[str, str]) -> tuple[Instant | None, RefusedMoment | None]:
    """A form without scripts tells the territory's own time; the future is not known."""
    told = query.get("moment", "").strip()
    if not told:
        return None, None
    moment = parse_moment(told) or parse_moment(local_moment(told, site.platform.at_hand.territory.time_zone))
    if moment is None:
        return None, RefusedMoment.UNREAD
    if moment > site.now:
        return None, None if moment < site.now + _CLOCKS_APART else RefusedMoment.TO_COME
    return moment, None


async def _with_zone(site: Site, caller: Caller, chosen: ObjectFilter, zones: Sequence[Zone]) -> ObjectFilter:
    """Raises ResourceNotFound for a zone that is gone: without it, everything would be shown for it."""
    if chosen.corners:
        return replace(chosen, within=drawn_zone(chosen.corners))
    if not chosen.zone:
        return chosen
    known = next((one for one in zones if one.id == chosen.zone), None)
    zone = known or await find_zone(site.platform.broker, caller, chosen.zone, site.reader)
    if zone is None:
        raise ResourceNotFound(f"There is no zone {chosen.zone}.")
    return replace(chosen, within=zone)


def _by_domain(views: Iterable[ObjectView]) -> dict[Domain, Tally]:
    by_domain: dict[Domain, list[ObjectView]] = {}
    for view in views:
        by_domain.setdefault(view.domain, []).append(view)
    return {domain: Tally.of(by_domain[domain]) for domain in Domain if domain in by_domain}


def _without_a_crowd(chosen: ObjectFilter, counts: Mapping[str, int], most: int) -> tuple[ObjectFilter, int]:
    """A hundred thousand trees would hide what is measured: who wants them chooses them, or searches for them."""
    others = count_others(counts)
    if chosen.kind or chosen.search or chosen.of_import or chosen.of_happening or sum(counts.values()) <= most:
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
