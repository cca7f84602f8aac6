"""One uplink on its way through the pipeline."""

from typing import Any

import msgspec

from parvis.fleet.devices.device import Device
from parvis.fleet.model.refusal import Refused
from parvis.fleet.model.uplink import Uplink
from parvis.fleet.profiles.mapping import Mapped
from parvis.kernel.time import Instant


class Work(msgspec.Struct, gc=False):
    """`refused` ends it. `at` is when it was measured; `has_records`: several measurements, each with its own time."""

    uplink: Uplink
    device: Device | None = None
    data: dict[str, Any] | None = None
    mapped: Mapped | None = None
    refused: Refused | None = None
    changes: tuple[int, int] = (0, 0)
    at: Instant = 0
    may_be_stored: bool = False
    has_records: bool = False

    @property
    def of(self) -> Device:
        assert self.device is not None
        return self.device

    @property
    def values(self) -> Mapped:
        assert self.mapped is not None
        return self.mapped


def still_open(works: list[Work]) -> list[Work]:
    return [work for work in works if work.refused is None]
