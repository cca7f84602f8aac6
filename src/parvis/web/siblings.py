"""What a process has of a parent and siblings: sockets bound by the parent, a line to it, and the siblings' counts."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

DRAIN_S = 1.0
ASK_WITHIN_S = 1.0
READY = b"ready"
_MOST_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class Siblings:
    """`worker` counts from 1; 0 is a process without siblings. `folder` is where siblings ask each other for counts.

    A worker that begins while its siblings serve leaves the ports to them until it is ready.
    """

    worker: int = 0
    http: socket.socket | None = None
    mqtt: socket.socket | None = None
    parent: socket.socket | None = None
    folder: Path | None = None
    answers_while_opening: bool = True

    @property
    def drain_s(self) -> float:
        return DRAIN_S if self.worker else 0.0

    def say_ready(self) -> None:
        if self.parent is not None:
            self.parent.send(READY)

    def watch_parent(self, loop: asyncio.AbstractEventLoop, stop: Callable[[], None]) -> None:
        """A worker without its parent would hold the ports for ever."""
        if self.parent is None:
            return
        parent = self.parent

        def heard() -> None:
            loop.remove_reader(parent)
            stop()

        parent.setblocking(False)
        loop.add_reader(parent, heard)


ALONE = Siblings()


class Sample(msgspec.Struct, array_like=True):
    name: str
    labels: dict[str, str]
    value: float


class Family(msgspec.Struct, array_like=True):
    name: str
    documentation: str
    type: str
    samples: list[Sample]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Family]).decode


class Exposition:
    """The counts in Prometheus' text: this process' own, and with siblings everybody's, each labelled `worker`."""

    def __init__(self, registries: Iterable[CollectorRegistry], folder: Path | None = None, worker: int = 0) -> None:
        self._registries = tuple(registries)
        self._folder = folder
        self._worker = worker

    async def text(self) -> bytes:
        if self._folder is None:
            return b"".join(map(generate_latest, self._registries))
        merged = CollectorRegistry()
        merged.register(_Merged(await self._of_all(self._folder)))
        return generate_latest(merged)

    async def families(self) -> list["Family"]:
        """The same for who reads them here; of several workers each sample tells its own."""
        return self._own() if self._folder is None else await self._of_all(self._folder)

    @asynccontextmanager
    async def shared(self) -> AsyncIterator[None]:
        """Tell siblings the counts whenever they ask."""
        if self._folder is None:
            yield
            return
        path = self._folder / f"{self._worker}-{os.getpid()}.sock"
        server = await asyncio.start_unix_server(self._answer, path)
        try:
            yield
        finally:
            server.close()
            path.unlink(missing_ok=True)

    async def _answer(self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            writer.write(_encode(self._own()))
            await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    def _own(self) -> list[Family]:
        return [_family(metric, self._worker) for registry in self._registries for metric in registry.collect()]

    async def _of_all(self, folder: Path) -> list[Family]:
        siblings = _find_sockets(folder)
        siblings.pop(str(self._worker), None)
        answers = await asyncio.gather(*map(_ask, siblings.values()))
        return [*self._own(), *(family for answer in answers for family in answer)]


def _find_sockets(folder: Path) -> dict[str, Path]:
    """By worker; of one that is being replaced the newer."""
    found = sorted(folder.glob("*.sock"), key=_modified_at_s)
    return {path.name.partition("-")[0]: path for path in found}


def _modified_at_s(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


async def _ask(path: Path) -> list[Family]:
    """Nothing of a sibling that has ended, or that is too busy to say."""
    try:
        async with asyncio.timeout(ASK_WITHIN_S):
            reader, writer = await asyncio.open_unix_connection(path, limit=_MOST_BYTES)
            try:
                return _decode(await reader.read(-1))
            finally:
                writer.close()
    except (OSError, msgspec.DecodeError):
        return []


def _family(metric: Metric, worker: int) -> Family:
    samples = [Sample(one.name, {**one.labels, "worker": str(worker)}, one.value) for one in metric.samples]
    return Family(metric.name, metric.documentation, metric.type, samples)


class _Merged(Collector):
    def __init__(self, families: Iterable[Family]) -> None:
        self._families = tuple(families)

    def collect(self) -> Iterator[Metric]:
        by_name: dict[str, Any] = {}
        for family in self._families:
            metric = by_name.get(family.name)
            if metric is None:
                metric = by_name[family.name] = Metric(family.name, family.documentation, family.type)
            for sample in family.samples:
                metric.add_sample(sample.name, sample.labels, sample.value)
        yield from by_name.values()
