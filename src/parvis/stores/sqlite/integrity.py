"""Whether a file is sound, without stopping who writes in it."""

import sqlite3
from pathlib import Path


def find_damage(path: Path) -> list[str]:
    """What SQLite's quick check finds wrong; nothing where it is sound."""
    connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
    try:
        rows = [str(row[0]) for row in connection.execute("PRAGMA quick_check(20)")]
    except sqlite3.DatabaseError as error:
        return [str(error)]
    finally:
        connection.close()
    return [] if rows == ["ok"] else rows
