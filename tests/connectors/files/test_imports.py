"""Imports as jobs: received, checked, imported, taken back; each line told, nothing twice."""

import asyncio
import csv
import io
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from pathlib import Path

import openpyxl
import pytest

from parvis.bootstrap import Platform, open_platform
from parvis.broker.broker import Broker
from parvis.broker.model.change import Change, Mode
from parvis.broker.model.entity import Instance, Kind
from parvis.broker.query.tree import EntityQuery, TemporalQuery
from parvis.connectors.files import intake, passage
from parvis.connectors.files.config import InvalidMapping, Mapping, load_mapping
from parvis.connectors.files.folders import Folders, Import, Origin, Phase, Position
from parvis.connectors.files.imports import CHECK, IMPORT, UNDO, Imports
from parvis.connectors.files.inbox import Inbox
from parvis.connectors.files.intake import Intake, Record
from parvis.connectors.files.plugin import FilesConnector
from parvis.kernel.errors import ResourceNotFound
from parvis.kernel.identity import ADMINISTRATOR, Caller, Right, system_caller
from parvis.kernel.jobs import Job, JobState, WrongState
from parvis.kernel.settings import AccessSettings, MqttSettings, Settings
from parvis.kernel.time import parse_instant
from tests.connectors.files.test_import import TABLE, WIDE

ADA = system_caller("ada")
BINS = """
[inventory]
type = "WasteContainer"
id = "urn:ngsi-ld:WasteContainer:{ref}"
[inventory.place]
geometry = "place"
[[inventory.attributes]]
column = "size"
name = "binCapacity"
value = "number"
"""
ROWS = 'ref,place,size\n1,"47.7, -3.3",660\n2,nowhere,660\n3,,lots\n'


@pytest.fixture
async def platform(tmp_path: Path) -> AsyncIterator[Platform]:
    given = Settings(tmp_path / "data", access=AccessSettings(auth=False), mqtt=MqttSettings(enabled=False))
    async with open_platform(given, listen=False) as platform, platform.jobs.running():
        yield platform


@pytest.fixture
def imports(platform: Platform) -> Imports:
    files = platform.connectors["files"]
    assert isinstance(files, FilesConnector)
    return files.imports


def received(imports: Imports, folder: Path, mapping: str, table: str, name: str = "table.csv") -> Import:
    (folder / "mapping.toml").write_text(mapping, encoding="utf-8")
    (folder / name).write_text(table, encoding="utf-8")
    one = imports.take(ADA, folder / name, Origin.UPLOAD)
    return imports.choose(one, load_mapping(folder / "mapping.toml"))


async def done(imports: Imports, one: Import, kind: str) -> tuple[Import, Job]:
    started = await imports.start(ADA, one, kind)
    async with asyncio.timeout(30):
        while True:
            job = await imports.find_job(started)
            assert job is not None
            if job.state.has_ended:
                return imports.folders.get(one.tenant, one.id), job
            await asyncio.sleep(0.05)


def told(imports: Imports, one: Import) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(b"".join(imports.report_lines(one)).decode())))


async def count(broker: Broker) -> int:
    return (await broker.query(ADA, EntityQuery(count=True, limit=1))).total or 0


async def test_a_check_tells_each_line_and_writes_nothing(platform: Platform, imports: Imports, tmp_path: Path) -> None:
    one, job = await done(imports, received(imports, tmp_path, BINS, ROWS), CHECK)

    assert (job.state, one.phase) == (JobState.DONE, Phase.CHECKED), job.error
    assert [(line["row"], line["outcome"], line["text"]) for line in told(imports, one)] == [
        ("2", "created", ""),
        ("3", "unreadable_place", told(imports, one)[1]["text"]),
        ("4", "unreadable_value", "lots"),
        ("4", "created", ""),
    ]
    assert job.result == {
        "rows": 3,
        "rejected": {"UNREADABLE_PLACE": 1, "UNREADABLE_VALUE": 1},
        "verdicts": {"created": 2},
    }
    assert await count(platform.broker) == 0


async def test_an_import_does_what_its_check_told(platform: Platform, imports: Imports, tmp_path: Path) -> None:
    one, _ = await done(imports, received(imports, tmp_path, BINS, ROWS), CHECK)
    checked = told(imports, one)
    one, job = await done(imports, one, IMPORT)

    assert (job.state, one.phase) == (JobState.DONE, Phase.IMPORTED), job.error
    assert told(imports, one) == checked
    assert await count(platform.broker) == 2
    assert await platform.broker.outbox.position(passage.consumer_of(one)) == 0, "events are kept for nobody"
    with pytest.raises(WrongState):
        await imports.start(ADA, one, IMPORT)


async def test_the_same_file_again_changes_nothing(platform: Platform, imports: Imports, tmp_path: Path) -> None:
    await done(imports, received(imports, tmp_path, BINS, ROWS), IMPORT)
    newest = await platform.broker.outbox.newest()

    _one, job = await done(imports, received(imports, tmp_path, BINS, ROWS), IMPORT)

    assert job.result["verdicts"] == {"unchanged": 2}
    assert await platform.broker.outbox.newest() == newest


async def test_series_are_imported_and_taken_back(platform: Platform, imports: Imports, tmp_path: Path) -> None:
    one, job = await done(imports, received(imports, tmp_path, WIDE, TABLE), IMPORT)
    assert job.result["verdicts"] == {"added": 4}

    one, job = await done(imports, one, UNDO)

    assert (one.phase, job.result) == (Phase.UNDONE, {"entities": 2, "series": 0, "kept": 0})
    assert await count(platform.broker) == 0
    _again, job = await done(imports, received(imports, tmp_path, WIDE, TABLE), IMPORT)
    assert job.result["verdicts"] == {"added": 4}, "nothing of it was left"


async def test_only_what_the_import_brought_is_taken_back(platform: Platform, imports: Imports, tmp_path: Path) -> None:
    context = platform.broker.contexts.parvis
    north = "urn:ngsi-ld:DistrictMeteredArea:north"
    name = Instance(context.expand("name"), Kind.PROPERTY, "North")
    await platform.broker.write(ADA, [Change(north, Mode.CREATE, (name,), types=(context.expand("District"),))])
    one, _ = await done(imports, received(imports, tmp_path, WIDE, TABLE), IMPORT)

    _, job = await done(imports, one, UNDO)

    assert job.result == {"entities": 1, "series": 1, "kept": 0}
    entity = await platform.broker.get(ADA, north)
    assert [context.compact(one.name) for one in entity.instances] == ["name"]
    history = await platform.broker.history(ADA, north, TemporalQuery(attrs=(context.expand("inflow"),)))
    assert history.instances == {}


@pytest.mark.parametrize("is_before", [True, False])
async def test_what_stands_between_its_rows_is_not_taken_back_with_them(
    platform: Platform, imports: Imports, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_before: bool
) -> None:
    """It was stored before the import, where no step of it looks, or since."""
    monkeypatch.setattr(passage, "AHEAD", 1)
    context = platform.broker.contexts.parvis
    north, inflow = "urn:ngsi-ld:DistrictMeteredArea:north", context.expand("inflow")

    async def measure(at: str) -> None:
        told = Instance(inflow, Kind.PROPERTY, 7.5, observed_at=parse_instant(at))
        types = (context.expand("DistrictMeteredArea"),)
        await platform.broker.write(ADA, [Change(north, Mode.UPSERT_UPDATE, (told,), types=types, keep_newest=True)])

    await measure("2026-01-01T01:00:00Z" if is_before else "2025-01-01T00:00:00Z")
    one, _ = await done(imports, received(imports, tmp_path, WIDE, TABLE), IMPORT)
    if not is_before:
        await measure("2026-01-01T01:00:00Z")
    _, job = await done(imports, one, UNDO)

    assert job.result == {"entities": 1, "series": 0, "kept": 1}
    history = await platform.broker.history(ADA, north, TemporalQuery(attrs=(inflow,)))
    assert parse_instant("2026-01-01T01:00:00Z") in [told.observed_at for told in history.instances[inflow, ""]]


async def test_a_file_that_is_imported_twice_at_once_is_stored_once(
    platform: Platform, imports: Imports, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever has looked what is stored waits for the other one to look as well, if it may."""
    looked: list[Intake] = []
    look_ahead = Intake.look_ahead

    async def together(of: Intake, records: Sequence[Record]) -> None:
        await look_ahead(of, records)
        looked.append(of)
        with suppress(TimeoutError):
            async with asyncio.timeout(2):
                while len(looked) < 2:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)

    monkeypatch.setattr(Intake, "look_ahead", together)
    both = [received(imports, tmp_path, WIDE, TABLE, name) for name in ("one.csv", "other.csv")]
    jobs = [job for _, job in await asyncio.gather(*(done(imports, one, IMPORT) for one in both))]
    assert sorted(str(job.result["verdicts"]) for job in jobs) == ["{'added': 4}", "{'stored-before': 4}"]


async def test_what_somebody_changed_since_stays(platform: Platform, imports: Imports, tmp_path: Path) -> None:
    one, _ = await done(imports, received(imports, tmp_path, BINS, ROWS), IMPORT)
    context = platform.broker.contexts.parvis
    level = Instance(context.expand("fillingLevel"), Kind.PROPERTY, 0.5)
    await platform.broker.write(ADA, [Change("urn:ngsi-ld:WasteContainer:1", Mode.APPEND, (level,))])

    _, job = await done(imports, one, UNDO)

    assert job.result == {"entities": 1, "series": 0, "kept": 1}
    assert (await platform.broker.get(ADA, "urn:ngsi-ld:WasteContainer:1")).find(level.name) is not None


@pytest.mark.parametrize("is_committed", [False, True])
async def test_a_step_that_was_broken_off_is_done_once(
    platform: Platform, imports: Imports, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_committed: bool
) -> None:
    """What `kill -9` leaves: the step's end is kept, and its transaction has happened or has not."""
    monkeypatch.setattr(passage, "BATCH", 2)
    table = "ref,place,size\n" + "".join(f"{number},,{number}\n" for number in range(9))
    one = received(imports, tmp_path, BINS, table)
    broken = RuntimeError("killed")
    write, writes = platform.broker.write, 0

    async def dying(*args: object) -> object:
        nonlocal writes
        writes += 1
        if writes != 3:
            return await write(*args)  # type: ignore[arg-type]
        if is_committed:
            await write(*args)  # type: ignore[arg-type]
        raise broken

    monkeypatch.setattr(platform.broker, "write", dying)
    one, job = await done(imports, one, IMPORT)

    assert (job.state, job.attempt) == (JobState.DONE, 2), job.error
    assert job.result["verdicts"] == {"created": 9}, "each once, as if nothing had been"
    assert [line["row"] for line in told(imports, one)] == [str(number) for number in range(2, 11)]
    assert await count(platform.broker) == 9
    assert await platform.broker.outbox.newest() == 9
    made = (imports.folders.folder(one).made).read_text().splitlines()
    assert len(made) == 9


METERS = """
[time]
column = "time"
[[series]]
column = "index"
entity = "urn:ngsi-ld:Meter:{meter}"
type = "Meter"
attribute = "energyIndex"
"""


@pytest.mark.parametrize(("most_read", "ahead"), [(3, 50), (3, 3), (50, 4)])
async def test_a_row_that_comes_again_is_written_once_however_little_is_remembered(
    platform: Platform, imports: Imports, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most_read: int, ahead: int
) -> None:
    monkeypatch.setattr(passage, "BATCH", 2)
    monkeypatch.setattr(passage, "AHEAD", ahead)
    monkeypatch.setattr(intake, "MOST_READ", most_read)
    rows = [f"2026-01-01T00:0{number % 7}:00Z,m{number % 2},{number % 7}" for number in range(30)]
    one = received(imports, tmp_path, METERS, "\n".join(["time,meter,index", *rows]))

    _, job = await done(imports, one, IMPORT)

    verdicts = job.result["verdicts"]
    assert verdicts["added"] == 14
    assert verdicts.get("repeated", 0) + verdicts.get("stored-before", 0) == 16
    for meter in ("m0", "m1"):
        history = await platform.broker.history(ADA, f"urn:ngsi-ld:Meter:{meter}", TemporalQuery())
        (instances,) = history.instances.values()
        assert [one.value for one in instances] == list(range(7))


async def test_an_import_that_was_cancelled_goes_on_where_it_was(
    platform: Platform, imports: Imports, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passage, "BATCH", 2)
    table = "ref,place,size\n" + "".join(f"{number},,{number}\n" for number in range(9))
    one = received(imports, tmp_path, BINS, table)
    write, writes, reached = platform.broker.write, 0, asyncio.Event()

    async def slow(*args: object) -> object:
        nonlocal writes
        writes += 1
        if writes == 3:
            reached.set()
            await asyncio.sleep(60)
        return await write(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(platform.broker, "write", slow)
    one = await imports.start(ADA, one, IMPORT)
    async with asyncio.timeout(20):
        await reached.wait()
    with pytest.raises(WrongState):
        await imports.start(ADA, one, IMPORT)
    assert one.job_id is not None
    await platform.jobs.cancel(system_admin(), one.job_id)
    while (job := await imports.find_job(one)) is None or not job.state.has_ended:  # noqa: ASYNC110 - a job of its own
        await asyncio.sleep(0.02)
    assert job.state is JobState.CANCELLED
    assert await count(platform.broker) == 4
    await imports.tidy()

    _, job = await done(imports, imports.folders.get(one.tenant, one.id), IMPORT)

    assert job.result["verdicts"] == {"created": 9}
    assert writes == 6, "what was written is not written again"


def system_admin() -> Caller:
    return Caller("default", "account:ada", ADMINISTRATOR)


async def test_a_formula_counts_with_the_value_saved_with_it(
    platform: Platform, imports: Imports, tmp_path: Path
) -> None:
    book = openpyxl.Workbook()
    for row in (["ref", "place", "size"], [1, None, "=1+1"], ['=HYPERLINK("http://x")', None, 5]):
        book.active.append(row)
    book.save(tmp_path / "bins.xlsx")
    one = imports.take(ADA, tmp_path / "bins.xlsx", Origin.UPLOAD)
    (tmp_path / "mapping.toml").write_text(BINS)
    one = imports.choose(one, load_mapping(tmp_path / "mapping.toml"))
    one, job = await done(imports, one, IMPORT)
    assert job.result == {"rows": 2, "rejected": {"INCOMPLETE_ROW": 1}, "verdicts": {"created": 1}}
    entity = await platform.broker.get(ADA, "urn:ngsi-ld:WasteContainer:1")
    assert entity.instances == (), "nobody has reckoned it yet"


async def test_another_mapping_reads_the_file_anew(platform: Platform, imports: Imports, tmp_path: Path) -> None:
    one, _ = await done(imports, received(imports, tmp_path, BINS, ROWS), CHECK)
    (tmp_path / "mapping.toml").write_text(BINS.replace("binCapacity", "capacity"))
    one = imports.choose(one, load_mapping(tmp_path / "mapping.toml"))

    await done(imports, one, IMPORT)

    entity = await platform.broker.get(ADA, "urn:ngsi-ld:WasteContainer:1")
    assert entity.find(platform.broker.contexts.parvis.expand("capacity")) is not None


async def test_a_file_that_cannot_be_read_fails_at_once_and_says_why(imports: Imports, tmp_path: Path) -> None:
    one = received(imports, tmp_path, BINS, "a,b\n1,2\n")
    _, job = await done(imports, one, IMPORT)
    assert (job.state, job.attempt) == (JobState.FAILED, 1)
    assert "has no column 'size'" in job.error


async def test_who_may_not_write_imports_nothing(imports: Imports, tmp_path: Path) -> None:
    from parvis.kernel.errors import Forbidden

    with pytest.raises(Forbidden):
        imports.receive(Caller("default", "reader", Right.READ), "x.csv", Origin.UPLOAD)
    with pytest.raises(InvalidMapping, match=r"\.csv"):
        imports.receive(ADA, "x.exe", Origin.UPLOAD)
    with pytest.raises(ResourceNotFound):
        imports.folders.get("default", "../../etc")


async def test_a_name_from_elsewhere_stays_in_its_folder(imports: Imports) -> None:
    one = imports.receive(ADA, "..\\..\\/../evil/\0../.bashrc.csv", Origin.UPLOAD)
    source = imports.folders.source(one)
    assert source.parent == imports.folders.folder(one).path / "source"
    assert "/" not in one.name
    assert not one.name.startswith(".")


async def test_a_name_is_cut_to_what_a_file_system_takes(imports: Imports) -> None:
    one = imports.receive(ADA, "容器" * 150 + ".csv", Origin.UPLOAD)
    imports.folders.source(one).write_bytes(b"a,b\n")
    assert one.name.endswith("容器.csv")


async def test_tidying_lets_go_of_old_imports_and_of_events(
    platform: Platform, imports: Imports, tmp_path: Path
) -> None:
    one = received(imports, tmp_path, BINS, ROWS)
    consumer = passage.consumer_of(one)
    await platform.broker.outbox.advance({consumer: 5})
    imports.folders.folder(one).keep("pending", Position(100, 5))

    await imports.tidy()

    assert await platform.broker.outbox.position(consumer) == 0
    assert imports.folders.folder(one).find("position", Position) == Position(100, 5), "it goes on from there"
    old = imports.folders.save(Import(one.id, one.tenant, one.name, one.origin, "ada", 0))
    stray = imports.folders.folder(old).path.with_name("half-made")
    stray.mkdir()
    assert imports.folders.clear_strays("default", 3600) == 0, "somebody may be at it"
    assert imports.folders.clear_strays("default", -1) == 1
    await imports.tidy()
    with pytest.raises(ResourceNotFound):
        imports.folders.get(old.tenant, old.id)


async def until(look: Callable[[], bool], inbox: Inbox) -> None:
    async with asyncio.timeout(20):
        while not look():
            await inbox.look()
            await asyncio.sleep(0.02)


async def test_a_file_dropped_is_imported_and_put_back(platform: Platform, imports: Imports, tmp_path: Path) -> None:
    folder = tmp_path / "inbox"
    inbox = Inbox(imports, folder, quiet_s=0)
    (tmp_path / "bins.toml").write_text(BINS)
    imports.folders.save_mapping("default", "bins", load_mapping(tmp_path / "bins.toml"))
    (folder / "bins").mkdir(parents=True)
    (folder / "unknown").mkdir()
    (folder / "bins/town.csv").write_text(ROWS)
    (folder / "bins/half.csv.part").write_text("ref")
    (folder / "unknown/town.csv").write_text(ROWS)
    (folder / "bins/damaged.xlsx").write_text("no workbook")

    await until(lambda: (folder / "bins/done/town.csv").exists(), inbox)
    await until(lambda: (folder / "bins/failed/damaged.xlsx.error.txt").exists(), inbox)

    assert (folder / "bins/done/town.csv").read_text() == ROWS
    assert "unreadable_place" in (folder / "bins/done/town.csv.report.csv").read_text()
    assert "no mapping 'unknown'" in (folder / "unknown/failed/town.csv.error.txt").read_text()
    assert "damaged.xlsx cannot be read" in (folder / "bins/failed/damaged.xlsx.error.txt").read_text()
    assert (folder / "bins/half.csv.part").exists()
    assert await count(platform.broker) == 2


def test_mappings_are_kept_by_tenant(imports: Imports, tmp_path: Path) -> None:
    (tmp_path / "bins.toml").write_text(BINS)
    mapping: Mapping = load_mapping(tmp_path / "bins.toml")
    imports.folders.save_mapping("default", "bins of town", mapping)
    assert imports.folders.find_mapping("default", "bins of town") == mapping
    assert imports.folders.find_mapping("other", "bins of town") is None
    assert imports.folders.list_mappings("default") == ["bins of town"]
    with pytest.raises(InvalidMapping):
        imports.folders.save_mapping("default", "../x", mapping)


@pytest.mark.parametrize("tenant", [".", "..", "a/../../b", "%2E%2E"])
def test_no_tenants_name_leads_out_of_the_folders(tmp_path: Path, tenant: str) -> None:
    folders = Folders(tmp_path)
    one = folders.create(tenant, "bins.csv", Origin.UPLOAD, "user:a", 0)
    assert folders.folder(one).path.resolve().parent.parent == tmp_path / "imports"
    assert list(folders.tenants()) == [tenant]
    (tmp_path / "bins.toml").write_text(BINS)
    folders.save_mapping(tenant, "bins", load_mapping(tmp_path / "bins.toml"))
    assert [one.resolve().parent.parent for one in tmp_path.rglob("bins.json")] == [tmp_path / "mappings"]
