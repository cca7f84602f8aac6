import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from parvis.stores.sqlite import access


def test_its_tables_are_made_at_once_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "access.db"
    with monkeypatch.context() as patch:
        patch.setattr(access, "_ADDED", (("no_such_table", "name", "TEXT"),))
        with pytest.raises(sqlite3.OperationalError, match="no_such_table"):
            access.SqliteAccessStore(path)
    with closing(sqlite3.connect(path)) as looking:
        assert looking.execute("SELECT name FROM sqlite_master").fetchall() == []
    store = access.SqliteAccessStore(path)
    assert store.list_accounts() == []
    store.close()
