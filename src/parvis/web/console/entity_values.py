"""An attribute's value as a page says it."""

import re
from datetime import date
from typing import Any

import msgspec

from parvis.broker.model.entity import Instance, Kind
from parvis.kernel.time import Instant, parse_instant
from parvis.web.views import one_text
from parvis.web.wording import Wording

MEASURED = "controlledProperty"
ADDRESS = "address"
TYPES = ("type", "@type")
_DAY = re.compile(r"(\d{4}-\d\d-\d\d)(?:T00:00(?::00)?)?")
"""A day, as files tell when something was planted or built."""


def value_text(one: Instance, term: str, t: Wording) -> tuple[str, str]:
    """The value and its unit."""
    if one.kind is Kind.GEO_PROPERTY:
        return (_place(one.value, t), "")
    if one.kind is Kind.LANGUAGE_PROPERTY:
        return (one_text(one.value, t.language), "")
    if isinstance(one.value, dict):
        return (_object(one.value, term, t), "")
    if isinstance(one.value, list):
        return (", ".join(_listed(part, term, t) for part in one.value), "")
    if isinstance(one.value, str) and (day := _DAY.fullmatch(one.value)):
        return (_day(day[1], t), "")
    return t.split_quantity(one.value, one.unit_code, term)


def _day(text: str, t: Wording) -> str:
    try:
        return t.day(date.fromisoformat(text))
    except ValueError:
        return text


def _object(value: dict[str, Any], term: str, t: Wording) -> str:
    """An address as it is read out, other members after their names."""
    if (at := instant_of(value)) is not None:
        return t.moment(at)
    if term == ADDRESS:
        return ", ".join(one_text(part, t.language) for name, part in value.items() if name not in TYPES)
    return ", ".join(t("entity.member", name=short(name), value=_listed(part, term, t)) for name, part in value.items())


def short(name: str) -> str:
    """Of an expanded name."""
    return re.split("[/#]", name)[-1]


def _listed(part: Any, term: str, t: Wording) -> str:
    """A member of a list or an object; what a device measures is named as those attributes are."""
    if isinstance(part, dict | list):
        return msgspec.json.encode(part).decode()
    return t.attribute_name(part) if term == MEASURED and isinstance(part, str) else t.split_quantity(part)[0]


def instant_of(value: dict[str, Any]) -> Instant | None:
    """Of a typed JSON-LD value such as {"@type": "DateTime", "@value": "2026-03-01T08:00:00Z"}."""
    if value.get("@type") != "DateTime":
        return None
    try:
        return parse_instant(str(value.get("@value", "")))
    except ValueError:
        return None


def _place(geometry: dict[str, Any], t: Wording) -> str:
    if geometry.get("type") == "Point":
        longitude, latitude = geometry["coordinates"][:2]
        plain = f"{latitude:.5f}, {longitude:.5f}"
        return plain.replace(", ", " ; ").replace(".", ",") if "," in t.number(0.5, 1) else plain
    return str(geometry.get("type", ""))
