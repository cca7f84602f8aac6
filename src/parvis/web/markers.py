"""One drawing for a domain and a state, the same in the list, the legend and on the map.

The hue and the icon say the domain; the badge's shape and sign say the state.
"""

import re
from collections.abc import Mapping

from markupsafe import Markup

from parvis.web.headline import Domain, State

SIZE = 32
_TRAFFIC = '<path d="M7.5 20V5m-4 4 4-4 4 4M16.5 4v15m-4-4 4 4 4-4"/>'
_PARKING = '<path d="M8 21V3h5.5a5 5 0 0 1 0 10H8"/>'
_OWN_GLYPHS: Mapping[str, tuple[Domain, str]] = {
    Domain.MOBILITY.value: (Domain.MOBILITY, _TRAFFIC),
    "parking": (Domain.MOBILITY, _PARKING),
}
"""Where a small disc has no room for the icon of the menus."""
PARKING_TYPES = frozenset({"ParkingSpot", "OffStreetParking", "OnStreetParking"})
ICONS: Mapping[Domain, str] = {
    Domain.WASTE: "trash-2",
    Domain.WATER: "droplets",
    Domain.ENERGY: "zap",
    Domain.BUILDINGS: "building-2",
    Domain.LIGHTING: "lightbulb",
    Domain.AIR: "wind",
    Domain.MOBILITY: "route",
    Domain.OTHER: "map-pin",
}
_DRAWING = re.compile(r"<(?:path|circle|rect|line|polyline|polygon|ellipse)\b[^>]*>", re.DOTALL)
_BADGE_SHAPES: Mapping[State, Markup] = {
    State.STALE: Markup('<circle class="badge stale" cx="25" cy="7.5" r="6.5"/>'),
    State.WARN: Markup('<path class="badge warn" d="M25 0 32 13.5H18Z"/>'),
    State.BAD: Markup('<path class="badge bad" d="M22.2 1h5.6l4 4v5.6l-4 4h-5.6l-4-4V5z"/>'),
}
_DISC = Markup('<circle class="disc" cx="15" cy="17" r="12"/>')
_GROUNDS: Mapping[State, Markup] = {
    State.WARN: Markup('<path class="disc" d="M15 3 29 17 15 31 1 17z"/>'),
    State.BAD: Markup('<path class="disc" d="M9.6 4h10.8L28 11.6v10.8L20.4 30H9.6L2 22.4V11.6z"/>'),
}
_SIGNS: Mapping[State, tuple[str, float]] = {State.STALE: ("?", 11), State.WARN: ("!", 12), State.BAD: ("×", 11.6)}


def badge(state: State) -> Markup:
    """The state's shape with its sign, for the upper right corner of a `SIZE` square."""
    if state not in _SIGNS:
        return Markup("")
    sign, baseline = _SIGNS[state]
    return Markup('{}<text class="sign {}" x="25" y="{}">{}</text>').format(
        _BADGE_SHAPES[state], state.word, baseline, sign
    )


def marker(name: str, domain: Domain, state: State, icon_svg: str) -> Markup:
    """A <symbol> named marker-<name>-<state>."""
    return Markup(
        '<symbol id="marker-{0}-{2}" viewBox="0 0 32 32"><g class="marker {1} {2}">'
        '{3}<g class="icon" transform="translate(7.8 9.8) scale(.6)">{4}</g>{5}</g></symbol>'
    ).format(name, domain.value, state.word, _GROUNDS.get(state, _DISC), strokes_of(icon_svg), badge(state))


def glyph_of(type_name: str, domain: Domain) -> str:
    """The name of the marker of a type's objects."""
    return "parking" if type_name in PARKING_TYPES else domain.value


def strokes_of(icon_svg: str) -> Markup:
    """What is inside a Lucide file; those files come from the build, not from users."""
    return Markup("".join(_DRAWING.findall(icon_svg)))  # noqa: S704


def cluster(state: State) -> Markup:
    """A <symbol> named cluster-<state>: the ground for a number, with the worst state's badge."""
    return Markup(
        '<symbol id="cluster-{0}" viewBox="0 0 32 32"><g class="marker cluster {0}">'
        '<circle class="disc" cx="15" cy="17" r="13"/>{1}</g></symbol>'
    ).format(state.word, badge(state))


def sprite(icons: Mapping[Domain, str]) -> Markup:
    """All markers and clusters, to be put once into a page and drawn by <use>."""
    glyphs = {domain.value: (domain, icons[domain]) for domain in Domain} | dict(_OWN_GLYPHS)
    symbols = [marker(name, domain, state, icon) for name, (domain, icon) in glyphs.items() for state in State]
    symbols += [cluster(state) for state in State]
    return Markup("").join(symbols)
