"""One drawing for a domain and a state, the same in the list, the legend and on the map.

The hue and the icon say the domain; the badge's shape and sign say the state.
"""

import re
from collections.abc import Mapping

from markupsafe import Markup

from parvis.web.headline import Domain, State

SIZE = 32
ICONS: Mapping[Domain, str] = {
    Domain.WASTE: "trash-2",
    Domain.WATER: "droplets",
    Domain.ENERGY: "building-2",
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
_SIGNS: Mapping[State, tuple[str, float]] = {State.STALE: ("?", 11), State.WARN: ("!", 12), State.BAD: ("×", 11.6)}


def badge(state: State) -> Markup:
    """The state's shape with its sign, for the upper right corner of a `SIZE` square."""
    if state not in _SIGNS:
        return Markup("")
    sign, baseline = _SIGNS[state]
    return Markup('{}<text class="sign {}" x="25" y="{}">{}</text>').format(
        _BADGE_SHAPES[state], state.word, baseline, sign
    )


def marker(domain: Domain, state: State, icon_svg: str) -> Markup:
    """A <symbol> named marker-<domain>-<state>."""
    return Markup(
        '<symbol id="marker-{0}-{1}" viewBox="0 0 32 32"><g class="marker {0} {1}">'
        '<circle class="disc" cx="15" cy="17" r="12"/>'
        '<g class="icon" transform="translate(7.8 9.8) scale(.6)">{2}</g>{3}</g></symbol>'
    ).format(domain.value, state.word, strokes_of(icon_svg), badge(state))


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
    symbols = [marker(domain, state, icons[domain]) for domain in Domain for state in State]
    symbols += [cluster(state) for state in State]
    return Markup("").join(symbols)
