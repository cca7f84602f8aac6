"""What may be said of a member: its short name, its hosts, its outline."""

import re
from collections.abc import Collection, Iterable
from typing import Any

import msgspec

from parvis.access.members.model import POOL, Member
from parvis.broker.jsonld.geojson import check_geometry
from parvis.kernel.errors import AlreadyExists, BadRequestData

LONGEST_TITLE = 200
LONGEST_REFERENCE = 300
MOST_HOSTS = 10
MOST_OUTLINE_BYTES = 1_000_000
_TENANT = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_CODE = re.compile(r"[A-Za-z0-9]{0,20}")
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOST = re.compile(rf"{_LABEL}(?:\.{_LABEL})+")
_SURFACES = ("Polygon", "MultiPolygon")


def check_member(member: Member) -> None:
    """Raises BadRequestData."""
    if _TENANT.fullmatch(member.tenant) is None or member.tenant == POOL:
        raise BadRequestData(
            "A member's short name has 1 to 64 small letters, digits, - or _, and is not 'default'.", rule="member-name"
        )
    if not member.title.strip() or len(member.title) > LONGEST_TITLE:
        raise BadRequestData(f"A member's title has 1 to {LONGEST_TITLE} characters.", rule="member-title")
    if _CODE.fullmatch(member.code) is None:
        raise BadRequestData("An official code has at most 20 letters and digits.", rule="member-code")
    if member.until is not None and member.until < member.since:
        raise BadRequestData("A membership ends after it has begun.", rule="member-until")


def plain_hosts(given: Iterable[str]) -> tuple[str, ...]:
    """As they are looked up. Raises BadRequestData."""
    hosts = tuple(dict.fromkeys(one.strip().lower().rstrip(".") for one in given if one.strip()))
    wrong = next((one for one in hosts if _HOST.fullmatch(one) is None), None)
    if wrong is not None:
        raise BadRequestData(f"{wrong[:80]!r} is no host name such as plouhinec.example.", rule="member-host")
    if len(hosts) > MOST_HOSTS:
        raise BadRequestData(f"A member has at most {MOST_HOSTS} host names.", rule="member-host")
    return hosts


def check_hosts(member: Member, others: Collection[Member]) -> None:
    """Raises AlreadyExists."""
    for other in others:
        taken = set(member.hosts).intersection(other.hosts) if other.tenant != member.tenant else ()
        if taken:
            raise AlreadyExists(f"The host name {min(taken)} is that of {other.title} already.")


def read_outline(content: bytes) -> dict[str, Any]:
    """The surface in a GeoJSON file: a geometry, a feature, or all features of a collection. Raises BadRequestData."""
    if len(content) > MOST_OUTLINE_BYTES:
        raise BadRequestData(f"An outline may have at most {MOST_OUTLINE_BYTES} bytes: simplify it.", rule="outline")
    try:
        found = _surfaces(msgspec.json.decode(content, type=dict[str, Any]))
    except (msgspec.MsgspecError, RecursionError):
        found = []
    if not found:
        raise BadRequestData("An outline is a GeoJSON file with a Polygon or MultiPolygon.", rule="outline")
    for one in found:
        check_geometry(one, "The outline")
    if len(found) == 1:
        return found[0]
    parts = [part for one in found for part in _parts(one)]
    return {"type": "MultiPolygon", "coordinates": parts}


def _surfaces(document: dict[str, Any]) -> list[dict[str, Any]]:
    kind = document.get("type")
    if kind == "FeatureCollection":
        features = document.get("features")
        return [one for feature in features for one in _surfaces(feature)] if isinstance(features, list) else []
    geometry = document.get("geometry") if kind == "Feature" else document
    if not isinstance(geometry, dict) or geometry.get("type") not in _SURFACES:
        return []
    return [{"type": geometry["type"], "coordinates": geometry.get("coordinates")}]


def _parts(surface: dict[str, Any]) -> list[Any]:
    coordinates = surface["coordinates"]
    return [coordinates] if surface["type"] == "Polygon" else list(coordinates)
