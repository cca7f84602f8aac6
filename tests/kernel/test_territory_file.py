"""A file that people keep by hand is changed line by line."""

import tomllib
from pathlib import Path

import pytest

from parvis.kernel.settings import InvalidSettings, Settings
from parvis.kernel.settings_at_hand import LOOK_EVERY_S, SettingsAtHand
from parvis.kernel.settings_reader import load_settings
from parvis.kernel.territory_file import change_territory_file, render_territory_file

BY_HAND = """# ours since 2024
[territory]
name = "Old"   # as the council wrote it
languages = ["fr"]

[connectors.feeds]
every_s = 60

[[connectors.feeds.feed]]
name = "river"
"""


def written(folder: Path) -> str:
    return (folder / "territory.toml").read_text(encoding="utf-8")


def test_an_empty_folder_gets_the_file_with_every_setting_explained(tmp_path: Path) -> None:
    change_territory_file(tmp_path, {"territory.name": "L’Île-d’Yeu", "territory.centre": (-2.3, 46.7)})
    assert load_settings(tmp_path).territory.name == "L’Île-d’Yeu"
    assert load_settings(tmp_path).territory.centre == (-2.3, 46.7)
    assert len(written(tmp_path).splitlines()) == len(render_territory_file().splitlines())


def test_what_is_not_changed_stays_as_it_was_written(tmp_path: Path) -> None:
    (tmp_path / "territory.toml").write_text(BY_HAND, encoding="utf-8")
    change_territory_file(tmp_path, {"territory.name": "New", "territory.zoom": 12.0, "mqtt.host": "0.0.0.0"})
    text = written(tmp_path)
    assert text.startswith("# ours since 2024\n[territory]\nzoom = 12.0\nname = ")
    document = tomllib.loads(text)
    assert document["connectors"] == tomllib.loads(BY_HAND)["connectors"]
    assert document["territory"] == {"name": "New", "languages": ["fr"], "zoom": 12.0}
    assert document["mqtt"] == {"host": "0.0.0.0"}


@pytest.mark.parametrize("text", ['[territory]\nname = """\nTwo\nlines"""\n', 'territory = {name = "inline"}\n'])
def test_what_is_written_in_another_way_is_left_alone(tmp_path: Path, text: str) -> None:
    (tmp_path / "territory.toml").write_text(text, encoding="utf-8")
    with pytest.raises(InvalidSettings, match="by hand"):
        change_territory_file(tmp_path, {"territory.name": "New"})
    assert written(tmp_path) == text


@pytest.mark.parametrize("change", [{"territory.time_zone": "Mars/Olympus"}, {"territory.zoom": 30.0}, {"a.b": 1}])
def test_what_no_start_would_take_is_refused_before_anything_is_written(tmp_path: Path, change: dict[str, str]) -> None:
    with pytest.raises(InvalidSettings):
        change_territory_file(tmp_path, change)
    assert not (tmp_path / "territory.toml").exists()


def test_a_name_holds_from_the_moment_it_is_chosen_and_in_other_processes_soon(tmp_path: Path) -> None:
    now_s = [0.0]
    here, elsewhere = (SettingsAtHand(Settings(tmp_path), {}, lambda: now_s[0]) for _ in range(2))
    here.change({"territory.name": "Lorient"})
    assert (here.territory.name, elsewhere.territory.name) == ("Lorient", "My territory")
    now_s[0] = LOOK_EVERY_S
    assert elsewhere.territory.name == "Lorient"


def test_a_file_that_was_broken_by_hand_changes_nothing(tmp_path: Path) -> None:
    at_hand = SettingsAtHand(Settings(tmp_path), {}, lambda: 10.0)
    at_hand.change({"territory.name": "Lorient"})
    assert at_hand.territory.name == "Lorient"
    (tmp_path / "territory.toml").write_text("[territory", encoding="utf-8")
    at_hand._look_at_s = 0.0
    assert at_hand.territory.name == "Lorient"


def test_what_the_environment_overrules_is_known(tmp_path: Path) -> None:
    at_hand = SettingsAtHand(Settings(tmp_path), {"PARVIS_TERRITORY_NAME": "Elsewhere"})
    change = {"territory.name": "Lorient", "territory.zoom": 9.0}
    at_hand.change(change)
    assert at_hand.find_overruled(change) == ["territory.name"]
