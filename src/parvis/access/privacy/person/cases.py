"""One request of a person: a folder with what was asked, what was found, and what became of it, for some days.

It is the only place where the platform keeps by what the person is known: jobs, the ledger and the trail have its id.
"""

import re
import shutil
from collections.abc import Iterable, Iterator
from enum import StrEnum
from pathlib import Path
from secrets import token_hex
from typing import Final

import msgspec

from parvis.access.privacy.person.found import Count, Counts, Found, line_of, read_lines
from parvis.access.privacy.person.identifiers import Identifier
from parvis.kernel.durable import write_whole, writing_whole
from parvis.kernel.errors import ResourceNotFound
from parvis.kernel.jobs import WorkFailed
from parvis.kernel.time import DAY, Instant

FOLDER: Final = "persons"
KEPT_DAYS: Final = 7
MOST_SHOWN: Final = 100
_ID = re.compile(r"[0-9a-f]{16}")
MOST_FOUND: Final = 5_000_000
_CASE, _JOB, _FOUND, _FIRST, _COPY = "case.json", "job", "found.ndjson", "first.ndjson", "copy.zip"
_GOING, _LEFT = "going.ndjson", "left.ndjson"


class Stage(StrEnum):
    SEARCHING = "searching"
    FOUND = "found"
    ERASING = "erasing"
    ERASED = "erased"


class Case(msgspec.Struct, frozen=True):
    """`subject` asked for it. `counts` are of what was found, `left` of what a search found after the erasure."""

    id: str
    tenant: str
    subject: str
    made_at: Instant
    sought: tuple[Identifier, ...]
    stage: Stage = Stage.SEARCHING
    counts: tuple[Count, ...] = ()
    left: tuple[Count, ...] = ()
    reason: str = ""
    ended_at: Instant | None = None

    @property
    def goes_at(self) -> Instant:
        """An erasure that was ordered on the last day has time to end."""
        days = 2 * KEPT_DAYS if self.stage is Stage.ERASING else KEPT_DAYS
        return self.made_at + days * DAY


class Cases:
    def __init__(self, data_dir: Path) -> None:
        self._root = data_dir / FOLDER

    def open(self, tenant: str, subject: str, at: Instant, sought: tuple[Identifier, ...]) -> Case:
        case = Case(token_hex(8), tenant, subject, at, sought)
        self._folder(tenant, case.id).mkdir(parents=True, mode=0o700)
        self.save(case)
        return case

    def save(self, case: Case) -> None:
        write_whole(self._folder(case.tenant, case.id) / _CASE, msgspec.json.encode(case))

    def get(self, tenant: str, case_id: str) -> Case:
        """Raises ResourceNotFound."""
        if _ID.fullmatch(case_id) and (case := self._read(self._folder(tenant, case_id) / _CASE)):
            return case
        raise ResourceNotFound(f"There is no request {case_id[:40]!r}, or no longer.")

    def note_job(self, case: Case, job_id: int) -> None:
        """The one that works on it just now; in a file of its own, for the job writes the other."""
        write_whole(self._folder(case.tenant, case.id) / _JOB, str(job_id).encode(), is_durable=False)

    def find_job(self, case: Case) -> int | None:
        try:
            return int((self._folder(case.tenant, case.id) / _JOB).read_bytes())
        except (OSError, ValueError):
            return None

    def list_all(self, tenant: str) -> list[Case]:
        """The newest first."""
        found = [self._read(path) for path in (self._root / tenant).glob(f"*/{_CASE}")]
        return sorted((one for one in found if one), key=lambda one: -one.made_at)

    def keep_found(self, case: Case, found: Iterable[Found]) -> tuple[Count, ...]:
        """All of it for the copy; the first of each place to be looked at; what an erasure must name.

        Raises WorkFailed where it is too much.
        """
        folder, counts = self._folder(case.tenant, case.id), Counts()
        with (
            writing_whole(folder / _FOUND) as every,
            writing_whole(folder / _FIRST) as first,
            writing_whole(folder / _GOING) as going,
        ):
            for one in found:
                line, place = line_of(one), counts.add(one)
                every.write(line)
                if place <= MOST_SHOWN:
                    first.write(line)
                if one.is_named_by_erasure:
                    going.write(line)
                if counts.total > MOST_FOUND:
                    raise WorkFailed(f"More than {MOST_FOUND:,} things were found: look for less at once.")
        return counts.told

    def keep_left(self, case: Case, found: Iterable[Found]) -> tuple[Count, ...]:
        """What a search has found after the erasure."""
        counts = Counts()
        with writing_whole(self._folder(case.tenant, case.id) / _LEFT) as left:
            for one in found:
                counts.add(one)
                if one.is_named_by_erasure:
                    left.write(line_of(one))
        return counts.told

    def list_found(self, case: Case) -> Iterator[Found]:
        return self._read_lines(case, _FOUND)

    def list_first(self, case: Case) -> list[Found]:
        """At most MOST_SHOWN of each place."""
        return list(self._read_lines(case, _FIRST))

    def list_going(self, case: Case) -> Iterator[Found]:
        return self._read_lines(case, _GOING)

    def list_left(self, case: Case) -> Iterator[Found]:
        return self._read_lines(case, _LEFT)

    def copy_path(self, case: Case) -> Path:
        return self._folder(case.tenant, case.id) / _COPY

    def drop_content(self, case: Case) -> None:
        """What was found, and its copy."""
        for name in (_FOUND, _FIRST, _GOING, _LEFT, _COPY):
            (self._folder(case.tenant, case.id) / name).unlink(missing_ok=True)

    def forget(self, case: Case) -> None:
        shutil.rmtree(self._folder(case.tenant, case.id), ignore_errors=True)

    def forget_alike(self, case: Case) -> None:
        """Other requests of the same person: they hold what has just been erased. One that is to be erased itself stays
        until it is: who shares a telephone is somebody else."""
        wanted = {one for one in case.sought if one.is_certain}
        for other in self.list_all(case.tenant):
            if case.id != other.id and other.stage is not Stage.ERASING and not wanted.isdisjoint(other.sought):
                self.forget(other)

    def sweep(self, now: Instant) -> int:
        """Forget those whose days are over; how many."""
        gone = 0
        for path in self._root.glob(f"*/*/{_CASE}"):
            case = self._read(path)
            if case is None or case.goes_at <= now:
                shutil.rmtree(path.parent, ignore_errors=True)
                gone += 1
        return gone

    def _read_lines(self, case: Case, name: str) -> Iterator[Found]:
        path = self._folder(case.tenant, case.id) / name
        if path.exists():
            with path.open("rb") as file:
                yield from read_lines(file)

    def _folder(self, tenant: str, case_id: str) -> Path:
        return self._root / tenant / case_id

    def _read(self, path: Path) -> Case | None:
        try:
            return msgspec.json.decode(path.read_bytes(), type=Case)
        except (OSError, msgspec.MsgspecError):
            return None
