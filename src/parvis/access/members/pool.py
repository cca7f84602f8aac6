"""The pool as the gate asks for it at every request: kept for a moment, forgotten whenever something changes."""

from collections.abc import Callable, Mapping, Sequence
from time import monotonic

import msgspec

from parvis.access.members.model import POOL, Mandate, Member
from parvis.access.members.ports import MemberStore
from parvis.kernel.time import SECOND, Instant

HOLDS_S = 5.0


class _Known(msgspec.Struct, frozen=True):
    members: Mapping[str, Member]
    hosts: Mapping[str, str]
    mandates: Mapping[str, Sequence[Mandate]]
    until_s: float


class Pool:
    def __init__(
        self, store: MemberStore, clock: Callable[[], Instant], ticks_s: Callable[[], float] = monotonic
    ) -> None:
        self._store = store
        self._clock = clock
        self._ticks_s = ticks_s
        self._known: _Known | None = None

    def forget(self) -> None:
        self._known = None

    def find(self, tenant: str) -> Member | None:
        """Also one that is a member no longer: what is its stays its."""
        return None if tenant == POOL else self._read().members.get(tenant)

    def list_in_pool(self) -> list[Member]:
        now = self._clock()
        return [one for one in self._read().members.values() if one.is_in_pool(now)]

    @property
    def has_members(self) -> bool:
        return bool(self._read().members)

    def tenant_of(self, host: str) -> str | None:
        """Whose name that is."""
        return self._read().hosts.get(host)

    def public_types(self, tenant: str) -> tuple[str, ...]:
        """What a member has made public; nothing of one that is none."""
        member = self.find(tenant)
        return member.public_types if member is not None and member.is_in_pool(self._clock()) else ()

    def mandates_of(self, tenant: str) -> list[Mandate]:
        """Those in force."""
        now = self._clock()
        return [one for one in self._read().mandates.get(tenant, ()) if one.is_in_force(now)]

    def list_with_mandate(self) -> list[Member]:
        """Where the pool's people may do something."""
        return [one for one in self.list_in_pool() if self.mandates_of(one.tenant)]

    def holds_s(self, tenant: str) -> float:
        """For how long what the mandates there give may be remembered: until the next begins or ends, at most."""
        now = self._clock()
        dates = [at for one in self._read().mandates.get(tenant, ()) for at in (one.since, one.until) if at > now]
        return min(HOLDS_S, (min(dates) - now) / SECOND) if dates else HOLDS_S

    def _read(self) -> _Known:
        now_s = self._ticks_s()
        if self._known is None or now_s >= self._known.until_s:
            members = {one.tenant: one for one in self._store.list_members()}
            mandates: dict[str, list[Mandate]] = {}
            for mandate in self._store.list_mandates():
                if mandate.ended_at is None:
                    mandates.setdefault(mandate.member, []).append(mandate)
            hosts = {host: one.tenant for one in members.values() for host in one.hosts}
            self._known = _Known(members, hosts, mandates, now_s + HOLDS_S)
        return self._known
