"""Ten thousand devices in a file, or ten."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parvis.broker.jsonld.contexts import Contexts
from parvis.fleet.devices.columns import LineFault
from parvis.fleet.devices.sheet import read_sheet
from parvis.fleet.joining.onboarding import LIST_GONE, Onboarding
from parvis.fleet.profiles.profile import PACKAGED_PROFILES, load_profiles
from parvis.kernel.errors import BadRequestData, Forbidden
from parvis.kernel.identity import Caller, Right
from parvis.kernel.jobs import WorkFailed
from parvis.kernel.reach import Area
from tests.fleet.conftest import BIN, CALLER, EUI, RECORD, Village, uplink

SHEET = (
    "hardware_id,profile,entity_id,name\n"
    f"{EUI},bin-sensor,{BIN},Market place\n"
    "70b3d5499e000002,bin-sensor,,Church\n"
    "70b3d5499e000003,none,,Quay\n"
    "70b3d5499e000002,bin-sensor,,Church again\n"
).encode()


@dataclass
class Context:
    arguments: Mapping[str, Any]
    tenant: str = "default"
    attempt: int = 1
    cancelled: bool = False
    told: list[float] = field(default_factory=list)

    def report(self, progress: float, message: str = "") -> None:
        self.told.append(progress)


@pytest.fixture
def onboarding(village: Village) -> Onboarding:
    return Onboarding(village.fleet, village.store.shelf)


async def test_a_dry_run_tells_line_by_line_and_writes_nothing(village: Village, onboarding: Onboarding) -> None:
    await village.fleet.register(CALLER, [RECORD])
    before = await village.broker.count_types(CALLER)
    report = await onboarding.check(CALLER, SHEET)
    assert (report.lines, report.new, report.known, report.left_out) == (4, 1, 1, 2)
    assert [(one.line, one.fault) for one in report.faults] == [(4, LineFault.UNKNOWN_PROFILE), (5, LineFault.REPEATED)]
    assert await village.broker.count_types(CALLER) == before


async def test_a_job_registers_the_sound_lines_and_adopts_what_came_before(
    village: Village, onboarding: Onboarding
) -> None:
    await village.fleet.take(CALLER, [uplink(1, 40)])
    context = Context(await onboarding.put(CALLER, SHEET))
    report = await onboarding.work(context)
    assert (report["new"], report["known"], report["left_out"]) == (2, 0, 2)
    assert context.told[-1] == 1.0
    assert await village.value(BIN, "fillingLevel") == 0.4
    assert [one.name for one in await village.fleet.list_devices(CALLER)] == ["Church", "Market place"]
    with pytest.raises(WorkFailed, match=LIST_GONE):
        await onboarding.work(context)


async def test_a_job_that_was_killed_begins_again_and_does_nothing_twice(
    village: Village, onboarding: Onboarding
) -> None:
    context = Context(await onboarding.put(CALLER, SHEET))
    await village.fleet.register(CALLER, [RECORD])
    report = await Onboarding(village.reopened(), village.store.shelf).work(context)
    assert (report["new"], report["known"]) == (1, 1)
    assert len(await village.reopened().list_devices(CALLER)) == 2


async def test_a_line_that_the_broker_refuses_leaves_the_others(village: Village, onboarding: Onboarding) -> None:
    lines = [f"{number:016x},bin-sensor,{'a b' if number == 7 else number}" for number in range(20)]
    sheet = "hardware_id,profile,attribute:sto<red\n" + "\n".join(lines)
    report = await onboarding.register(CALLER, sheet.encode())
    assert report.new == 0
    assert report.fault_counts == {LineFault.NOT_WRITTEN: 20}
    assert report.faults[0].detail


async def test_a_job_registers_what_whoever_asked_for_it_may_register_by_now(village: Village) -> None:
    """`CALLER` writes; the rights it has when the job begins are those of `owner`."""
    owner: Caller | None = None
    onboarding = Onboarding(village.fleet, village.store.shelf, find_owner=lambda _subject, _tenant: owner)
    context = Context(await onboarding.put(CALLER, SHEET))
    with pytest.raises(WorkFailed, match="may not change devices any more"):
        await onboarding.work(context)
    elsewhere = (Area(scopes=("/elsewhere",)),)
    owner = Caller("default", CALLER.subject, Right.READ | Right.WRITE, reads=elsewhere, writes=elsewhere)
    report = await onboarding.work(context)
    assert (report["new"], report["left_out"]) == (0, 4)
    assert await village.fleet.list_devices(CALLER) == []


async def test_who_may_not_write_brings_no_file(onboarding: Onboarding) -> None:
    reader = Caller("default", "user:r", Right.READ)
    with pytest.raises(Forbidden):
        await onboarding.check(reader, SHEET)
    with pytest.raises(Forbidden):
        await onboarding.put(reader, SHEET)


CONTEXT = Contexts().parvis
PROFILES = load_profiles([PACKAGED_PROFILES], CONTEXT.expand)
CELL = st.text(max_size=12) | st.sampled_from(
    ["cayenne-lpp", "70b3d549", "48,1", "-3.2", "lorawan", "10 min", '"', "'="]
)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(CELL, max_size=16), max_size=8).map(
        lambda rows: "\n".join(";".join(row) for row in rows).encode(errors="surrogatepass")
    )
    | st.binary(max_size=200)
)
def test_whatever_a_file_holds_each_line_is_a_record_or_a_fault(rows: bytes) -> None:
    header = b"deveui;profil;objet;type;nom;lat;lon;technologie;groupes;tags;intervalle;sn;fabricant;modele\n"
    try:
        sheet = read_sheet(header + rows, PROFILES, CONTEXT.compact)
    except BadRequestData:
        return
    for line in sheet.lines:
        assert (line.record is None) == bool(line.faults)
