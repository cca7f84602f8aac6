"""Forwards the audit trail to a syslog server, from where it stood when this stopped.

With the number of the last entry that was told its digest is kept: where the trail has another one there, or is
shorter, it was changed or an old copy was put in its place. That is told to the log, to the trail, and with it to the
server.
"""

import asyncio
import logging
import socket
from collections.abc import Sequence
from itertools import islice
from typing import NamedTuple

from parvis.access.audit_formats import Format, syslog_line
from parvis.access.model import AuditEntry, AuditRecord
from parvis.access.ports import AccessStore
from parvis.kernel.errors import Overloaded
from parvis.kernel.identity import DEFAULT_TENANT
from parvis.kernel.settings import AuditSettings
from parvis.kernel.shelf import Box, Place, Shelf
from parvis.kernel.time import Clock, system_clock
from parvis.kernel.trouble import Trouble
from parvis.outbound.syslog import SyslogSender, syslog_server

POSITION = Place(Box(DEFAULT_TENANT, "system/audit"), b"forwarded")
AT_ONCE = 200
SENT_AGAIN = 10_000
"""After a connection broke. Its last lines may not have been read: a machine holds up to 6 MiB for a server that does
not read (Linux, tcp_rmem). Whoever receives them twice knows them by number."""
CHANGED = "audit-trail-changed"
LOOK_EVERY_S = 1.0


_log = logging.getLogger(__name__)


class Position(NamedTuple):
    """The last entry that was told."""

    number: int = 0
    digest: str = ""


class AuditForwarder:
    def __init__(
        self,
        sender: SyslogSender,
        form: Format,
        store: AccessStore,
        shelf: Shelf,
        look_every_s: float = LOOK_EVERY_S,
        clock: Clock = system_clock,
    ) -> None:
        self._sender = sender
        self._form = form
        self._store = store
        self._shelf = shelf
        self._look_every_s = look_every_s
        self._clock = clock
        self._was_connected = False
        self._host = socket.gethostname()
        self._trouble = Trouble("the audit trail cannot be forwarded")

    async def run(self) -> None:
        """Until cancelled. While the server is away the trail waits where it is kept."""
        try:
            while True:
                try:
                    await self._forward()
                except (OSError, TimeoutError, Overloaded) as fault:
                    self._trouble.note(fault)
                    self._sender.close()
                else:
                    self._trouble.is_over()
                await asyncio.sleep(self._look_every_s)
        finally:
            self._sender.close()

    async def _forward(self) -> None:
        number = await self._check(await self._position())
        if not self._sender.is_connected:
            if not self._was_connected and self._store.newest_audit() <= number:
                return
            await self._sender.connect()
            number = max(0, number - SENT_AGAIN)
            self._was_connected = True
        while entries := list(islice(self._store.read_audit(number), AT_ONCE)):
            await self._sender.send(self._lines(entries))
            number = entries[-1].number
            await self._keep(Position(number, entries[-1].digest.hex()))

    async def _check(self, position: Position) -> int:
        """Where to go on: at the beginning if the trail is no longer the one that was told."""
        held = self._store.list_audit(position.number + 1, 1)
        found = held[0] if held else None
        if not position.number or (found is not None and (found.number, found.digest.hex()) == position):
            return position.number
        _log.critical("the audit trail is not the one that was forwarded", extra={"entry": position.number})
        facts = {"digest": position.digest}
        record = AuditRecord(self._clock(), DEFAULT_TENANT, "system:audit", CHANGED, str(position.number), facts)
        self._store.append_audit(record)
        await self._keep(Position())
        return 0

    def _lines(self, entries: Sequence[AuditEntry]) -> list[bytes]:
        return [syslog_line(entry, self._form, self._host) for entry in entries]

    async def _position(self) -> Position:
        kept = (await self._shelf.read(POSITION)).get(POSITION.key, b"").decode()
        number, _, digest = kept.partition(".")
        return Position(int(number), digest) if kept else Position()

    async def _keep(self, position: Position) -> None:
        await self._shelf.change((), {POSITION: f"{position.number}.{position.digest}".encode()}, ())


def build_forwarder(settings: AuditSettings, store: AccessStore, shelf: Shelf) -> AuditForwarder | None:
    """None where the trail stays here. Raises InvalidSettings."""
    if not settings.forward:
        return None
    return AuditForwarder(SyslogSender(syslog_server(settings.forward)), Format(settings.format), store, shelf)
