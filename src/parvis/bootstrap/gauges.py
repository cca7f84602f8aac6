"""Numbers worth watching."""

from collections.abc import Callable
from dataclasses import dataclass

from parvis.bootstrap.file_faults import FileFaults
from parvis.bootstrap.jobs import oldest_due_s
from parvis.bootstrap.machine import memory_limit_bytes
from parvis.broker.ports.store import Store
from parvis.broker.subscriptions.notifications import Notifications
from parvis.fleet.ways.sources import Sources
from parvis.jobs.jobs import Jobs


@dataclass(frozen=True, slots=True)
class Gauge:
    """A number worth watching, read when asked for."""

    description: str
    read: Callable[[], float]


def gauges_of(
    store: Store, file_faults: FileFaults, notifications: Notifications, jobs: Jobs, sources: Sources
) -> dict[str, Gauge]:
    limit = memory_limit_bytes()
    machine = {"parvis_memory_limit_bytes": Gauge("Memory that the machine, or the container, has.", lambda: limit)}
    asked = {
        "parvis_sources_failing": Gauge(
            "Feeds and devices that this process asks and that fail.", lambda: sources.failing_count
        )
    }
    return _of_the_store(store, file_faults) | _of_notifications(notifications) | _of_jobs(jobs) | machine | asked


def _of_the_store(store: Store, file_faults: FileFaults) -> dict[str, Gauge]:
    return {
        "parvis_store_pending_changes": Gauge("Changes that wait for their commit.", lambda: store.pending_changes),
        "parvis_store_writing": Gauge("1 while the store can write, else 0.", lambda: float(store.is_writing)),
        "parvis_archive_faulty_files": Gauge(
            "Files of the archive that are damaged or lost.", lambda: file_faults.count
        ),
        "parvis_outbox_newest_event": Gauge("Number of the newest committed event.", lambda: store.newest_event),
    }


def _of_notifications(notifications: Notifications) -> dict[str, Gauge]:
    return {
        "parvis_notifications_waiting": Gauge(
            "Notifications handed to their endpoints' queues.", lambda: notifications.waiting
        ),
        "parvis_notifications_lag_seconds": Gauge(
            "Age of the change that the oldest waiting notification tells.", lambda: notifications.lag_s
        ),
        "parvis_notifications_open_breakers": Gauge(
            "Endpoints that take nothing just now.", lambda: notifications.open_breakers
        ),
    }


def _of_jobs(jobs: Jobs) -> dict[str, Gauge]:
    return {
        "parvis_jobs_waiting": Gauge("Jobs that wait, due or not.", lambda: jobs.tally.waiting),
        "parvis_jobs_running": Gauge("Jobs that run, in all processes.", lambda: jobs.tally.running),
        "parvis_jobs_failed": Gauge("Jobs that have failed and are still kept.", lambda: jobs.tally.failed),
        "parvis_jobs_oldest_due_seconds": Gauge(
            "How long the job that is due longest has waited.", lambda: oldest_due_s(jobs)
        ),
    }
