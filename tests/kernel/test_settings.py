import tomllib
from pathlib import Path
from typing import Any

import pytest

from parvis.kernel.settings import (
    InvalidSettings,
    Settings,
    list_settings,
)
from parvis.kernel.settings_reader import load_settings
from parvis.kernel.territory_file import render_territory_file


def write(directory: Path, text: str) -> Path:
    (directory / "territory.toml").write_text(text, encoding="utf-8")
    return directory


def test_an_empty_data_directory_gives_the_defaults(tmp_path: Path) -> None:
    assert load_settings(tmp_path) == Settings(tmp_path)


def test_the_command_line_wins_over_the_environment_and_that_over_the_file(tmp_path: Path) -> None:
    write(tmp_path, '[server]\nport = 1\nhost = "::1"\n[territory]\nname = "Trevalan"\n')

    settings = load_settings(tmp_path, {"PARVIS_PORT": "2", "PARVIS_HOST": "127.0.0.2"}, {"server.port": 3})

    assert (settings.territory.name, settings.server.host, settings.server.port) == ("Trevalan", "127.0.0.2", 3)


def test_what_the_command_line_leaves_open_changes_nothing(tmp_path: Path) -> None:
    assert load_settings(tmp_path, {}, {"server.port": None}).server.port == 8080


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[server]\nprot = 1\n", "did you mean server.port?"),
        ("[sever]\nport = 1\n", "did you mean [server]?"),
        ("[server]\nport = 'a'\n", "server.port must be a whole number, not 'a'"),
        ("[server]\nport = 70000\n", "must be at most 65535"),
        ("[server]\nport = true\n", "must be a whole number"),
        ("[server]\nstop_timeout_s = nan\n", "must be a number that can be counted with"),
        (f"[territory]\ntime_zone = '{'a' * 300}'\n", "there is no time zone"),
        (f"[jobs]\nkeep_days = {10**400}\n", "must be a number that can be counted with"),
        ("[jobs]\nkeep_days = inf\n", "must be a number that can be counted with"),
        ("[log]\nlevel = 'loud'\n", "must be one of debug, info, warning, error"),
        ("[territory]\nlanguages = 'fr'\n", "must be a list"),
        ("[territory]\nlanguages = ['de']\n", "must be one of fr, en"),
        ("[server\n", "no valid TOML"),
        ("[territory]\ntime_zone = 'Europe/Trevalan'\n", "no time zone 'Europe/Trevalan'"),
        ("[territory]\ncentre = [47.7]\n", "a longitude and a latitude"),
        ("[territory]\ncentre = [47.7, -103.3]\n", "a longitude and a latitude"),
        ("[territory]\nlanguages = []\n", "at least one language"),
    ],
)
def test_a_wrong_file_is_refused_with_what_to_do(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(InvalidSettings) as refusal:
        load_settings(write(tmp_path, text))
    assert complaint in refusal.value.detail


@pytest.mark.parametrize(
    ("variable", "text", "complaint"),
    [
        ("PARVIS_PORTT", "1", "did you mean PARVIS_PORT?"),
        ("PARVIS_DATA_", "x", "did you mean PARVIS_DATA?"),
        ("PARVIS_PORT", "many", "no whole number"),
        ("PARVIS_AUTH", "perhaps", "neither on nor off"),
    ],
)
def test_a_wrong_variable_is_refused(tmp_path: Path, variable: str, text: str, complaint: str) -> None:
    with pytest.raises(InvalidSettings) as refusal:
        load_settings(tmp_path, {variable: text})
    assert complaint in refusal.value.detail


def test_variables_of_other_tools_are_left_alone(tmp_path: Path) -> None:
    assert load_settings(tmp_path, {"PARVIS_SHARED_DATA": "anywhere", "HOME": "x"}) == Settings(tmp_path)


def test_the_variable_that_names_the_data_directory_is_taken_for_no_setting(tmp_path: Path) -> None:
    assert load_settings(tmp_path, {"PARVIS_DATA": str(tmp_path)}) == Settings(tmp_path)


def test_lists_in_the_environment_are_separated_by_commas(tmp_path: Path) -> None:
    settings = load_settings(
        tmp_path, {"PARVIS_TERRITORY_CENTRE": "-3.5, 48.7", "PARVIS_ACCESS_PUBLIC_TYPES": "Building,Vehicle"}
    )

    assert settings.territory.centre == (-3.5, 48.7)
    assert settings.public
    assert settings.access.public_types == ("Building", "Vehicle")


def test_a_fresh_territory_file_says_everything_and_changes_nothing(tmp_path: Path) -> None:
    text = render_territory_file()

    assert load_settings(write(tmp_path, text)) == Settings(tmp_path)
    for info in list_settings():
        assert info.documentation.description in text
        assert info.environment in text


def test_the_commented_defaults_are_what_the_program_takes() -> None:
    text = render_territory_file()
    bare = "\n".join(line[2:] if " = " in line and line.startswith("# ") else line for line in text.splitlines())

    document: dict[str, Any] = tomllib.loads(
        "\n".join(line for line in bare.splitlines() if line.startswith("[") or " = " in line)
    )

    for info in list_settings():
        value = document[info.section][info.name]
        assert (tuple(value) if isinstance(value, list) else value) == info.default


def test_what_is_given_to_a_fresh_file_is_set(tmp_path: Path) -> None:
    write(tmp_path, render_territory_file({"territory.name": 'L’"Aber"', "territory.centre": (-3.5, 48.7)}))

    settings = load_settings(tmp_path)

    assert (settings.territory.name, settings.territory.centre) == ('L’"Aber"', (-3.5, 48.7))
