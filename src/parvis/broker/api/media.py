"""Content negotiation of the NGSI-LD API (NGSI-LD 1.9.1, 6.3.4 to 6.3.6)."""

import re
from enum import Enum
from functools import lru_cache

from parvis.broker.jsonld.context import CONTEXT_RELATION
from parvis.kernel.errors import BadRequestData, NotAcceptable, UnsupportedMediaType


class Media(Enum):
    JSON = "application/json"
    JSON_LD = "application/ld+json"
    GEO_JSON = "application/geo+json"
    MERGE_PATCH = "application/merge-patch+json"


JSON_MEDIA = (Media.JSON, Media.JSON_LD)
GEO_MEDIA = (Media.JSON, Media.JSON_LD, Media.GEO_JSON)
CONTENT_MEDIA = frozenset({Media.JSON, Media.JSON_LD, Media.MERGE_PATCH})


_QUALITY = re.compile(r"(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)\Z")
"""RFC 9110, 12.4.2. What is none says nothing."""


@lru_cache(maxsize=256)
def accepted(header: bytes, offered: tuple[Media, ...]) -> Media:
    """The media type of the answer: the best one accepted, the first offered among equals."""
    if not header:
        return offered[0]
    ranges = [_media_range(part) for part in header.decode("latin-1").split(",")]
    best, weight = max(((media, _weight(media, ranges)) for media in offered), key=lambda pair: pair[1])
    if weight == 0:
        raise NotAcceptable(f"Ask for one of {', '.join(media.value for media in offered)}.")
    return best


@lru_cache(maxsize=256)
def content_media(header: bytes) -> Media:
    """The media type of a request's body."""
    name = header.decode("latin-1").partition(";")[0].strip().lower()
    found = next((media for media in CONTENT_MEDIA if media.value == name), None)
    if found is None:
        raise UnsupportedMediaType(
            f"A body of type {name or '(none named)'} cannot be read: send application/json or application/ld+json."
        )
    return found


def wants_context_inside(prefer: bytes) -> bool:
    """Whether GeoJSON carries its @context, as it does unless the Prefer header says body=json (6.3.6)."""
    return b"body=json" not in prefer.replace(b" ", b"").split(b",")


@lru_cache(maxsize=1024)
def context_link(header: bytes) -> str | None:
    """The @context that a Link header names, if it names one (6.3.5)."""
    named = [target for target, relation in _links(header.decode("latin-1")) if relation == CONTEXT_RELATION]
    if len(named) > 1:
        raise BadRequestData("The Link header names more than one @context: name one.")
    return named[0] if named else None


def _media_range(text: str) -> tuple[str, float]:
    name, *parameters = (part.strip().lower() for part in text.split(";"))
    quality = next((part[2:] for part in parameters if part.startswith("q=")), "1")
    return name, float(quality) if _QUALITY.match(quality) else 1.0


def _weight(media: Media, ranges: list[tuple[str, float]]) -> float:
    """The quality of the most specific range that holds `media` (RFC 9110, 12.5.1)."""
    weights = dict(ranges)
    for name in (media.value, "application/*", "*/*"):
        if name in weights:
            return weights[name]
    return 0.0


def _links(header: str) -> list[tuple[str, str]]:
    """(target, relation) of each link (RFC 8288)."""
    found = []
    for part in header.split("<")[1:]:
        target, _, rest = part.partition(">")
        relation = next((one for one in rest.split(";") if one.strip().startswith("rel=")), "")
        found.append((target.strip(), relation.strip().rstrip(",").rstrip()[4:].strip('"')))
    return found
