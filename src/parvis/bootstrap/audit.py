"""Forwards the audit trail to a syslog server, from where it stood when this stopped."""

import asyncio
import socket
from collections.abc import Sequence
from itertools import islice

from parvis.access.audit_formats import Format, syslog_line
from parvis.access.model import AuditEntry
from parvis.access.ports import AccessStore
from parvis.kernel.errors import Overloaded
from parvis.kernel.identity import DEFAULT_TENANT
from parvis.kernel.settings import AuditSettings
from parvis.kernel.shelf import Box, Place, Shelf
from parvis.kernel.trouble import Trouble
from parvis.outbound.syslog import SyslogSender, syslog_server

POSITION = Place(Box(DEFAULT_TENANT, "system/audit"), b"forwarded")
AT_ONCE = 200
SENT_AGAIN = 100
"""After a connection broke: its last lines may not have arrived. Whoever receives them twice knows them by number."""
LOOK_EVERY_S = 1.0


class AuditForwarder:
    def __init__(
        self, sender: SyslogSender, form: Format, store: AccessStore, shelf: Shelf, look_every_s: float = LOOK_EVERY_S
    ) -> None:
        self._sender = sender
        self._form = form
        self._store = store
        self._shelf = shelf
        self._look_every_s = look_every_s
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
        position = await self._position()
        if self._store.newest_audit() <= position:
            return
        if not self._sender.is_connected:
            await self._sender.connect()
            position = max(0, position - SENT_AGAIN)
        while entries := list(islice(self._store.read_audit(position), AT_ONCE)):
            await self._sender.send(self._lines(entries))
            position = entries[-1].number
            await self._shelf.change((), {POSITION: str(position).encode()}, ())

    def _lines(self, entries: Sequence[AuditEntry]) -> list[bytes]:
        return [syslog_line(entry, self._form, self._host) for entry in entries]

    async def _position(self) -> int:
        kept = await self._shelf.read(POSITION)
        return int(kept.get(POSITION.key, b"0"))


def build_forwarder(settings: AuditSettings, store: AccessStore, shelf: Shelf) -> AuditForwarder | None:
    """None where the trail stays here. Raises InvalidSettings."""
    if not settings.forward:
        return None
    return AuditForwarder(SyslogSender(syslog_server(settings.forward)), Format(settings.format), store, shelf)
