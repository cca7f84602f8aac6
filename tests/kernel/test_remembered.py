"""Which store a data directory's platform was last started on, and what its password is not: written down."""

from pathlib import Path

import pytest

from parvis.kernel.remembered import (
    REMEMBERED_FILE,
    check_store_is_named,
    find_remembered,
    on_remembered_store,
    remember_store,
    without_password,
)
from parvis.kernel.settings import InvalidSettings, Settings, StoreSettings

WITHOUT = "postgresql://parvis@db.internal/town"
WITH = "postgresql://parvis:s3cret@db.internal/town"


def on(data_dir: Path, url: str = "") -> Settings:
    return Settings(data_dir, store=StoreSettings(url))


def test_a_store_that_is_not_named_is_the_remembered_one(tmp_path: Path) -> None:
    remember_store(on(tmp_path, WITHOUT))
    assert on_remembered_store(on(tmp_path)).store.url == WITHOUT
    assert on_remembered_store(on(tmp_path, "sqlite:///other.db")).store.url == "sqlite:///other.db"


def test_what_serves_must_name_it(tmp_path: Path) -> None:
    check_store_is_named(on(tmp_path))
    remember_store(on(tmp_path, WITHOUT))
    check_store_is_named(on(tmp_path, WITHOUT))
    with pytest.raises(InvalidSettings, match=r"db\.internal/town: say so with --store"):
        check_store_is_named(on(tmp_path))


def test_a_password_is_asked_for_and_not_written_down(tmp_path: Path) -> None:
    remember_store(on(tmp_path, WITH))
    assert all("s3cret" not in path.read_text() for path in tmp_path.iterdir())
    assert on_remembered_store(on(tmp_path, WITH)).store.url == WITH
    with pytest.raises(InvalidSettings, match="PARVIS_STORE_URL") as refused:
        on_remembered_store(on(tmp_path))
    assert "parvis:***@db.internal/town" in refused.value.detail


@pytest.mark.parametrize(
    ("url", "told"),
    [
        (WITH, "postgresql://parvis:***@db.internal/town"),
        (WITHOUT, WITHOUT),
        ("postgresql://db.internal:5433/town", "postgresql://db.internal:5433/town"),
        ("postgresql:///town?user=a&password=s%20x&host=/run", "postgresql:///town?user=a&password=***&host=/run"),
        ("postgresql://a:b%40c@[::1]:5432/town", "postgresql://a:***@[::1]:5432/town"),
        ("sqlite:////srv/town.db", "sqlite:////srv/town.db"),
    ],
)
def test_only_passwords_are_left_out(url: str, told: str) -> None:
    assert without_password(url) == told


def test_starting_in_the_data_directory_itself_forgets_it(tmp_path: Path) -> None:
    remember_store(on(tmp_path))
    assert find_remembered(tmp_path) is None
    remember_store(on(tmp_path, WITHOUT))
    remember_store(on(tmp_path))
    assert not (tmp_path / REMEMBERED_FILE).exists()
    assert on_remembered_store(on(tmp_path)).store.url == ""


def test_a_directory_that_takes_nothing_does_not_keep_the_platform_from_starting(tmp_path: Path) -> None:
    remember_store(on(tmp_path / "gone", WITHOUT))
    assert find_remembered(tmp_path / "gone") is None
