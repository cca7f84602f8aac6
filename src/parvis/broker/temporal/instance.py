"""One instance of the past, found in a snapshot and dealt with in a later transaction."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import NamedTuple, TypeVar

from parvis.broker.model.entity import Instance, Iri
from parvis.broker.ports.archive import SNAPSHOTS, ArchivedEntity, ArchiveFileGone
from parvis.broker.temporal.reading import Source, Window
from parvis.kernel.errors import Overloaded, ResourceNotFound

Done = TypeVar("Done")


class Found(NamedTuple):
    """An instance, and the files that its series had at its time."""

    instance: Instance
    paths: tuple[str, ...]


class FoundOutdated(Exception):
    """The instance is no longer where it was found."""


def find_instance(sources: Sequence[Source], archived: ArchivedEntity | None, name: Iri, seq: int) -> Found | None:
    for source in sources:
        instance = source.find(name, seq)
        if instance is not None:
            return Found(instance, _paths(archived, instance))
    return None


def check_in_files(archived: ArchivedEntity | None, found: Found) -> None:
    """That files still show it: they never change, so nothing but the catalogue needs to be asked.

    Raises FoundOutdated.
    """
    instance = found.instance
    if archived is None or any(
        one.covers(instance.name, instance.dataset, instance.seq, instance.seen_at) for one in archived.erasures
    ):
        raise FoundOutdated
    if not found.paths or _paths(archived, instance) != found.paths:
        raise FoundOutdated


async def with_instance(
    entity_id: str, find: Callable[[], Awaitable[Found | None]], act: Callable[[Found], Awaitable[Done]]
) -> Done:
    """Find it and act upon it, again where it has moved between the two.

    Raises:
        ResourceNotFound
        Overloaded: it moved every time.
    """
    for _ in range(SNAPSHOTS - 1):
        with suppress(FoundOutdated, ArchiveFileGone):
            return await _act(entity_id, find, act)
    try:
        return await _act(entity_id, find, act)
    except FoundOutdated:
        raise Overloaded(f"The history of {entity_id} is being changed all the time: try again.") from None


async def _act(
    entity_id: str, find: Callable[[], Awaitable[Found | None]], act: Callable[[Found], Awaitable[Done]]
) -> Done:
    found = await find()
    if found is None:
        raise ResourceNotFound(f"There is no such instance in the history of {entity_id}.")
    return await act(found)


def _paths(archived: ArchivedEntity | None, instance: Instance) -> tuple[str, ...]:
    if archived is None:
        return ()
    at = Window(by_recorded=False, start=instance.seen_at, end=instance.seen_at + 1)
    return tuple(one.file.path for one in archived.list_files(instance.key, at))
