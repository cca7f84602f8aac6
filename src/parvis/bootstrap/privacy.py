"""What is past its time is foreseen when somebody asks, and goes by night where a tenant has switched that on."""

from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from parvis.access.ports import AccessStore
from parvis.access.privacy.model import Action, LedgerEntry, Purpose
from parvis.access.privacy.purposes import Purposes
from parvis.access.privacy.retention import RETENTION, Retention
from parvis.bootstrap.archive import close_erasures
from parvis.broker.ports.store import Store
from parvis.jobs.jobs import Jobs
from parvis.jobs.kinds import done_elsewhere
from parvis.kernel.identity import Right
from parvis.kernel.jobs import JobContext, JobFilter, JobState, LoopWork, WorkFailed
from parvis.kernel.settings import Settings
from parvis.kernel.time import Instant, system_clock

NIGHT = "privacy.night"
KEEP = "privacy.keep"
FORESEE = "privacy.foresee"
_LONGEST_S = 20 * 3600
_OPEN = frozenset({JobState.WAITING, JobState.RUNNING})


class Foreseen(msgspec.Struct, frozen=True, kw_only=True):
    """What a run would do, by purpose, type and attribute."""

    action: str
    purpose: str
    type: str
    attribute: str
    count: int
    objects: int
    since: Instant
    until: Instant
    made: int = 0


def add_kinds(jobs: Jobs, settings: Settings, access: AccessStore, store: Store | None) -> None:
    zone = ZoneInfo(settings.territory.time_zone)
    steward: dict[str, Any] = {"right": Right.STEWARD, "at_most": 1, "timeout_s": _LONGEST_S}
    has_archive = bool(settings.history.archive_after_days)
    keeping = done_elsewhere if store is None else _keeping(store, access, zone, has_archive=has_archive)
    jobs.kind(KEEP, keeping, attempts=3, **steward)
    jobs.kind(FORESEE, done_elsewhere if store is None else _foreseeing(store, access, zone), attempts=2, **steward)
    jobs.kind(NIGHT, done_elsewhere if store is None else _night(jobs, store, access), at_most=1, for_all=True)
    jobs.every(NIGHT, "10 1 * * *", NIGHT)


def _night(jobs: Jobs, store: Store, access: AccessStore) -> LoopWork:
    """Each tenant that has it switched on has a job of its own, so that none waits for another's fault."""

    async def begin(_context: JobContext) -> dict[str, int]:
        tenants = [one for one in await store.list_tenants() if Purposes(access).policy_of(one).executes]
        for tenant in tenants:
            if not await jobs.queue.list_jobs(tenant, JobFilter(states=_OPEN, kind=KEEP, limit=1)):
                await jobs.add(KEEP, tenant=tenant, created_by=RETENTION)
        return {"tenants": len(tenants)}

    return begin


def _keeping(store: Store, access: AccessStore, zone: ZoneInfo, *, has_archive: bool) -> LoopWork:
    async def keep(context: JobContext) -> dict[str, int]:
        purposes = Purposes(access)
        if not purposes.policy_of(context.tenant).executes:
            raise WorkFailed("retention-is-off")
        declared = purposes.list_of(context.tenant)

        def is_on() -> bool:
            """Whoever switches it off, or declares something else, need not wait for its end."""
            return purposes.policy_of(context.tenant).executes and purposes.list_of(context.tenant) == declared

        retention = Retention(store, access, context.tenant, zone)
        told = await retention.execute(declared, context.report, is_on)
        if told and not has_archive:
            await close_erasures(store)
        return {one.value: sum(entry.count for entry in told if entry.action is one) for one in _DONE}

    return keep


def _foreseeing(store: Store, access: AccessStore, zone: ZoneInfo) -> LoopWork:
    async def foresee(context: JobContext) -> list[Any]:
        purposes = Purposes(access).list_of(context.tenant)
        return [msgspec.to_builtins(one) for one in await foreseen(store, access, context, purposes, zone)]

    return foresee


async def foreseen(
    store: Store, access: AccessStore, context: JobContext, purposes: Sequence[Purpose], zone: ZoneInfo
) -> list[Foreseen]:
    retention, now = Retention(store, access, context.tenant, zone), system_clock()
    due = [one async for one in retention.list_due(purposes, context.report)]
    return together([one.entry(context.tenant, now) for one in due])


def together(entries: Sequence[LedgerEntry]) -> list[Foreseen]:
    """A line for all that was, or would be, done with one attribute for one purpose."""
    found: dict[tuple[str, str, str, Action], list[LedgerEntry]] = {}
    for one in entries:
        found.setdefault((one.purpose, one.type, one.attribute, one.action), []).append(one)
    return [
        Foreseen(
            action=action.value,
            purpose=purpose,
            type=type_,
            attribute=attribute,
            count=sum(one.count for one in some),
            objects=sum(one.objects for one in some),
            since=min(one.since or 0 for one in some),
            until=max(one.until or 0 for one in some),
            made=sum(one.made for one in some),
        )
        for (purpose, type_, attribute, action), some in found.items()
    ]


_DONE = (Action.ERASED, Action.AGGREGATED)
