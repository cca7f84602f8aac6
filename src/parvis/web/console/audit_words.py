"""The audit trail in the words of the page: whom and what an entry is about, and where that is found."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from parvis.access.model import AuditEntry, AuditRecord
from parvis.kernel.time import Instant
from parvis.web.console import jobs
from parvis.web.views import short_id
from parvis.web.wording import Wording

DEED, FACT, VALUE = "deed.", "deed_fact.", "deed_value."
_NAME = "name"
_SAID = (_NAME, "title", "kind")
"""Facts that name the object."""


@dataclass(frozen=True, slots=True)
class Deed:
    """`by` is who it was as people write it, `subject` as the trail has it; `href` leads to what it was done to."""

    number: int
    at: Instant
    by: str
    kind: str
    subject: str
    action: str
    object: str
    href: str
    facts: Sequence[tuple[str, str]]


def deed_of(entry: AuditEntry, t: Wording) -> Deed:
    record = entry.record
    kind, _, name = record.subject.partition(":")
    told, href = object_of(record, t)
    facts = [
        (t.find(f"{FACT}{key}") or key, value_text(key, str(value), t))
        for key, value in record.facts.items()
        if key not in _SAID or not href
    ]
    by = t.find(f"{VALUE}{record.subject.replace(':', '_')}") or name or record.subject
    action = t.find(f"{DEED}{record.action}") or record.action
    return Deed(entry.number, record.at, by, kind, record.subject, action, told, href, facts)


def label_text(label: str, t: Wording) -> str:
    """Of a key: those that the platform makes for itself are named in the page's language."""
    return value_text("label", label, t)


def value_text(key: str, value: str, t: Wording) -> str:
    """A word of the platform's own in the page's language; what people have written as it is."""
    if key == "kind":
        return jobs.name_of(value, t)
    return t.find(f"{VALUE}{key}_{value.replace(' ', '-')}") or value


def object_of(record: AuditRecord, t: Wording) -> tuple[str, str]:
    """What it was done to, named as far as the entry knows, and its page; empty where it has none."""
    what = record.object
    for lead, tell in _OBJECTS.items():
        if record.action.startswith(lead):
            return tell(record, t)
    if what.startswith("urn:"):
        return short_id(what), f"/console/entities/{quote(what, safe=':')}"
    return t.find(f"{VALUE}object_{what}") or what, ""


def _job(record: AuditRecord, t: Wording) -> tuple[str, str]:
    kind = str(record.facts.get("kind", ""))
    name = t("audit.job", name=jobs.name_of(kind, t), number=record.object) if kind else record.object
    return name, f"/console/jobs/{quote(record.object, safe='')}"


def _device(record: AuditRecord, _t: Wording) -> tuple[str, str]:
    return record.object, f"/console/devices/{quote(record.object, safe='')}"


def _removed(record: AuditRecord, _t: Wording) -> tuple[str, str]:
    return str(record.facts.get(_NAME, "")) or record.object, ""


def _board(record: AuditRecord, _t: Wording) -> tuple[str, str]:
    name = str(record.facts.get(_NAME, "")) or record.object
    return name, f"/console/dashboards/{quote(record.object, safe=':')}"


def _event(record: AuditRecord, _t: Wording) -> tuple[str, str]:
    title = str(record.facts.get("title", "")) or record.object
    return title, f"/console/story?follow={quote(record.object, safe='')}"


_OBJECTS: Mapping[str, Callable[[AuditRecord, Wording], tuple[str, str]]] = {
    "job-": _job,
    "device-removed": _removed,
    "device-": _device,
    "dashboard-removed": _removed,
    "dashboard-": _board,
    "event-set-off": _event,
}
"""By the beginning of the action, the longer one first."""
