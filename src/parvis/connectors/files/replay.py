"""A recorded series played through the platform's own way in: batch upserts over HTTP, in the order of time."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from itertools import islice
from typing import Any

import httpx
import msgspec

from parvis.broker.jsonld.context import link_to
from parvis.broker.jsonld.contexts import PARVIS_URL
from parvis.connectors.files.client import MappedFile, Progress, read_files
from parvis.connectors.files.config import InvalidMapping, Mapping, stored_unit
from parvis.connectors.files.mapping import Observation
from parvis.connectors.files.report import Report
from parvis.kernel.errors import PARVIS_ERRORS, ParvisError
from parvis.kernel.time import SECOND, Clock, Instant, format_instant, system_clock

LARGEST_BATCH = 1000
UPSERT = "/ngsi-ld/v1/entityOperations/upsert?options=update"
_HEADERS = {"content-type": "application/json", "link": link_to(PARVIS_URL)}
_MOST_TRIES = 30
_BUSY = frozenset({429, 503})


class ReplayFailed(ParvisError):
    type_uri = PARVIS_ERRORS + "replay-failed"
    title = "The platform did not take the series"
    status = 502


def read_in_order(
    files: Sequence[MappedFile], mapping: Mapping, report: Report, progress: Progress
) -> list[Observation]:
    """All observations by time; those of one time in the order of the files. They are held in memory."""
    if mapping.inventory is not None:
        raise InvalidMapping("An inventory has no order in time: it cannot be replayed.")
    read = (one for _, one in read_files(files, mapping, report, progress))
    observations = [one for one in read if isinstance(one, Observation)]
    for one in observations:
        report.of(one.key).note(one.at)
    return sorted(observations, key=lambda one: one.at)


class Replay:
    """`speed` is how many recorded seconds pass in one; None: each batch as soon as the one before is acknowledged."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        speed: float | None = None,
        clock: Clock = system_clock,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._http = http
        self._speed = speed
        self._clock = clock
        self._sleep = sleep
        self.refused: list[str] = []

    async def play(self, observations: Sequence[Observation], progress: Progress = lambda count: None) -> int:
        """The number acknowledged; `refused` tells of the others.

        Raises:
            ReplayFailed: the platform cannot be reached, or takes nothing from this caller.
        """
        if not observations:
            return 0
        start, first = self._clock(), observations[0].at
        acknowledged = 0
        for batch in self._batches(observations):
            await self._wait_until_due(batch[0].at, first, start)
            acknowledged += await self._send(batch)
            progress(len(batch))
        return acknowledged

    def _batches(self, observations: Sequence[Observation]) -> Iterator[list[Observation]]:
        """At a given speed what has one time goes together; else as much as one call may hold."""
        remaining = iter(observations)
        batch: list[Observation] = []
        for one in remaining:
            is_due_later = self._speed is not None and batch and one.at != batch[0].at
            if is_due_later or len(batch) == LARGEST_BATCH:
                yield batch
                batch = []
            batch.append(one)
        if batch:
            yield batch

    async def _wait_until_due(self, at: Instant, first: Instant, start: Instant) -> None:
        if self._speed is None:
            return
        due = start + (at - first) / self._speed
        wait_s = (due - self._clock()) / SECOND
        if wait_s > 0:
            await self._sleep(wait_s)

    async def _send(self, batch: list[Observation]) -> int:
        body = msgspec.json.encode([as_entity(one) for one in batch])
        for _ in range(_MOST_TRIES):
            response = await self._post(body)
            if response.status_code not in _BUSY:
                return self._acknowledged(response, len(batch))
            await self._sleep(float(response.headers.get("retry-after", "1")))
        raise ReplayFailed("The platform stayed too busy: try again later, or slower with --speed.")

    async def _post(self, body: bytes) -> httpx.Response:
        try:
            return await self._http.post(UPSERT, content=body, headers=_HEADERS)
        except httpx.HTTPError as error:
            raise ReplayFailed(f"{self._http.base_url} cannot be reached: {error}. Is the platform running?") from error

    def _acknowledged(self, response: httpx.Response, count: int) -> int:
        if response.status_code in (200, 201, 204):
            return count
        if response.status_code != 207:
            raise ReplayFailed(f"The platform answered {response.status_code}: {response.text[:500]}")
        errors = response.json().get("errors", [])
        self.refused += [str(error) for error in islice(errors, max(0, 20 - len(self.refused)))]
        return count - len(errors)


def as_entity(one: Observation) -> dict[str, Any]:
    series = one.series
    attribute: dict[str, Any] = {"type": "Property", "value": one.value, "observedAt": format_instant(one.at)}
    if unit_code := stored_unit(series.attribute, series.unit_code):
        attribute["unitCode"] = unit_code
    if series.dataset:
        attribute["datasetId"] = series.dataset
    return {"id": one.entity_id, "type": series.type, series.attribute: attribute}
