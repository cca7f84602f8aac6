"""The integrity check as work for a worker process."""

from pathlib import Path

from parvis.kernel.jobs import FAULTS_FOUND, JobContext, WorkFailed
from parvis.stores.sqlite.integrity import find_faults


def check(context: JobContext) -> dict[str, int]:
    """Raises WorkFailed where something is wrong, so that it is seen."""
    path = Path(context.arguments["path"])
    context.report(0.0, "checking")
    if faults := find_faults(path):
        raise WorkFailed("\n".join([FAULTS_FOUND, *(fault.words for fault in faults)]))
    return {"bytes": path.stat().st_size}
