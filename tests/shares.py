"""How the files of the suite are shared among its processes.

The folders take turns, each with its slow files first: what waits for processes and browsers runs beside what computes,
and what is left to the end is short, when no process should wait for another one's last file.
"""

from collections import Counter
from collections.abc import Sequence

import pytest
from xdist.scheduler import LoadFileScheduling

TOGETHER = ("tests/demo/",)
"""Folders whose files share what takes a process long to make."""


class Shares(LoadFileScheduling):  # type: ignore[misc]
    def _split_scope(self, nodeid: str) -> str:
        return next((folder for folder in TOGETHER if nodeid.startswith(folder)), file_of(nodeid))


def in_turns(items: Sequence[pytest.Item]) -> list[pytest.Item]:
    """The slow files of every folder before its others, and the first file of each folder before any one's second."""
    slow = {file_of(item.nodeid) for item in items if item.get_closest_marker("slow")}
    files = dict.fromkeys(file_of(item.nodeid) for item in items)
    met: Counter[str] = Counter()
    turns: dict[str, int] = {}
    for file in sorted(files, key=lambda file: file not in slow):
        folder = "/".join(file.split("/")[:2])
        met[folder] += 1
        turns[file] = met[folder]
    return sorted(items, key=lambda item: turns[file_of(item.nodeid)])


def file_of(nodeid: str) -> str:
    return nodeid.split("::", 1)[0]
