from pathlib import Path

import pytest

from parvis.kernel.secrets import LONGEST_BYTES, find_secret
from parvis.kernel.settings import InvalidSettings
from parvis.kernel.settings_reader import load_settings

URL = "postgresql://town:a secret@database/town"


def test_a_setting_may_lie_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "url").write_text(f"{URL}\n", encoding="utf-8")
    assert load_settings(tmp_path, {"PARVIS_STORE_URL_FILE": str(tmp_path / "url")}).store.url == URL


def test_a_secret_given_twice_is_given_by_mistake(tmp_path: Path) -> None:
    environment = {"PARVIS_STORE_URL_FILE": str(tmp_path / "url"), "PARVIS_STORE_URL": URL}
    with pytest.raises(InvalidSettings, match="both set") as refused:
        load_settings(tmp_path, environment)
    assert "secret" not in refused.value.detail


def test_only_the_last_line_break_is_no_part_of_it(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b" pass\nword \r\n")
    assert find_secret("A", {"A_FILE": str(tmp_path / "a")}) == " pass\nword "
    assert find_secret("A", {"A": "plain"}) == "plain"
    assert find_secret("A", {}) is None


@pytest.mark.parametrize(
    ("content", "why"),
    [(None, "cannot be read"), (b"\xff\xfe\0", "no text"), (b"x" * (LONGEST_BYTES + 1), "more than")],
)
def test_a_file_that_is_none_is_told_with_the_variable_that_names_it(
    tmp_path: Path, content: bytes | None, why: str
) -> None:
    path = tmp_path / "a"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InvalidSettings, match=why) as refused:
        load_settings(tmp_path, {"PARVIS_TERRITORY_NAME_FILE": str(path)})
    assert "PARVIS_TERRITORY_NAME_FILE" in refused.value.detail
