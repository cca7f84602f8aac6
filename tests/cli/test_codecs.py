import json
from pathlib import Path

from click.testing import CliRunner, Result

from parvis.cli import commands
from parvis.kernel.errors import ParvisError
from tests.fleet.profiles.imports.checkout import write_checkout


def call(*arguments: object) -> Result:
    return CliRunner().invoke(commands, ["import", "codecs", *map(str, arguments)])


def test_the_codecs_of_a_repository_are_tried_and_what_fails_is_shown(tmp_path: Path) -> None:
    result = call(write_checkout(tmp_path), "--at-least", 80)
    assert result.exit_code == 0
    assert "acme                                    3        1       2         7       6" in result.stdout
    assert "acme/climate-codec decodeUplink 2: DIFFERS: data.hum: 0, expected 1" in result.stdout
    assert "acme/missing.yaml cannot be read: No such file or directory" in result.stdout
    assert "85.71 % of the examples pass; 80 % would do: enough." in result.stdout
    assert not (tmp_path / "data").exists()


def test_too_few_that_pass_end_with_exit_code_1(tmp_path: Path) -> None:
    result = call(write_checkout(tmp_path))
    assert result.exit_code == 1
    assert "98 % would do: too few." in result.stdout


def test_the_report_comes_as_json_with_each_example(tmp_path: Path) -> None:
    result = call(write_checkout(tmp_path), "--vendor", "acme", "--json")
    report = json.loads(result.stdout)
    assert (report["examples"], report["passed"], report["devices"], report["devicesPassing"]) == (7, 6, 3, 1)
    assert report["reasons"] == {"DIFFERS": 1}
    (climate, _) = report["vendors"][0]["codecs"]
    assert climate["devices"] == ["climate", "climate-outdoor"]
    assert climate["examples"][0] == {
        "routine": "decodeUplink",
        "number": 1,
        "description": "Warm",
        "verdict": "PASSED",
        "detail": "",
    }


def test_profiles_are_made_that_the_platform_starts_with(tmp_path: Path) -> None:
    data = tmp_path / "data"
    result = call(write_checkout(tmp_path), "--install", "--data", data, "--at-least", 0)
    assert result.exit_code == 0
    assert "3 profiles made, with 5 attributes guessed." in result.stdout
    assert CliRunner().invoke(commands, ["check", "--data", str(data)]).exit_code == 0
    assert "3 left out: it is there already." in call(tmp_path, "--install", "--data", data, "--at-least", 0).stdout


def test_a_folder_that_is_no_repository_is_told_in_one_sentence(tmp_path: Path) -> None:
    result = call(tmp_path)
    assert isinstance(result.exception, ParvisError)
    assert "vendor/*/*.yaml" in result.exception.detail
