"""The integrity check as work for a worker process."""

from parvis.kernel.jobs import FAULTS_FOUND, JobContext, WorkFailed
from parvis.stores.postgres.integrity import find_faults


def check(context: JobContext) -> None:
    """Raises WorkFailed where something is wrong, so that it is seen."""
    context.report(0.0, "checking")
    if faults := find_faults(context.arguments["url"]):
        raise WorkFailed("\n".join([FAULTS_FOUND, *(fault.words for fault in faults)]))
