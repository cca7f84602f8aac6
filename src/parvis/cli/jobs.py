"""`parvis jobs`: what runs later, also beside a running platform, which does the work."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import click
import msgspec

from parvis.access.access import COMMAND_LINE
from parvis.bootstrap.jobs import opened_jobs
from parvis.cli.options import data_option, settings_beside
from parvis.jobs.jobs import Jobs
from parvis.kernel.identity import DEFAULT_TENANT, Caller
from parvis.kernel.jobs import Job, JobFilter, JobState
from parvis.kernel.time import Instant, format_instant

NOT_DONE = 4
_LOOK_EVERY_S = 0.5

_tenant_option = click.option("--tenant", default=DEFAULT_TENANT, show_default=True, help="Whose jobs.")
_job_argument = click.argument("job_id", metavar="JOB", type=click.IntRange(1))


@click.group("jobs")
def jobs() -> None:
    """Look at jobs, cancel them, try them again, ask for one.

    A running platform does the work; without one, jobs wait for its next start.
    """


@jobs.command("list")
@data_option()
@_tenant_option
@click.option("--state", type=click.Choice([one.word for one in JobState]), help="Only those in this state.")
@click.option("--kind", default="", help="Only those of this kind.")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many at most.")
def list_jobs(data_dir: Path, tenant: str, state: str | None, kind: str, limit: int) -> None:
    """List jobs, newest first: number, state, progress, attempts, last change, kind."""
    states = frozenset(one for one in JobState if one.word == state)

    async def ask(jobs: Jobs, caller: Caller) -> list[Job]:
        return await jobs.list_jobs(caller, JobFilter(states, kind, limit=limit))

    found = _run(data_dir, tenant, ask)
    if not found:
        click.echo("There are no such jobs.", err=True)
    for job in found:
        changed = format_instant(job.ended_at or job.started_at or job.created_at)[:19]
        attempts = f"{job.attempt}/{job.attempts_allowed}"
        click.echo(f"{job.id:>6}  {job.state.word:9}  {job.progress:4.0%}  {attempts:>5}  {changed}  {job.kind}")


@jobs.command("show")
@data_option()
@_tenant_option
@_job_argument
def show(data_dir: Path, tenant: str, job_id: int) -> None:
    """Show all of a job as JSON, with its attempts."""

    async def ask(jobs: Jobs, caller: Caller) -> dict[str, Any]:
        job = await jobs.get(caller, job_id)
        attempts = await jobs.list_attempts(caller, job_id)
        return {**_readable(job), "attempts": [_readable(one) for one in attempts]}

    told = msgspec.json.encode(_run(data_dir, tenant, ask))
    click.echo(msgspec.json.format(told, indent=2).decode())


@jobs.command("cancel")
@data_option()
@_tenant_option
@_job_argument
def cancel(data_dir: Path, tenant: str, job_id: int) -> None:
    """Cancel a job; a running one ends within seconds."""
    job = _run(data_dir, tenant, lambda jobs, caller: jobs.cancel(caller, job_id))
    click.echo(f"Job {job.id} is {'being cancelled' if job.is_cancelling else job.state.word}.")


@jobs.command("retry")
@data_option()
@_tenant_option
@_job_argument
def retry(data_dir: Path, tenant: str, job_id: int) -> None:
    """Try a failed or cancelled job again."""
    job = _run(data_dir, tenant, lambda jobs, caller: jobs.retry(caller, job_id))
    click.echo(f"Job {job.id} is {job.state.word}.")


@jobs.command("run")
@data_option()
@_tenant_option
@click.argument("kind")
@click.option("--argument", "-a", "given", multiple=True, metavar="NAME=VALUE", help="An argument; JSON or text.")
@click.option("--wait", is_flag=True, help="Wait for its end; exit code 4 if it was not done.")
def run(data_dir: Path, tenant: str, kind: str, given: tuple[str, ...], wait: bool) -> None:
    """Ask for a job of KIND, such as store.check."""
    arguments = dict(map(_argument, given))

    async def ask(jobs: Jobs, caller: Caller) -> Job:
        job = await jobs.submit(caller, kind, arguments)
        click.echo(f"Job {job.id} is {job.state.word}.", err=wait)
        while wait and not job.state.has_ended:
            await asyncio.sleep(_LOOK_EVERY_S)
            job = await jobs.get(caller, job.id)
        return job

    job = _run(data_dir, tenant, ask)
    if wait:
        click.echo(f"Job {job.id} is {job.state.word}.{f' {job.error}' if job.error else ''}")
        if job.state is not JobState.DONE:
            raise click.exceptions.Exit(NOT_DONE)


def _run(data_dir: Path, tenant: str, ask: Callable[[Jobs, Caller], Awaitable[Any]]) -> Any:
    settings = settings_beside(data_dir)
    caller = Caller(tenant, COMMAND_LINE.subject, COMMAND_LINE.rights)

    async def asked() -> Any:
        async with opened_jobs(settings) as jobs:
            return await ask(jobs, caller)

    return asyncio.run(asked())


def _argument(text: str) -> tuple[str, Any]:
    """NAME=VALUE, the value as JSON where it is some."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise click.BadParameter(f"{text!r} is not NAME=VALUE", param_hint="--argument")
    try:
        return name, msgspec.json.decode(value)
    except msgspec.DecodeError:
        return name, value


def _readable(one: msgspec.Struct) -> dict[str, Any]:
    """With states as words and instants as dates."""
    return {name: _told(name, value) for name, value in msgspec.structs.asdict(one).items()}


def _told(name: str, value: Any) -> Any:
    if name.endswith("_at") and isinstance(value, Instant):
        return format_instant(value)
    return getattr(value, "word", value)
