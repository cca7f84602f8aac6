from dataclasses import dataclass, field

import pytest

from parvis.access.model import AuditRecord
from parvis.access.writes import MANY, MOST_NAMED, Writes
from parvis.kernel.errors import Overloaded
from parvis.kernel.identity import OPERATOR, Caller, system_caller
from parvis.kernel.time import MINUTE, format_instant
from tests.access.conftest import FakeClock

ODILE, SCRIPT = Caller("port", "user:odile", OPERATOR), Caller("port", "key:1a2b3c4d", OPERATOR)
PATCH, POST = "PATCH /entities/{}/attrs/{}", "POST /entityOperations/upsert"


@dataclass
class Trail:
    is_away: bool = False
    records: list[AuditRecord] = field(default_factory=list)

    def append(self, record: AuditRecord) -> None:
        if self.is_away:
            raise Overloaded("The accounts are away.")
        self.records.append(record)


@pytest.fixture
def trail() -> Trail:
    return Trail()


@pytest.fixture
def writes(trail: Trail, clock: FakeClock) -> Writes:
    return Writes(trail.append, clock)


def test_each_request_of_a_person_is_told_at_once(writes: Writes, trail: Trail, clock: FakeClock) -> None:
    writes.note(ODILE, PATCH, "urn:ngsi-ld:Bin:1")
    (told,) = trail.records
    assert told == AuditRecord(clock.now, "port", "user:odile", "data-changed", "urn:ngsi-ld:Bin:1", {PATCH: "1"})
    writes.note(ODILE, POST)
    assert trail.records[1].object == MANY


def test_those_of_a_program_are_counted_by_the_minute(writes: Writes, trail: Trail, clock: FakeClock) -> None:
    began = clock.now
    for number in range(3):
        writes.note(SCRIPT, PATCH, f"urn:ngsi-ld:Bin:{number % 2}")
        clock.now += MINUTE // 4
    writes.tell_due()
    assert trail.records == []
    clock.now = began + MINUTE
    writes.tell_due()
    facts = {PATCH: "3", "since": format_instant(began), "entities": "urn:ngsi-ld:Bin:0, urn:ngsi-ld:Bin:1"}
    assert trail.records == [AuditRecord(clock.now, "port", "key:1a2b3c4d", "data-changed", MANY, facts)]
    writes.tell_due()
    writes.tell_all()
    assert len(trail.records) == 1, "what is told is told once"


def test_what_is_left_at_the_end_is_told(writes: Writes, trail: Trail) -> None:
    writes.note(SCRIPT, PATCH, "urn:ngsi-ld:Bin:1")
    writes.tell_all()
    assert [(one.object, one.facts) for one in trail.records] == [("urn:ngsi-ld:Bin:1", {PATCH: "1"})]


def test_however_many_things_a_program_changes_an_entry_stays_short(writes: Writes, trail: Trail) -> None:
    for number in range(1000):
        writes.note(SCRIPT, PATCH, f"urn:{number}")
    writes.tell_all()
    (told,) = trail.records
    assert told.facts[PATCH] == "1000"
    assert (told.facts["entities"].count("urn:"), told.facts["entities"].endswith(", ...")) == (MOST_NAMED, True)


def test_while_the_trail_is_away_nothing_is_forgotten(writes: Writes, trail: Trail, clock: FakeClock) -> None:
    trail.is_away = True
    writes.note(ODILE, PATCH, "urn:ngsi-ld:Bin:1")
    trail.is_away = False
    clock.now += MINUTE
    writes.tell_due()
    assert [one.object for one in trail.records] == ["urn:ngsi-ld:Bin:1"]


@pytest.mark.parametrize("caller", [system_caller("fleet"), Caller("default", "everyone", OPERATOR)])
def test_nobody_is_not_named(writes: Writes, trail: Trail, caller: Caller) -> None:
    writes.note(caller, PATCH, "urn:ngsi-ld:Bin:1")
    writes.tell_all()
    assert trail.records == []
