"""The integrity check as work for a worker process."""

from parvis.broker.ports.archive import FileFault
from parvis.kernel.jobs import FAULTS_FOUND, JobContext, WorkFailed
from parvis.stores.postgres.database import Database
from parvis.stores.postgres.file_faults import list_faults
from parvis.stores.postgres.integrity import find_faults


def check(context: JobContext) -> None:
    """Raises WorkFailed where something is wrong, so that it is seen."""
    context.report(0.0, "checking")
    url = context.arguments["url"]
    if faults := find_faults(url) or _of_files(url):
        raise WorkFailed("\n".join([FAULTS_FOUND, *(fault.words for fault in faults)]))


def _of_files(url: str) -> list[FileFault]:
    """What readers and the check of the archive's files have noted."""
    with Database(url).connect() as connection:
        return list_faults(connection)
