"""The four parts of access, wired to one store."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from parvis.access.accounts import Accounts
from parvis.access.audit import find_break
from parvis.access.certificates.certificates import Certificates
from parvis.access.gate import Gate
from parvis.access.identities.passkeys import Passkeys
from parvis.access.identities.second_factor import SecondFactors
from parvis.access.identities.sessions import Sessions
from parvis.access.keys import Keys
from parvis.access.members.mandates import Mandates
from parvis.access.members.members import Members
from parvis.access.model import EVERY_TENANT
from parvis.access.passwords import Passwords
from parvis.access.ports import AccessStore
from parvis.access.writes import Writes
from parvis.kernel.errors import ParvisError
from parvis.kernel.identity import ADMINISTRATOR, Caller
from parvis.kernel.settings import AccessSettings
from parvis.kernel.time import HOUR, MINUTE, Clock, system_clock

FOLLOW_EVERY_S = 1.0
"""So long at most what another process has revoked still opens here."""
COMMAND_LINE = Caller(EVERY_TENANT, "system:command-line", ADMINISTRATOR)
"""Whoever may run commands on the data directory may administer it."""


@dataclass(frozen=True, slots=True)
class Access:
    store: AccessStore
    gate: Gate
    accounts: Accounts
    keys: Keys
    certificates: Certificates
    sessions: Sessions
    second_factors: SecondFactors
    passkeys: Passkeys
    members: Members
    mandates: Mandates
    writes: Writes

    async def follow(self, on_change: Callable[[], None]) -> None:
        """Forget what was answered whenever another process has changed something, until cancelled.

        Whatever changes rights is in the audit trail: its newest number tells of all of it.
        """
        known = -1
        try:
            while True:
                with suppress(ParvisError):
                    newest = self.store.newest_audit()
                    if newest != known:
                        known = newest
                        self.gate.forget()
                        on_change()
                self.writes.tell_due()
                await asyncio.sleep(FOLLOW_EVERY_S)
        finally:
            self.writes.tell_all()

    def find_audit_break(self) -> int | None:
        return find_break(self.store.read_audit())


def build_access(
    store: AccessStore,
    settings: AccessSettings,
    clock: Clock = system_clock,
    passwords: Passwords | None = None,
    names: Sequence[str] = (),
) -> Access:
    idle = round(settings.idle_minutes * MINUTE)
    gate = Gate(
        store,
        auth=settings.auth,
        public=bool(settings.public_types),
        idle=idle,
        clock=clock,
    )
    sessions = Sessions(store, gate.forget, round(settings.session_hours * HOUR), idle, clock)
    breached = Path(settings.breached_passwords) if settings.breached_passwords else None
    passwords = passwords or Passwords(shortest=settings.shortest_password, breached=breached)
    second_factors = SecondFactors(store, passwords, gate.forget, settings.second_factor_roles, clock)
    passkeys = Passkeys(store, sessions, gate.forget, clock)
    accounts = Accounts(store, passwords, gate.forget, sessions, second_factors, clock, names)
    mandates = Mandates(store, gate.forget, clock)
    members = Members(store, mandates, gate.forget, clock)
    return Access(
        store,
        gate,
        accounts,
        Keys(store, gate.forget, clock),
        Certificates(store, gate.forget, clock),
        sessions,
        second_factors,
        passkeys,
        members,
        mandates,
        Writes(store.append_audit, clock),
    )
