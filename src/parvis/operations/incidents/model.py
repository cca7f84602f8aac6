"""An incident is what was entered about it, one entry after the other: nothing of it is changed afterwards."""

from collections.abc import Iterable, Sequence
from enum import Enum

import msgspec

from parvis.kernel.errors import PARVIS_ERRORS, ParvisError
from parvis.kernel.time import Instant


class IncidentNotFound(ParvisError):
    type_uri = PARVIS_ERRORS + "incident-not-found"
    title = "There is no such incident"
    status = 404


class Step(Enum):
    """What is told to an authority, in the order of time. The first three are of directive (EU) 2022/2555, article
    23(4): to the CSIRT; the last of regulation (EU) 2016/679, article 33: to the data protection authority."""

    EARLY_WARNING = "early-warning"
    NOTIFICATION = "notification"
    FINAL_REPORT = "final-report"
    PERSONAL_DATA = "personal-data"


class Kind(Enum):
    OPENED = "opened"
    NOTE = "note"
    SENT = "sent"
    NOT_NEEDED = "not-needed"
    CLOSED = "closed"
    REOPENED = "reopened"


class PersonalData(Enum):
    """Whether data of persons are concerned: while nobody knows, the clock runs."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


class Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """`at` is when it was entered, `happened_at` when it was: known, sent. `text` is a note, a reference of what was
    sent, or why something is not needed; of the first entry what happened."""

    at: Instant
    by: str
    kind: Kind
    text: str = ""
    happened_at: Instant = 0
    step: Step | None = None
    title: str = ""
    systems: str = ""
    personal_data: PersonalData = PersonalData.UNKNOWN


class Incident(msgspec.Struct, frozen=True):
    """`id` is of the day on which it was opened."""

    id: str
    entries: tuple[Entry, ...]

    @property
    def opened(self) -> Entry:
        return self.entries[0]

    @property
    def title(self) -> str:
        return self.opened.title

    @property
    def known_at(self) -> Instant:
        """When somebody here became aware of it: from then on the clocks run."""
        return self.opened.happened_at

    @property
    def is_closed(self) -> bool:
        turns = [one.kind for one in self.entries if one.kind in (Kind.CLOSED, Kind.REOPENED)]
        return bool(turns) and turns[-1] is Kind.CLOSED

    def find_last(self, kind: Kind, step: Step) -> Entry | None:
        return next((one for one in reversed(self.entries) if one.kind is kind and one.step is step), None)

    def find_first(self, kind: Kind, step: Step) -> Entry | None:
        return next((one for one in self.entries if one.kind is kind and one.step is step), None)


def incident_of(incident_id: str, entries: Iterable[Entry]) -> Incident | None:
    """None where its beginning is missing."""
    found: Sequence[Entry] = sorted(entries, key=lambda one: (one.kind is not Kind.OPENED, one.at))
    if not found or found[0].kind is not Kind.OPENED:
        return None
    return Incident(incident_id, tuple(found))
