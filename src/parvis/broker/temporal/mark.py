"""How far a past had come when it was begun to be read, so that a later transaction sees whether that was all of it."""

from typing import NamedTuple

from parvis.broker.ports.archive import ArchivedEntity
from parvis.broker.temporal.erasure import Erasure
from parvis.broker.temporal.instance import FoundOutdated
from parvis.broker.temporal.reading import EARLIEST, LATEST, Window


class Mark(NamedTuple):
    """The newest instance of the store, the newest erasure of the entity, and the files that its series had."""

    seq: int
    erasure: int
    paths: frozenset[str]


def paths_in(archived: ArchivedEntity | None, erasure: Erasure) -> frozenset[str]:
    """Files that may hold what the erasure is of."""
    if archived is None:
        return frozenset()
    start, end = erasure.since, erasure.before
    window = Window(by_recorded=False, start=EARLIEST if start is None else start, end=LATEST if end is None else end)
    return frozenset(
        one.file.path
        for key in archived.list_series()
        if erasure.attribute in (None, key[0]) and erasure.dataset in (None, key[1])
        for one in archived.list_files(key, window)
    )


def check_unchanged(mark: Mark, erasure: Erasure, archived: ArchivedEntity | None, *, has_newer: bool) -> None:
    """`has_newer`: an instance in it, or an erasure of some of it, has a higher number than the mark.

    Raises FoundOutdated.
    """
    if has_newer or not paths_in(archived, erasure) <= mark.paths:
        raise FoundOutdated
