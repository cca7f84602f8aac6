"""Reading what Robot Framework wrote, and counting it."""

import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parvis.conformance.defects import Defect, find_defect
from parvis.conformance.groups import GROUPS, UnknownGroup, groups_named
from parvis.conformance.instance import Health
from parvis.conformance.report import make_report
from parvis.conformance.results import Case, NoResults, Status, read_results
from parvis.conformance.run import GroupResult
from parvis.conformance.stores import InvalidStore, fresh_store
from parvis.conformance.suite import find_robot, open_suite

CHECKOUT = Path(__file__).parent / "checkout"


def case(name: str, status: Status = "PASS", file: str = "TP/1_2.robot") -> Case:
    return Case(name, file, status, "", (), 0.1)


def result(*cases: Case, fault: str = "", health: Health | None = None) -> GroupResult:
    return GroupResult("Provision", list(cases), health, 1.0, fault)


def test_tests_of_inner_suites_are_found_with_their_file_and_clauses(tmp_path: Path) -> None:
    test = {"name": "001_02_01 One", "status": "FAIL", "message": "a\n   b", "tags": ["5_6_1", "e-create", "4_5"]}
    inner = {"source": str(tmp_path / "TP/001_02.robot"), "tests": [{**test, "elapsed_time": 0.5}]}
    (tmp_path / "output.json").write_text(json.dumps({"suite": {"suites": [{"suites": [inner]}]}}))

    (found,) = read_results(tmp_path / "output.json", tmp_path)

    assert found == Case("001_02_01 One", "TP/001_02.robot", "FAIL", "a b", ("5.6.1", "4.5"), 0.5)
    assert found.id == "001_02_01"


def test_a_test_without_a_number_has_its_file_s() -> None:
    assert case("QueryWithPick", file="TP/019_17.robot").id == "019_17"


@pytest.mark.parametrize("content", ["", "{", '{"suite": 1}', "[]"])
def test_what_is_no_result_is_said(tmp_path: Path, content: str) -> None:
    (tmp_path / "output.json").write_text(content)
    with pytest.raises(NoResults, match="left no results"):
        read_results(tmp_path / "output.json", tmp_path)


_NAMES = st.sampled_from(["suite", "suites", "tests", "name", "status", "tags", "source", "message", "body"])
_DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just("PASS"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NAMES, inner, max_size=4),
    max_leaves=12,
)


@given(document=_DOCUMENTS | st.dictionaries(st.just("suite"), _DOCUMENTS, min_size=1))
@settings(max_examples=100)
def test_any_document_is_either_results_or_none(document: object, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "any.json"
    path.write_text(json.dumps(document))
    with contextlib.suppress(NoResults):
        assert all(isinstance(found, Case) for found in read_results(path, Path("/")))


def test_a_result_nested_beyond_reason_is_none(tmp_path: Path) -> None:
    path = tmp_path / "output.json"
    path.write_text('{"suite":' + '{"suites":[' * 50_000)
    with pytest.raises(NoResults):
        read_results(path, tmp_path)


def test_a_defect_concerns_one_test_or_all_of_a_file() -> None:
    one, whole = Defect("019_17_02", "5.7.2", ""), Defect("019_17", "5.7.2", "")
    tests = [case("019_17_02 A", file="x/019_17.robot"), case("019_17_021 B", file="x/019_18.robot")]
    assert [find_defect(test, [one]) is one for test in tests] == [True, False]
    assert [find_defect(test, [whole]) is whole for test in tests] == [True, False]


def test_a_defect_concerns_one_of_two_files_of_a_name() -> None:
    here, there = (case("X_01 A", file=f"TP/{folder}/X_01.robot") for folder in ("Create", "Query"))
    assert [find_defect(test, [Defect("Create/X_01", "5.6.1", "")]) is None for test in (here, there)] == [False, True]


def test_documented_defects_count_in_neither_part_of_the_corrected_share() -> None:
    tests = [case("1_1 A"), case("1_2 B", "FAIL"), case("1_3 C", "FAIL"), case("1_4 D")]
    report = make_report([result(*tests)], [Defect("1_3", "4", ""), Defect("1_4", "4", "")], "sqlite")
    assert (report.score.raw, report.score.corrected, report.score.set_apart) == (0.5, 0.5, 2)
    assert [one.case.id for one in report.groups[0].failures] == ["1_2"]


def test_nothing_run_is_no_success() -> None:
    assert make_report([], [], "sqlite").score.corrected == 0.0


def test_errors_that_the_standard_asks_for_are_no_internal_ones() -> None:
    health = Health(1, 1, {"500": 2, "501": 7, "503": 1, "504": 9, "508": 4}, 80.0, 81.0)
    assert make_report([result(health=health)], [], "sqlite").internal_errors == 3


def test_an_instance_that_died_is_a_fault() -> None:
    report = make_report([result(health=Health(5, 4, {}, None, None))], [], "sqlite")
    assert report.faults == ["Provision: an instance died"]


def test_the_report_does_not_tell_where_somebody_s_database_is() -> None:
    assert make_report([], [], "postgresql://parvis:secret@db.internal/x").store == "postgresql"


def test_groups_are_chosen_by_name() -> None:
    assert groups_named([]) == GROUPS
    assert [group.name for group in groups_named(["IOP", "Snapshot"])] == ["IOP", "Snapshot"]
    with pytest.raises(UnknownGroup, match="Provision"):
        groups_named(["Provisions"])


def test_groups_do_not_share_tests() -> None:
    folders = [folder for group in GROUPS for folder in group.folders]
    assert not [(one, two) for one in folders for two in folders if one != two and f"{one}/".startswith(f"{two}/")]


def test_contexts_that_the_checkout_has_are_served_under_the_addresses_it_names() -> None:
    suite = open_suite(CHECKOUT)
    files = suite.context_files()
    assert (
        files.pop("https://context.town.example/v1/town.jsonld") == suite.root / "resources/jsonld-contexts/town.jsonld"
    )
    assert [path for path in files.values() if "@context" not in json.loads(path.read_text())] == []


def test_an_interpreter_is_found_from_the_checkout_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_robot(Path("venv/bin/python"))[0] == str(tmp_path / "venv/bin/python")


@pytest.mark.parametrize("store", ["mysql://x/y", "", "sqlite:///x.db"])
def test_a_store_that_cannot_be_made_anew_is_refused(store: str) -> None:
    with pytest.raises(InvalidStore), fresh_store(store):
        pass
