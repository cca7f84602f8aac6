"""The registrations of all tenants, held ready: who asks for entities must not ask a database about sources first."""

import asyncio
import logging
from collections.abc import Sequence

from parvis.broker.ports.sources import SourceStore
from parvis.broker.sources.model import Registration
from parvis.kernel.errors import ParvisError

_log = logging.getLogger(__name__)


class SourceIndex:
    """As of this process' last change, and of other processes' changes of a second ago while somebody follows."""

    def __init__(self, store: SourceStore, pause_s: float = 2.0) -> None:
        self._store = store
        self._pause_s = pause_s
        self._by_tenant: dict[str, tuple[Registration, ...]] = {}
        self._version: int | None = None
        self._reading = asyncio.Lock()

    def find(self, tenant: str) -> Sequence[Registration] | None:
        """None before anything was read: no waiting, for hot paths."""
        return None if self._version is None else self._by_tenant.get(tenant, ())

    async def of(self, tenant: str) -> Sequence[Registration]:
        found = self.find(tenant)
        if found is None:
            await self.refresh()
        return self._by_tenant.get(tenant, ())

    async def refresh(self) -> None:
        async with self._reading:
            version = await self._store.version()
            by_tenant: dict[str, list[Registration]] = {}
            for one in await self._store.list_all():
                by_tenant.setdefault(one.tenant, []).append(one)
            self._by_tenant = {tenant: tuple(some) for tenant, some in by_tenant.items()}
            self._version = version

    async def follow(self) -> None:
        """Until cancelled: take over what other processes change. What is known holds while the store is away."""
        while True:
            try:
                if self._version is not None:
                    await self._store.wait(self._version)
                await self.refresh()
            except ParvisError as failure:
                _log.warning("registrations could not be read anew", extra={"reason": failure.detail})
                await asyncio.sleep(self._pause_s)
