"""`parvis device` against a platform that runs, as an operator uses it."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from benchmarks.harness.platform import Served, serving
from parvis.cli import commands

Run = Callable[..., Result]
EUI, NEW_EUI = "70b3d5499e000001", "70b3d5499e0000bb"
SHEET = f"deveui,profile,name,groups\n{EUI},cayenne-lpp,Hall,school\n70b3d5499e000002,nothing,x,\n"


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serving() as served:
        yield served


@pytest.fixture
def run(served: Served) -> Run:
    def run(*arguments: str, url: str = served.address) -> Result:
        return CliRunner().invoke(commands, ["device", *arguments, "--url", url])

    return run


def test_devices_come_from_a_file_are_found_replaced_and_exported(run: Run, tmp_path: Path) -> None:
    sheet = tmp_path / "devices.csv"
    sheet.write_text(SHEET)
    checked = run("import", str(sheet), "--dry-run")
    assert checked.exit_code == 3
    assert "2 lines: 1 new, 0 known, 1 left out" in checked.output
    assert "line 3, profile: There is no such profile 'nothing'" in checked.output

    assert run("import", str(sheet)).exit_code == 3
    assert f"{EUI} " in once_it_is_there(run, "list", "--group", "school")
    replaced = run("replace", EUI, NEW_EUI)
    assert replaced.exit_code == 0, replaced.output
    assert "urn:ngsi-ld:" in replaced.output
    assert EUI in run("list", "--standing", "replaced").output
    assert NEW_EUI in run("export", "--language", "fr").output


def test_one_device_is_added_and_one_that_cannot_be_is_told(run: Run) -> None:
    added = run(
        "add", "0254520112345678", "cayenne-lpp", "urn:ngsi-ld:Room:1", "--place", "2.35", "48.85", "--tag", "new"
    )
    assert "urn:ngsi-ld:Device:0254520112345678 created" in added.output
    refused = run("add", "0254520112345678", "nothing", "urn:ngsi-ld:Room:1")
    assert refused.exit_code != 0
    assert "nothing" in str(refused.exception)


def test_labels_are_a_sheet_to_print(run: Run, tmp_path: Path) -> None:
    sheet, out = tmp_path / "devices.csv", tmp_path / "labels.html"
    sheet.write_text("identifiant;profil;modèle;nom;lat;lon\n70-B3-D5-49-9E-00-00-CC;cayenne-lpp;M1;Gym;47,7;-3,2\n")
    made = run("claims", str(sheet), "--batch", "Autumn", "--out", str(out))
    assert made.exit_code == 0, made.output
    assert out.read_text().count("<svg") == 1
    assert "<p>Gym</p><p>70b3d5499e0000cc</p>" in out.read_text()


def test_what_is_wrong_with_an_identifier_or_a_line_is_said(run: Run, tmp_path: Path) -> None:
    assert "4 to 64 letters" in str(run("add", "x", "cayenne-lpp", "urn:ngsi-ld:Room:1").exception)
    sheet = tmp_path / "devices.csv"
    sheet.write_text(
        "hardware_id;profile;lat;lon\n70b3d5499e0000c1;cayenne-lpp;;-3,2\n70b3d5499e0000c2;cayenne-lpp;47;x\n"
    )
    refused = str(run("claims", str(sheet), "--batch", "Autumn", "--out", str(tmp_path / "labels.html")).exception)
    assert "Device 1 of the file, 70b3d5499e0000c1" in refused
    assert "Device 2 of the file, 70b3d5499e0000c2" in refused


def test_the_quarantine_is_empty_and_a_platform_that_is_not_there_is_told(run: Run) -> None:
    assert run("quarantine").output == ""
    assert run("quarantine", "--forget", EUI).output == "0 frames are forgotten.\n"
    gone = run("list", url="http://127.0.0.1:9")
    assert "does not answer" in str(gone.exception)


def test_where_the_platform_is_may_be_said_by_the_environment(served: Served) -> None:
    port = served.address.rpartition(":")[2]
    for environment in ({"PARVIS_PORT": port}, {"PARVIS_URL": served.address, "PARVIS_PORT": "9"}):
        listed = CliRunner().invoke(commands, ["device", "list"], env=environment)
        assert listed.exit_code == 0, listed.exception


def once_it_is_there(run: Run, *arguments: str) -> str:
    for _ in range(100):
        if said := run(*arguments).output:
            return said
        time.sleep(0.05)
    raise AssertionError("the job registers nothing")
