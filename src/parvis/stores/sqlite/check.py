"""The integrity check as work for a worker process."""

from contextlib import closing
from pathlib import Path

from parvis.broker.ports.archive import FileFault
from parvis.kernel.jobs import FAULTS_FOUND, JobContext, WorkFailed
from parvis.stores.sqlite.database import Database
from parvis.stores.sqlite.file_faults import list_faults
from parvis.stores.sqlite.integrity import find_faults


def check(context: JobContext) -> dict[str, int]:
    """Raises WorkFailed where something is wrong, so that it is seen."""
    path = Path(context.arguments["path"])
    context.report(0.0, "checking")
    if faults := find_faults(path) or _of_files(path):
        raise WorkFailed("\n".join([FAULTS_FOUND, *(fault.words for fault in faults)]))
    return {"bytes": path.stat().st_size}


def _of_files(path: Path) -> list[FileFault]:
    """What readers and the check of the archive's files have noted."""
    with closing(Database(path).connect_reader()) as connection:
        return list_faults(connection)
