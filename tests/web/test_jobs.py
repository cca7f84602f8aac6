"""Jobs as people see and steer them."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from parvis.access.access import COMMAND_LINE
from parvis.bootstrap import Platform, open_platform
from parvis.kernel.identity import DEFAULT_TENANT, Caller, system_caller
from parvis.kernel.jobs import Done, Failed, Job, JobContext, JobFilter, NewJob, Report
from parvis.kernel.time import HOUR, system_clock
from tests.jobs.conftest import ended
from tests.web.conftest import client_of, form_token, plain, settings

KINDS = {"count": 0}
NOTHING_TOLD = Report()


async def count(context: JobContext) -> int:
    return 42


@pytest.fixture
async def platform(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Platform]:
    given = settings(tmp_path_factory.mktemp("jobs"), auth=True)
    async with open_platform(given, listen=False) as platform:
        platform.jobs.kind("count", count, on_request=True)
        yield platform


async def add(platform: Platform, **more: Any) -> Job:
    return await platform.jobs.queue.add(NewJob(DEFAULT_TENANT, "count", created_by="account:ada", **more))


async def running(platform: Platform, report: Report = NOTHING_TOLD) -> Job:
    await add(platform, attempts_allowed=3)
    job = await platform.jobs.queue.claim("town:1", KINDS, 60)
    assert job is not None
    await platform.jobs.queue.keep("town:1", 60, {job.run: report})
    return job


async def page_of(client: httpx.AsyncClient, path: str = "/console/jobs") -> str:
    answer = await client.get(path)
    assert answer.status_code == 200, answer.text
    return answer.text


async def test_without_jobs_the_page_says_what_comes_next(operator: httpx.AsyncClient) -> None:
    page = plain(await page_of(operator))
    assert "No job has run yet." in page
    assert "Check the store Sunday" in page
    assert "17 3 * * *" in page


async def test_a_running_job_shows_how_far_it_is(platform: Platform, operator: httpx.AsyncClient) -> None:
    await running(platform, Report(0.4, "checking"))
    page = await page_of(operator)
    assert '<progress aria-label="Progress" max="1" value="0.400">' in page
    assert 'data-refresh="2"' in page
    assert "Running" in plain(page)
    assert "40" in plain(page)
    assert "Reading everything that is stored" in plain(page)
    french = plain(await page_of(operator, "/console/jobs?lang=fr"))
    assert "En cours" in french
    assert "Lecture de tout ce qui est enregistré" in french


async def test_a_failed_job_says_why_in_the_pages_language(platform: Platform, operator: httpx.AsyncClient) -> None:
    job = await running(platform)
    await platform.jobs.queue.end(job.run, Failed("process-died\nsignal 6\nthe solver gave up"))
    assert "The process that did the work died." in plain(await page_of(operator))
    detail = plain(await page_of(operator, f"/console/jobs/{job.id}"))
    assert "signal 6 the solver gave up" in detail
    assert "1 of at most 3" in detail
    assert "town:1" in detail
    assert "Try again" in detail


async def test_an_error_without_a_code_has_a_sentence_in_the_pages_language_and_is_shown_as_it_was_written(
    platform: Platform, operator: httpx.AsyncClient
) -> None:
    job = await running(platform)
    await platform.jobs.queue.end(job.run, Failed("ValueError: no such bin <7>\nand more"))
    for path in ("/console/jobs?lang=fr", f"/console/jobs/{job.id}?lang=fr"):
        page = plain(await page_of(operator, path))
        assert "La tâche a rencontré une erreur. ValueError: no such bin <7>" in page, path


async def test_a_job_is_started_cancelled_and_tried_again(platform: Platform, operator: httpx.AsyncClient) -> None:
    token = form_token(await page_of(operator))
    started = await operator.post("/console/jobs/start", data={"form_token": token, "kind": "count"})
    assert started.status_code == 303
    path = started.headers["location"]
    assert "Waiting" in plain(await page_of(operator, path))

    await operator.post(f"{path}/cancel", data={"form_token": token})
    assert "Cancelled" in plain(await page_of(operator, path))
    again = await operator.post(f"{path}/cancel", data={"form_token": token})
    assert again.headers["location"] == path, "that it has ended already is no fault"

    await operator.post(f"{path}/retry", data={"form_token": token})
    job_id = int(path.rpartition("/")[2])
    ada = Caller(DEFAULT_TENANT, "account:ada", system_caller("x").rights)
    job = await platform.jobs.get(ada, job_id)
    async with platform.jobs.running():
        await ended(platform.jobs, job)
    page = plain(await page_of(operator, path))
    assert "Done" in page
    assert "42" in page
    actions = [one.record.action for one in platform.access.store.read_audit()]
    assert actions[-3:] == ["job-submitted", "job-cancelled", "job-retried"]


async def test_a_schedule_is_run_now(platform: Platform, operator: httpx.AsyncClient) -> None:
    token = form_token(await page_of(operator))
    answer = await operator.post("/console/jobs/start", data={"form_token": token, "schedule": "store.check"})
    job = await platform.jobs.queue.find(DEFAULT_TENANT, int(answer.headers["location"].rpartition("/")[2]))
    assert job is not None
    assert job.kind == "store.check"
    async with platform.jobs.running():
        assert (await ended(platform.jobs, job)).error == ""


async def test_a_member_is_neither_shown_a_schedule_nor_let_start_one(platform: Platform) -> None:
    await platform.broker.add_tenant("plouhinec")
    _, key = platform.access.keys.create(COMMAND_LINE, "town hall", "administrator", "plouhinec")
    in_member = {"authorization": f"Bearer {key}", "ngsild-tenant": "plouhinec"}
    async with client_of(platform, **in_member) as member:
        page = await page_of(member)
        assert "store.check" not in page
        for schedule in ("store.check", "jobs.prune"):
            form = {"form_token": form_token(page), "schedule": schedule}
            assert (await member.post("/console/jobs/start", data=form)).status_code == 404
    assert await platform.jobs.queue.list_jobs("plouhinec", JobFilter()) == []


@pytest.mark.parametrize(
    ("subject", "words"),
    [("account:ada", "ada"), ("system:schedule", "the schedule"), ("system:archive", "the platform"), ("", "")],
)
async def test_who_asked_is_told(platform: Platform, operator: httpx.AsyncClient, subject: str, words: str) -> None:
    await platform.jobs.queue.add(NewJob(DEFAULT_TENANT, "count", created_by=subject))
    assert f'<td data-label="Asked for by">{words}</td>' in await page_of(operator)


async def test_jobs_are_chosen_by_state_and_kind(platform: Platform, operator: httpx.AsyncClient) -> None:
    done = await running(platform)
    await platform.jobs.queue.end(done.run, Done())
    waiting = await add(platform, due_at=system_clock() + HOUR)
    await platform.jobs.add("jobs.prune", created_by="system:test")
    assert f'href="/console/jobs/{waiting.id}"' in await page_of(operator, "/console/jobs?state=waiting&kind=count")
    chosen = await page_of(operator, "/console/jobs?state=done")
    assert f'href="/console/jobs/{done.id}"' in chosen
    assert f'href="/console/jobs/{waiting.id}"' not in chosen
    assert "No job matches this choice." in await page_of(operator, "/console/jobs?state=done&kind=jobs.prune")
    assert f'href="/console/jobs/{done.id}"' in await page_of(
        operator, "/console/jobs?state=nonsense&kind=none&before=x"
    )


async def test_older_jobs_are_on_the_next_page(platform: Platform, operator: httpx.AsyncClient) -> None:
    jobs = [await add(platform) for _ in range(52)]
    first = await page_of(operator)
    assert f'before={jobs[2].id}"' in first
    second = await page_of(operator, f"/console/jobs?before={jobs[2].id}")
    assert f'href="/console/jobs/{jobs[1].id}"' in second
    assert f'href="/console/jobs/{jobs[2].id}"' not in second
    assert "Newest" in plain(second)


@pytest.mark.parametrize("job_id", ["4711", "x", "9" * 40, "²"])
async def test_what_is_not_there_has_its_page(operator: httpx.AsyncClient, job_id: str) -> None:
    assert (await operator.get(f"/console/jobs/{job_id}")).status_code == 404


async def test_a_forged_form_changes_nothing(platform: Platform, operator: httpx.AsyncClient) -> None:
    job = await add(platform)
    for path in ("start", f"{job.id}/cancel", f"{job.id}/retry"):
        answer = await operator.post(f"/console/jobs/{path}", data={"form_token": "forged", "kind": "count"})
        assert answer.status_code == 403
    assert (await platform.jobs.queue.find(DEFAULT_TENANT, job.id)) == job


async def test_any_form_of_a_page_works_for_a_browser_that_is_new_here(tmp_path: Path) -> None:
    async with open_platform(settings(tmp_path, auth=False), listen=False) as platform, client_of(platform) as client:
        page = await page_of(client)
        tokens = set(re.findall('name="form_token" value="([^"]+)"', page))
        assert len(tokens) == 1
        answer = await client.post("/console/jobs/start", data={"form_token": tokens.pop(), "schedule": "jobs.prune"})
        assert answer.status_code == 303


async def test_strangers_see_nothing_and_readers_change_nothing(
    platform: Platform, operator: httpx.AsyncClient
) -> None:
    job = await add(platform)
    async with client_of(platform) as visitor:
        answer = await visitor.get("/console/jobs")
        assert answer.headers["location"] == "/console/sign-in?next=%2Fconsole%2Fjobs"
    _, token = platform.access.keys.create(COMMAND_LINE, "a screen in the hall", "reader", DEFAULT_TENANT, None)
    async with client_of(platform, authorization=f"Bearer {token}") as reader:
        page = await page_of(reader)
        assert f'href="/console/jobs/{job.id}"' in page
        assert "<button" not in page.split("<main")[1]
        form = {"form_token": form_token(await page_of(reader, "/console/sign-in"))}
        answer = await reader.post(f"/console/jobs/{job.id}/cancel", data=form)
        assert answer.status_code == 403


async def test_the_count_of_jobs_is_a_metric(platform: Platform) -> None:
    await add(platform)
    async with platform.jobs.running():
        read = {name: gauge.read() for name, gauge in platform.gauges.items() if name.startswith("parvis_jobs")}
    assert set(read) == {
        "parvis_jobs_waiting",
        "parvis_jobs_running",
        "parvis_jobs_failed",
        "parvis_jobs_oldest_due_seconds",
    }
