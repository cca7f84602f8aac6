"""The register of incidents beside a running platform, for the command line."""

from collections.abc import Iterator
from contextlib import contextmanager

from parvis.bootstrap.stores import open_access, open_shelf
from parvis.kernel.settings import Settings
from parvis.operations.incidents.register import IncidentRegister


@contextmanager
def opened_incidents(settings: Settings) -> Iterator[IncidentRegister]:
    with open_shelf(settings) as shelf:
        access = open_access(settings)
        try:
            yield IncidentRegister(shelf, access.store.append_audit)
        finally:
            access.store.close()
