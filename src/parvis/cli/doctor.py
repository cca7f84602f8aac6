"""`parvis doctor`: does this machine give what the platform needs?"""

import os
import platform
import shutil
import socket
import sqlite3
import ssl
import stat
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter, time

import click

from parvis import __version__
from parvis.bootstrap.archive import find_archive_faults
from parvis.bootstrap.backups import folder_of, is_late, read_shelf
from parvis.bootstrap.stores import (
    ACCESS_FILE,
    find_access,
    find_store_faults,
    is_on_postgres,
    is_store_there,
    repair_store,
)
from parvis.cli.options import data_option, settings_beside
from parvis.kernel.errors import ParvisError
from parvis.kernel.settings import Settings
from parvis.kernel.time import SECOND, format_instant, system_clock

_LEAST_FREE_BYTES = 1 << 30
_SLOW_FSYNC_MS = 20.0
_FSYNCS = 30
_OLDEST_SQLITE = (3, 35, 0)
_WRITTEN_IN = 1_767_225_600
"""A clock before 2026 is wrong."""


class Verdict(Enum):
    GOOD = "ok"
    DOUBTFUL = "warn"
    BAD = "FAIL"


@dataclass(frozen=True, slots=True)
class Finding:
    verdict: Verdict
    subject: str
    words: str


@click.command()
@data_option()
@click.option("--repair", is_flag=True, help="Mend what can be mended of the store; stop Parvis first.")
def doctor(data_dir: Path, repair: bool) -> None:
    """Examine versions, data directory, disk, ports, clock and store; exit code 1 if something cannot work."""
    settings = settings_beside(data_dir)
    if repair:
        for fault in repair_store(settings):
            click.echo(f"mended: {fault.words}: {fault.remedy}")
    findings = list(examine(settings))
    for finding in findings:
        click.echo(f"{finding.verdict.value:5} {finding.subject:12} {finding.words}")
    if any(finding.verdict is Verdict.BAD for finding in findings):
        raise click.exceptions.Exit(1)


def examine(settings: Settings) -> Iterator[Finding]:
    yield _versions()
    yield from _directory(settings.data_dir)
    yield _port("http port", settings.server.host, settings.server.port)
    if settings.mqtt.enabled:
        yield _port("mqtt port", settings.mqtt.host, settings.mqtt.port)
    yield _clock(settings.data_dir)
    yield from _audit(settings)
    yield from _backups(settings)
    of_store = list(_store(settings))
    yield from of_store
    if all(one.verdict is Verdict.GOOD for one in of_store):
        yield from _archive(settings)


def _archive(settings: Settings) -> Iterator[Finding]:
    """A file never changes, so a damaged one comes back as it was from any backup."""
    try:
        files, faults = find_archive_faults(settings) if is_store_there(settings) else (0, [])
    except ParvisError as failure:
        yield Finding(Verdict.BAD, "archive", failure.detail)
        return
    for fault in faults:
        yield Finding(Verdict.BAD, "archive", f"{fault} Restore it from a backup.")
    if files and not faults:
        yield Finding(Verdict.GOOD, "archive", f"{files} files, each as it was written")


def _backups(settings: Settings) -> Iterator[Finding]:
    """Those of PostgreSQL are taken by its own tools."""
    if is_on_postgres(settings) or not is_store_there(settings):
        return
    if not settings.backup.folder:
        words = "none is taken: name a folder in [backup] of territory.toml (docs/howto/backup.md)"
        yield Finding(Verdict.DOUBTFUL, "backups", words)
        return
    shelf = read_shelf(settings)
    newest = next(iter(shelf.kept), None)
    if shelf.fault or shelf.damaged:
        yield Finding(Verdict.DOUBTFUL, "backups", shelf.fault or f"damaged: {', '.join(shelf.damaged)}")
    elif newest is None:
        yield Finding(Verdict.DOUBTFUL, "backups", f"there is none yet in {folder_of(settings)}")
    elif is_late(settings, newest, system_clock()):
        yield Finding(
            Verdict.DOUBTFUL, "backups", f"the newest is of {format_instant(newest.at)}, and one was due since"
        )
    else:
        yield Finding(Verdict.GOOD, "backups", f"{len(shelf.kept)}, the newest of {format_instant(newest.at)}")


def _versions() -> Finding:
    words = f"Parvis {__version__}, Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}"
    verdict = Verdict.GOOD if sqlite3.sqlite_version_info >= _OLDEST_SQLITE else Verdict.BAD
    return Finding(verdict, "versions", f"{words}, {ssl.OPENSSL_VERSION}, {platform.system()} {platform.machine()}")


def _directory(data_dir: Path) -> Iterator[Finding]:
    nearest = next(path for path in (data_dir, *data_dir.parents) if path.exists())
    if not os.access(nearest, os.W_OK | os.X_OK):
        yield Finding(Verdict.BAD, "data", f"{nearest} cannot be written: change its owner, or give another --data")
        return
    words = str(data_dir) if nearest == data_dir else f"{data_dir} is not there yet; the first start makes it"
    yield Finding(Verdict.GOOD, "data", words)
    free = shutil.disk_usage(nearest).free
    verdict = Verdict.GOOD if free >= _LEAST_FREE_BYTES else Verdict.DOUBTFUL
    yield Finding(verdict, "disk", f"{free / (1 << 30):.1f} GiB free")
    yield _durability(nearest)
    yield from _secrecy(data_dir / ACCESS_FILE)


def _durability(directory: Path) -> Finding:
    """What one durable commit waits for. A disk that answers far under 0.05 ms likely keeps nothing in a power cut."""
    times_ms = sorted(fsync_times_ms(directory))
    typical, slow = median(times_ms), quantiles(times_ms, n=20)[-1]
    verdict = Verdict.GOOD if typical <= _SLOW_FSYNC_MS else Verdict.DOUBTFUL
    return Finding(verdict, "durability", f"fsync {typical:.2f} ms, slowest of 20: {slow:.2f} ms")


def fsync_times_ms(directory: Path) -> Iterator[float]:
    path = directory / f".parvis-doctor-{os.getpid()}"
    try:
        with path.open("wb", buffering=0) as file:
            for _ in range(_FSYNCS):
                file.write(b"\0" * 4096)
                began_s = perf_counter()
                os.fsync(file.fileno())
                yield (perf_counter() - began_s) * 1000
    finally:
        path.unlink(missing_ok=True)


def _secrecy(path: Path) -> Iterator[Finding]:
    if path.exists() and path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        yield Finding(Verdict.DOUBTFUL, "secrecy", f"others may read {path}: chmod 600 {path}")


def _port(subject: str, host: str, port: int) -> Finding:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            words = f"{host} port {port}: {error.strerror} (by Parvis itself, if it runs)"
            return Finding(Verdict.DOUBTFUL, subject, words)
    return Finding(Verdict.GOOD, subject, f"{host} port {port} is free")


def _clock(data_dir: Path) -> Finding:
    """Files of the future mean that the clock has gone back: new readings would seem older than stored ones."""
    now_s = time()
    newest_s = max((path.stat().st_mtime for path in data_dir.glob("*.db*")), default=0.0)
    words = format_instant(system_clock() // SECOND * SECOND)
    if now_s < _WRITTEN_IN or newest_s > now_s + 60:
        return Finding(Verdict.BAD, "clock", f"{words} is in the past: set the clock (NTP)")
    return Finding(Verdict.GOOD, "clock", words)


def _store(settings: Settings) -> Iterator[Finding]:
    faults = find_store_faults(settings)
    for fault in faults:
        remedy = f": with --repair, {fault.remedy}" if fault.remedy else ""
        yield Finding(Verdict.BAD, "store", fault.words + remedy)
    if not faults:
        yield Finding(Verdict.GOOD, "store", "sound")


def _audit(settings: Settings) -> Iterator[Finding]:
    """The newest digest, noted elsewhere, proves later that the trail's end was not cut off."""
    try:
        access = find_access(settings)
    except ParvisError as error:
        yield Finding(Verdict.BAD, "audit trail", error.detail)
        return
    if access is None:
        return
    try:
        newest = next(iter(deque(access.store.read_audit(), maxlen=1)), None)
        broken = access.find_audit_break()
    finally:
        access.store.close()
    if broken is not None:
        yield Finding(Verdict.BAD, "audit trail", f"entry {broken} does not follow from the one before it")
    elif newest is not None:
        yield Finding(Verdict.GOOD, "audit trail", f"{newest.number} entries, newest digest {newest.digest.hex()}")
