"""Objects as GeoJSON features that say what the list says, and the sentence beside a map."""

from typing import Any

from parvis.web.filters import Tally
from parvis.web.views import ObjectView
from parvis.web.wording import Wording


def feature(view: ObjectView, t: Wording) -> dict[str, Any]:
    """Its geometry is the point that stands for it; `shape` the line or area that it has."""
    geometry = None if view.position is None else {"type": "Point", "coordinates": view.position}
    told = {"type": "Feature", "id": view.id, "geometry": geometry, "properties": properties(view, t)}
    return told if view.shape is None else told | {"shape": view.shape}


def properties(view: ObjectView, t: Wording) -> dict[str, Any]:
    return {
        "id": view.id,
        "domain": view.domain.value,
        "glyph": view.glyph,
        "name": view.name,
        "where": view.where(t),
        "value": view.value_text(t),
        "state": view.state.word,
        "rank": int(view.state),
        "attribute": None if view.headline is None else view.headline.attribute,
        "at": None if view.observed_at is None else view.observed_at // 1000,
        "stored": not view.is_dated,
        "stale_at": None if view.stale_at is None else view.stale_at // 1000,
    }


def tally_sentence(t: Wording, tally: Tally) -> str:
    here = t("tally.here", n=tally.total)
    if not tally.total:
        return here
    attention = t("tally.attention", n=tally.attention) if tally.attention else t("tally.calm")
    return f"{here}, {attention}"
