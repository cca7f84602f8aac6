"""What the filter of map and list offers, and the sentences that say what is shown."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from parvis.web.features import tally_sentence
from parvis.web.filters import STATE_CHOICES, ObjectFilter, Tally
from parvis.web.headline import PROFILES, Domain, State, is_other, types_of
from parvis.web.objects import Objects
from parvis.web.site import MOST_OBJECTS
from parvis.web.units import SHARES_OF_ONE, symbol_of
from parvis.web.wording import Wording
from parvis.web.zones import DRAWN

Options = list[tuple[str, list[tuple[str, str]]]]
"""Groups of choices: value and text."""


def bound_sentence(t: Wording, found: Objects) -> str:
    """What there is besides what is shown: not known yet at a moment, or too many; empty where that is all."""
    told = []
    if found.later:
        told.append(t("map.later", n=found.later))
    if found.beyond:
        told.append(t("map.beyond", n=found.beyond, most=t.number(MOST_OBJECTS)))
    elif found.aside:
        told.append(t("map.aside", n=found.aside))
    return " ".join(told)


def refused_sentence(t: Wording, found: Objects) -> str:
    """Why now is shown where a moment was asked for."""
    return "" if found.refused is None else t(f"map.moment_{found.refused.value}")


def told_sentence(t: Wording, found: Objects) -> str:
    """Of a past moment it says so first."""
    sentence = tally_sentence(t, Tally.of(found.views))
    moment = found.chosen.moment
    return sentence if moment is None else t("map.as_it_was", moment=t.moment(moment), sentence=sentence)


@dataclass(frozen=True, slots=True)
class Layer:
    """A domain with what the rest of the filter admits of it."""

    domain: Domain
    is_shown: bool
    total: int
    worst: State


def list_layers(found: Objects) -> list[Layer]:
    """Every domain, so that one knows what there could be."""
    return [
        Layer(domain, found.chosen.shows(domain), *_weight(found.layers.get(domain)))
        for domain in Domain
        if domain in found.layers or domain is not Domain.OTHER
    ]


def _weight(tally: Tally | None) -> tuple[int, State]:
    if tally is None:
        return 0, State.GOOD
    return tally.total, max((state for state, count in tally.by_state.items() if count), default=State.GOOD)


def layer_told(layer: Layer) -> dict[str, Any]:
    return {"domain": layer.domain.value, "shown": layer.is_shown, "n": layer.total, "worst": layer.worst.word}


def without_sentence(t: Wording, chosen: ObjectFilter) -> str:
    """Which layers are switched off, as a part of the filter's sentence."""
    hidden = [t(f"domain.{domain.value}") for domain in Domain if not chosen.shows(domain)]
    return t("filter.without", domains=", ".join(hidden)) if hidden else ""


def zone_options(t: Wording, found: Objects) -> Options:
    """Empty where there is nothing to choose."""
    chosen = found.chosen
    names = {one.id: one.name for one in found.zones}
    if chosen.within is not None and not chosen.corners:
        names.setdefault(chosen.zone, chosen.within.name)
    drawn = [(DRAWN, t("filter.in_drawn"))] if chosen.corners else []
    kept = [(zone_id, t("filter.in_zone", zone=name)) for zone_id, name in names.items()]
    return [("", [("", t("filter.anywhere")), *drawn, *kept])]


def type_options(t: Wording, there: Iterable[str]) -> Options:
    there = frozenset(there)
    groups: Options = [("", [("", t("filter.all_types"))])]
    for domain in Domain:
        known = types_of(domain) if domain is not Domain.OTHER else sorted(filter(is_other, there), key=t.type_name)
        names = [name for name in known if name in there]
        if names:
            every = [(domain.value, t("filter.all_of", domain=t(f"domain.{domain.value}")))]
            groups.append((t(f"domain.{domain.value}"), every + [(name, t.type_name(name)) for name in names]))
    return groups


def state_options(t: Wording) -> Options:
    return [("", [("", t("filter.any_state")), *((one, t(f"filter.state_{one}")) for one in STATE_CHOICES)])]


def commune_options(t: Wording, communes: Sequence[str], chosen: str) -> Options:
    names = communes if not chosen or chosen in communes else [chosen, *communes]
    return [("", [("", t("filter.all_communes")), *((name, t("filter.in", commune=name)) for name in names)])]


def threshold_unit(t: Wording, chosen: ObjectFilter) -> str | None:
    """The unit of "above ...", for the types whose headline is a number with a known one; None: not offered."""
    if chosen.kind not in PROFILES:
        return None
    attribute = PROFILES[chosen.kind].headlines[0].attribute
    if attribute in SHARES_OF_ONE:
        return "%"
    code = HEADLINE_UNITS.get(attribute)
    return t.find(f"unit.{attribute}") if code is None else symbol_of(code)


HEADLINE_UNITS = {"flow": "E32", "height": "MTR", "co2": "59", "pm25": "GQ", "temperature": "CEL", "LAeq": "2N"}
