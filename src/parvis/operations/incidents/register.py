"""The register: each entry is a record of its own on the store's shelf, so that two people write beside each other."""

from collections.abc import Callable
from datetime import UTC
from secrets import token_hex

import msgspec

from parvis.access.model import AuditEntry, AuditRecord
from parvis.broker.rights import refusal
from parvis.kernel.errors import BadRequestData, NonexistentTenant
from parvis.kernel.identity import Caller, Right
from parvis.kernel.shelf import Box, Place, Shelf
from parvis.kernel.time import Clock, Instant, system_clock, to_datetime
from parvis.operations.incidents.model import Entry, Incident, IncidentNotFound, Kind, PersonalData, Step, incident_of

BOX = "incidents"
LONGEST_TITLE = 200
LONGEST_TEXT = 10_000
MOST_ENTRIES = 2_000
_ENTRY = msgspec.json.Decoder(Entry)
_ENCODER = msgspec.json.Encoder()
_SEAM = b"/"
_DEEDS = {
    Kind.OPENED: "incident-opened",
    Kind.NOTE: "incident-noted",
    Kind.SENT: "incident-told",
    Kind.NOT_NEEDED: "incident-step-dropped",
    Kind.CLOSED: "incident-closed",
    Kind.REOPENED: "incident-reopened",
}
EXPORTED = "incident-exported"


class IncidentRegister:
    """Administrators write, auditors read as well."""

    def __init__(self, shelf: Shelf, audit: Callable[[AuditRecord], AuditEntry], clock: Clock = system_clock) -> None:
        self._shelf = shelf
        self._audit = audit
        self._clock = clock

    async def list_all(self, caller: Caller) -> list[Incident]:
        """The newest first. Raises Forbidden."""
        check_reads(caller)
        entries: dict[str, list[Entry]] = {}
        for key, value in (await self._shelf.read(Place(Box(caller.tenant, BOX), b""))).items():
            entries.setdefault(key.partition(_SEAM)[0].decode(), []).append(_ENTRY.decode(value))
        found = [one for name, told in entries.items() if (one := incident_of(name, told))]
        return sorted(found, key=lambda one: one.known_at, reverse=True)

    async def get(self, caller: Caller, incident_id: str) -> Incident:
        """Raises Forbidden, IncidentNotFound."""
        check_reads(caller)
        kept = await self._shelf.read(Place(Box(caller.tenant, BOX), incident_id.encode()[:40] + _SEAM))
        found = incident_of(incident_id, map(_ENTRY.decode, kept.values()))
        if found is None:
            raise IncidentNotFound(f"There is no incident {incident_id[:40]!r}.")
        return found

    async def open(
        self,
        caller: Caller,
        title: str,
        known_at: Instant,
        text: str = "",
        systems: str = "",
        personal_data: PersonalData = PersonalData.UNKNOWN,
    ) -> Incident:
        """Raises Forbidden, BadRequestData."""
        now = self._clock()
        if not title.strip():
            raise BadRequestData("An incident has a title.")
        if not 0 < known_at <= now:
            raise BadRequestData("An incident was noticed in the past.")
        entry = Entry(
            now,
            caller.subject,
            Kind.OPENED,
            text.strip()[:LONGEST_TEXT],
            known_at,
            title=title.strip()[:LONGEST_TITLE],
            systems=systems.strip()[:LONGEST_TEXT],
            personal_data=personal_data,
        )
        incident_id = f"{to_datetime(now).astimezone(UTC):%Y%m%d}-{token_hex(3)}"
        await self._keep(caller, incident_id, entry)
        return Incident(incident_id, (entry,))

    async def note(self, caller: Caller, incident_id: str, text: str) -> None:
        if not text.strip():
            raise BadRequestData("A note says something.")
        await self._add(caller, incident_id, Kind.NOTE, text)

    async def tell(self, caller: Caller, incident_id: str, step: Step, sent_at: Instant, reference: str = "") -> None:
        """It was sent to the authority at `sent_at`."""
        if not 0 < sent_at <= self._clock():
            raise BadRequestData("What was sent was sent in the past.")
        await self._add(caller, incident_id, Kind.SENT, reference, step, sent_at)

    async def drop(self, caller: Caller, incident_id: str, step: Step, why: str) -> None:
        """It need not be sent: the reason is what an inspection asks for."""
        if not why.strip():
            raise BadRequestData("Say why it is not needed.")
        await self._add(caller, incident_id, Kind.NOT_NEEDED, why, step)

    async def close(self, caller: Caller, incident_id: str, text: str) -> None:
        if not text.strip():
            raise BadRequestData("Say what the cause was, and what keeps it from coming back.")
        await self._add(caller, incident_id, Kind.CLOSED, text)

    async def reopen(self, caller: Caller, incident_id: str, text: str) -> None:
        await self._add(caller, incident_id, Kind.REOPENED, text)

    def note_export(self, caller: Caller, incident_id: str) -> None:
        self._audit(AuditRecord(self._clock(), caller.tenant, caller.subject, EXPORTED, incident_id))

    async def _add(
        self, caller: Caller, incident_id: str, kind: Kind, text: str, step: Step | None = None, at: Instant = 0
    ) -> None:
        incident = await self.get(caller, incident_id)
        if len(incident.entries) >= MOST_ENTRIES:
            raise BadRequestData(f"An incident has at most {MOST_ENTRIES} entries: open another one.")
        entry = Entry(self._clock(), caller.subject, kind, text.strip()[:LONGEST_TEXT], at, step)
        await self._keep(caller, incident_id, entry)

    async def _keep(self, caller: Caller, incident_id: str, entry: Entry) -> None:
        check_enters(caller)
        key = b"%b%b%016x-%b" % (incident_id.encode(), _SEAM, entry.at, token_hex(4).encode())
        place = Place(Box(caller.tenant, BOX), key)
        await self._shelf.change((), {place: _ENCODER.encode(entry)}, ())
        if not await self._shelf.read(place):
            raise NonexistentTenant(f"There is no tenant {caller.tenant!r}.")
        facts = {"step": entry.step.value} if entry.step else {}
        self._audit(AuditRecord(entry.at, caller.tenant, caller.subject, _DEEDS[entry.kind], incident_id, facts))


def check_enters(caller: Caller) -> None:
    """Raises Forbidden."""
    if not caller.may(Right.ADMINISTER):
        raise refusal(caller, "enter incidents")


def check_reads(caller: Caller) -> None:
    """Raises Forbidden."""
    if not (caller.may(Right.ADMINISTER) or caller.may(Right.AUDIT)):
        raise refusal(caller, "look at the register of incidents")
