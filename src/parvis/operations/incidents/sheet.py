"""An incident as one document, for an authority, an inspection or another register."""

from typing import Any
from zoneinfo import ZoneInfo

from parvis.kernel.time import Instant, format_instant
from parvis.operations.incidents.clocks import Clock, clocks_of
from parvis.operations.incidents.model import Entry, Incident


def sheet_of(incident: Incident, now: Instant, zone: ZoneInfo) -> dict[str, Any]:
    first = incident.opened
    return {
        "id": incident.id,
        "title": incident.title,
        "knownAt": format_instant(incident.known_at),
        "systems": first.systems,
        "personalData": first.personal_data.value,
        "description": first.text,
        "state": "closed" if incident.is_closed else "open",
        "toldAt": format_instant(now),
        "clocks": [_clock(one) for one in clocks_of(incident, now, zone)],
        "entries": [_entry(one) for one in incident.entries[1:]],
    }


def _clock(clock: Clock) -> dict[str, Any]:
    told = {"step": clock.step.value, "dueAt": format_instant(clock.due_at), "state": clock.state.value}
    if clock.done_at is not None:
        told["sentAt"] = format_instant(clock.done_at)
    return told | ({"reference": clock.why} if clock.why else {})


def _entry(entry: Entry) -> dict[str, Any]:
    told = {"at": format_instant(entry.at), "by": entry.by, "kind": entry.kind.value, "text": entry.text}
    if entry.step is not None:
        told["step"] = entry.step.value
    return told | ({"happenedAt": format_instant(entry.happened_at)} if entry.happened_at else {})
