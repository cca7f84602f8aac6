"""What is found of receivers, imports and jobs: the newest of each are looked through, for they are few."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from parvis.broker.search.words import words_in
from parvis.connectors.files.imports import may_import
from parvis.kernel.identity import Caller, Right
from parvis.kernel.jobs import Job, JobFilter
from parvis.web.console import imports, jobs, subscriptions
from parvis.web.site import Site
from parvis.web.views import short_id
from parvis.web.wording import Wording

LOOKED_THROUGH = 200


@dataclass(frozen=True, slots=True)
class Work:
    title: str
    detail: str
    href: str


async def find_subscriptions(site: Site, caller: Caller, asked: Sequence[str]) -> list[Work]:
    if not caller.may(Right.READ):
        return []
    page = await site.platform.broker.subscriptions.list_page(caller, LOOKED_THROUGH)
    works = []
    for one in (subscribed.subscription for subscribed in page.subscribed):
        endpoint = one.notification.endpoint.shown_uri
        works.append(Work(one.name or short_id(one.id), endpoint, subscriptions.href_of(one.id)))
    return list(_fitting(works, asked))


async def find_imports(site: Site, caller: Caller, asked: Sequence[str], t: Wording) -> list[Work]:
    if not may_import(caller):
        return []
    folders = imports.files_of(site.platform).imports.folders
    found = await asyncio.to_thread(folders.list_imports, caller.tenant, LOOKED_THROUGH)
    works = [Work(one.name, t.moment(one.created_at), f"/console/imports/{one.id}") for one in found]
    return list(_fitting(works, asked))


async def find_jobs(site: Site, caller: Caller, asked: Sequence[str], t: Wording) -> list[Work]:
    if Right.READ not in caller.everywhere:
        return []
    found = await site.platform.jobs.list_jobs(caller, JobFilter(limit=LOOKED_THROUGH))
    return list(_fitting((_job_work(job, t) for job in found), asked))


def _job_work(job: Job, t: Wording) -> Work:
    detail = f"{t(f'job_state.{job.state.word}')} · {t.moment(job.created_at)}"
    return Work(f"{jobs.name_of(job.kind, t)} {job.id}", detail, f"/console/jobs/{job.id}")


def _fitting(works: Iterable[Work], asked: Sequence[str]) -> Iterable[Work]:
    for work in works:
        words = words_in(f"{work.title} {work.detail}")
        if all(any(word.startswith(one) for word in words) for one in asked):
            yield work
