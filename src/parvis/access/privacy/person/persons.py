"""What stewards do for one person: look, give them a copy, erase. All of it is in the trail, by the request's id."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from secrets import token_bytes
from typing import Final

import msgspec

from parvis.access.model import AuditRecord
from parvis.access.privacy.model import Action, LedgerEntry
from parvis.access.privacy.person.cases import Case, Cases, Stage
from parvis.access.privacy.person.copy import Heading, write_copy
from parvis.access.privacy.person.found import Fate, Found, Place, still_there
from parvis.access.privacy.person.identifiers import (
    MOST_IDENTIFIERS,
    By,
    Digested,
    Identifier,
    Sought,
    identifier,
    keyed,
)
from parvis.access.privacy.purposes import require_own_steward
from parvis.broker.rights import refusal
from parvis.kernel.durable import write_whole
from parvis.kernel.errors import BadRequestData, Forbidden
from parvis.kernel.identity import Caller, Right
from parvis.kernel.jobs import JobDoor
from parvis.kernel.time import Clock, Instant, system_clock

FIND: Final = "person.find"
ERASE: Final = "person.erase"
KEY_FILE: Final = "persons.key"
KEY_BYTES: Final = 32
MOST_OPEN: Final = 200
CONFIRMED: Final[Mapping[str, str]] = {"en": "ERASE", "fr": "EFFACER"}
"""What is typed before anything goes."""
GROUNDS: Final = ("no-longer-needed", "consent-withdrawn", "objection", "unlawful", "legal-duty", "child")
"""GDPR Art. 17 (1) a to f. Chosen and not written, so that nothing about the person comes into the ledger."""
Audit = Callable[[AuditRecord], object]


@dataclass(frozen=True, slots=True)
class Persons:
    cases: Cases
    jobs: JobDoor
    audit: Audit
    check: Callable[[str, Iterable[Found]], None]
    """Whether these may go. Raises BadRequestData."""
    list_ledger: Callable[[str], list[LedgerEntry]]
    heading: Callable[[str, Instant], Heading]
    """Of a copy from that tenant."""
    clock: Clock = system_clock

    async def search(self, caller: Caller, sought: Iterable[Identifier]) -> Case:
        """Begin to look. Raises Forbidden, BadRequestData, Overloaded."""
        return await self._submit(caller, FIND, self.open(caller, sought))

    def open(self, caller: Caller, sought: Iterable[Identifier]) -> Case:
        """For who looks at once. Raises Forbidden, BadRequestData."""
        check_steward(caller)
        wanted = tuple({(one.by, one.value): one for one in sought}.values())
        if not wanted or len(wanted) > MOST_IDENTIFIERS:
            raise BadRequestData(
                f"Say by what the person is known: 1 to {MOST_IDENTIFIERS} identifiers.", rule="person-nothing"
            )
        if len(self.cases.list_all(caller.tenant)) >= MOST_OPEN:
            raise BadRequestData("Too many requests are kept: forget some first.", rule="person-too-many")
        case = self.cases.open(caller.tenant, caller.subject, self.clock(), wanted)
        self._note(caller, "person-searched", case, by=sorted({one.by.value for one in wanted}))
        return case

    def list_all(self, caller: Caller) -> list[Case]:
        check_steward(caller)
        return self.cases.list_all(caller.tenant)

    def list_erased(self, caller: Caller) -> list[LedgerEntry]:
        """What the ledger says of persons, the last first."""
        check_steward(caller)
        return self.list_ledger(caller.tenant)

    def get(self, caller: Caller, case_id: str) -> Case:
        """Raises Forbidden, ResourceNotFound."""
        check_steward(caller)
        return self.cases.get(caller.tenant, case_id)

    def read(self, caller: Caller, case_id: str) -> Case:
        """To be looked into: it is noted, for what was found is of a person. Raises Forbidden, ResourceNotFound."""
        case = self.get(caller, case_id)
        if case.stage is Stage.FOUND:
            self._note(caller, "person-read", case)
        return case

    async def make_copy(self, caller: Caller, case_id: str) -> Path:
        """The file for the person. Raises Forbidden, ResourceNotFound, BadRequestData."""
        case = self.get(caller, case_id)
        _require(case, Stage.FOUND)
        path = self.cases.copy_path(case)
        list_found = partial(self.cases.list_found, case)
        told = await asyncio.to_thread(write_copy, path, list_found, self.heading(case.tenant, self.clock()))
        self._note(caller, "person-copied", case, things=told)
        return path

    async def erase(self, caller: Caller, case_id: str, ground: str, confirmed: str) -> Case:
        """Raises Forbidden, also for who acts by a mandate, ResourceNotFound, BadRequestData, Overloaded."""
        require_own_steward(caller)
        case = self.get(caller, case_id)
        _require(case, Stage.FOUND)
        if ground not in GROUNDS:
            raise BadRequestData("Say on which ground of Article 17 the data go.", rule="person-ground")
        if confirmed.strip() not in CONFIRMED.values():
            raise BadRequestData("Type the word that is asked for.", rule="person-unconfirmed")
        if not still_there(case.counts):
            raise BadRequestData("Nothing that was found is to be erased.", rule="person-nothing-goes")
        self.check(case.tenant, self.cases.list_first(case))
        case = msgspec.structs.replace(case, stage=Stage.ERASING, reason=ground)
        self.cases.save(case)
        self._note(caller, "person-erasure-ordered", case, ground=ground)
        return await self._submit(caller, ERASE, case)

    def forget(self, caller: Caller, case_id: str) -> None:
        """The request and what was found for it; an erasure that runs is not stopped by it, and refuses."""
        case = self.get(caller, case_id)
        if case.stage is Stage.ERASING:
            raise BadRequestData("Wait until the erasure has ended.", rule="person-stage")
        self.cases.forget(case)
        self._note(caller, "person-request-forgotten", case)

    async def _submit(self, caller: Caller, kind: str, case: Case) -> Case:
        job = await self.jobs.submit(caller, kind, {"case": case.id})
        self.cases.note_job(case, job.id)
        return case

    def _note(self, caller: Caller, action: str, case: Case, **facts: object) -> None:
        self.audit(AuditRecord(self.clock(), case.tenant, caller.subject, action, case.id, dict(facts)))


def check_steward(caller: Caller) -> None:
    """Who answers for people's data, and sees all of it. Raises Forbidden."""
    if not caller.may(Right.STEWARD):
        raise refusal(caller, "look for a person's data")
    if caller.reads is not None or caller.hides:
        raise Forbidden("This takes somebody who may read everything: your role hides a part.")


def _require(case: Case, stage: Stage) -> None:
    if case.stage is not stage:
        raise BadRequestData("This request has moved on: look at it again.", rule="person-stage")


def identifiers_of(given: Mapping[By, Iterable[str]]) -> tuple[Identifier, ...]:
    """Raises BadRequestData."""
    return tuple(identifier(by, one) for by, values in given.items() for one in values if one.strip())


def digests_of(data_dir: Path) -> Digested:
    """With a key of this installation alone, made when it is first needed."""
    path = data_dir / KEY_FILE
    if not path.exists():
        write_whole(path, token_bytes(KEY_BYTES))
        path.chmod(0o600)
    return keyed(path.read_bytes())


def ledger_entry(case: Case, going: Iterable[Found], by: str, at: Instant, digested: Digested) -> LedgerEntry:
    """By the accounts and keys that were found, beside what was asked for."""
    marks = [digested(one.by, one.value) for one in case.sought if one.is_certain]
    proofs, entities = {Place.ACCOUNT: By.ACCOUNT, Place.KEY: By.KEY}, []
    for one in going:
        if one.place in proofs:
            marks.append(digested(proofs[one.place], one.id))
        if one.place is Place.OBJECT:
            entities.append(one.id)
    places = {one.place.value: one.count for one in case.counts if one.fate is Fate.GOES}
    return LedgerEntry(
        tenant=case.tenant,
        at=at,
        action=Action.PERSON_ERASED,
        key=f"person {case.id}",
        by=by,
        count=sum(places.values()),
        objects=len(entities),
        person=" ".join(dict.fromkeys(marks)),
        entities=tuple(entities),
        places=places,
        reason=case.reason,
    )


def sought_again(entry: LedgerEntry, digested: Digested) -> Sought:
    """Who was erased, to be found where a backup or a bundle has brought them back."""
    ids = [digested(By.ENTITY, one) for one in entry.entities]
    marks = dict.fromkeys((*entry.person.split(), *ids))
    return Sought((Identifier(By.ENTITY, one) for one in marks), digested)
