"""The text of `profile.toml`: written anew, or with other attributes and all else as it was."""

import json
import re
from collections.abc import Iterator, Sequence

from parvis.fleet.profiles.mapping import AttributeRule

_TABLE = re.compile(r"^\s*\[")
_ATTRIBUTE = re.compile(r"^\s*\[\[\s*attribute\s*\]\]")
_HEADER = re.compile(r"^\s*\[\s*profile\s*\]")
_OF_TENANT = re.compile(r"^\s*tenant\s*=")
_NO_ATTRIBUTE = re.compile(r"^\s*attribute\s*=\s*\[\s*\]")


def quoted(text: str) -> str:
    """A TOML basic string. JSON's escapes are among TOML's own; DEL is the one character that JSON leaves as it is."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def rule_lines(rule: AttributeRule) -> Iterator[str]:
    yield "[[attribute]]"
    yield f"field = {quoted(rule.field)}"
    yield f"name = {quoted(rule.name)}"
    if rule.scale != 1.0:
        yield f"scale = {rule.scale!r}"
    if rule.offset:
        yield f"offset = {rule.offset!r}"
    if rule.unit_code:
        yield f"unit_code = {quoted(rule.unit_code)}"
    if rule.kind != "Property":
        yield f"kind = {quoted(rule.kind)}"
    if rule.minimum is not None:
        yield f"minimum = {rule.minimum!r}"
    if rule.maximum is not None:
        yield f"maximum = {rule.maximum!r}"
    if rule.varies_within_h:
        yield f"varies_within_h = {rule.varies_within_h!r}"


def with_rules(text: str, rules: Sequence[AttributeRule]) -> str:
    """The profile with these attributes in place of its own. What was said between those is lost, nothing else."""
    kept: list[str] = []
    place: int | None = None
    is_attribute = False
    for line in text.splitlines():
        if _TABLE.match(line):
            is_attribute = _ATTRIBUTE.match(line) is not None
        if is_attribute and place is None:
            place = len(kept)
        if not is_attribute and not _NO_ATTRIBUTE.match(line):
            kept.append(line)
    at = len(kept) if place is None else place
    tables = [line for rule in rules for line in ("", *rule_lines(rule))]
    if not rules:
        return "\n".join(["attribute = []", *kept]) + "\n"
    return "\n".join([*_trimmed(kept[:at]), *tables, "", *kept[at:]]).rstrip() + "\n"


def for_tenant(text: str, tenant: str) -> str:
    """The profile as one of that tenant alone; all else as it was."""
    kept: list[str] = []
    is_header = False
    for line in text.splitlines():
        if _TABLE.match(line):
            is_header = _HEADER.match(line) is not None
        if not (is_header and _OF_TENANT.match(line)):
            kept.append(line)
        if _HEADER.match(line):
            kept.append(f"tenant = {quoted(tenant)}")
    return "\n".join(kept) + "\n"


def _trimmed(lines: list[str]) -> list[str]:
    while lines and not lines[-1].strip():
        lines = lines[:-1]
    return lines
