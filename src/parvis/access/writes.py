"""Who has changed data over the API: each request of a person is told at once, those of a program by the minute.

A program that sends a thousand readings a second would otherwise write a trail that nobody can read, and that nobody
may shorten.
"""

import logging
from collections.abc import Callable

import msgspec

from parvis.access.model import AuditRecord
from parvis.kernel.identity import Caller
from parvis.kernel.time import MINUTE, Clock, Instant, format_instant, system_clock

CHANGED = "data-changed"
MANY = "data"
"""In place of one entity."""
MOST_NAMED = 20
_log = logging.getLogger(__name__)
_PERSON, _PROGRAM = "user:", "key:"


class _Tally(msgspec.Struct):
    """Of one subject, not told yet."""

    since: Instant
    requests: dict[str, int] = {}
    entities: dict[str, None] = {}
    is_more: bool = False

    def add(self, request: str, entity: str) -> None:
        self.requests[request] = self.requests.get(request, 0) + 1
        if entity in self.entities:
            return
        if not entity or len(self.entities) == MOST_NAMED:
            self.is_more = True
        else:
            self.entities[entity] = None

    @property
    def object(self) -> str:
        return next(iter(self.entities)) if len(self.entities) == 1 and not self.is_more else MANY

    @property
    def facts(self) -> dict[str, str]:
        told = {name: str(count) for name, count in self.requests.items()}
        if sum(self.requests.values()) > 1:
            told["since"] = format_instant(self.since)
        if self.object == MANY and self.entities:
            told["entities"] = ", ".join([*self.entities, *(["..."] if self.is_more else [])])
        return told


class Writes:
    """`append` may fail for a while: what is not told stays until it is."""

    def __init__(self, append: Callable[[AuditRecord], object], clock: Clock = system_clock) -> None:
        self._append = append
        self._clock = clock
        self._untold: dict[tuple[str, str], _Tally] = {}

    def note(self, caller: Caller, request: str, entity: str = "") -> None:
        """Of a request that is done. Who has shown no proof, and the platform itself, are nobody to name."""
        subject = caller.subject
        if not subject.startswith((_PERSON, _PROGRAM)):
            return
        of = caller.tenant, subject
        tally = self._untold.get(of)
        if tally is None:
            tally = self._untold[of] = _Tally(self._clock())
        tally.add(request, entity)
        if subject.startswith(_PERSON):
            self._tell(of)

    def tell_due(self) -> None:
        due = self._clock() - MINUTE
        for of in [of for of, tally in self._untold.items() if tally.since <= due]:
            self._tell(of)

    def tell_all(self) -> None:
        for of in list(self._untold):
            self._tell(of)

    def _tell(self, of: tuple[str, str]) -> None:
        tally, (tenant, subject) = self._untold[of], of
        try:
            self._append(AuditRecord(self._clock(), tenant, subject, CHANGED, tally.object, dict(tally.facts)))
        except Exception:
            _log.exception("what was changed is not in the audit trail yet", extra={"subject": subject})
        else:
            del self._untold[of]
