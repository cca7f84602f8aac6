"""`parvis conformance`: the official NGSI-LD suite against fresh instances of this program."""

import asyncio
import os
import signal
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import click

from parvis.conformance.changes import changes_since, read_statuses
from parvis.conformance.defects import documented_defects
from parvis.conformance.groups import groups_named
from parvis.conformance.report import JSON_FILE, PAGE_FILE, Report, Score, make_report, write_report
from parvis.conformance.run import GroupResult, Plan, run_groups
from parvis.conformance.suite import find_robot, open_suite
from parvis.kernel.errors import ParvisError

_FOLDER = click.Path(path_type=Path, file_okay=False)


class Interrupted(ParvisError):
    title = "The run was interrupted"


@click.command()
@click.argument("groups", nargs=-1)
@click.option("--suite", required=True, type=_FOLDER, help="Checkout of the ETSI suite (Robot Framework).")
@click.option(
    "--store", default="sqlite", show_default=True, help="memory, sqlite, or postgresql://USER@HOST/DATABASE."
)
@click.option(
    "--python", type=click.Path(path_type=Path), help="Interpreter whose environment has the suite's libraries."
)
@click.option("--out", type=_FOLDER, default="conformance", show_default=True, help="Where results are written.")
@click.option(
    "--at-once", type=click.IntRange(1), help="Groups that run side by side; as many as there are cores, twice."
)
@click.option("--at-least", type=click.FloatRange(0, 1), default=0.97, show_default=True, help="Share that is to pass.")
@click.option("--timeout", "timeout_s", type=float, default=1800.0, show_default=True, help="Seconds a group may take.")
@click.option("--context", "contexts", nargs=2, multiple=True, metavar="URL FILE", help="A further @context to serve.")
@click.option("--robot-option", "options", multiple=True, help="Handed to Robot Framework, such as --test=001_*.")
def conformance(
    groups: tuple[str, ...],
    suite: Path,
    store: str,
    python: Path | None,
    out: Path,
    at_once: int | None,
    at_least: float,
    timeout_s: float,
    contexts: tuple[tuple[str, str], ...],
    options: tuple[str, ...],
) -> None:
    """Run the conformance suite, or GROUPS of it. Needs no network. Exit code 1 where less passes than --at-least."""
    checkout = open_suite(suite)
    files = checkout.context_files() | {url: Path(name).resolve() for url, name in contexts}
    plan = Plan(checkout, find_robot(python), store, out.resolve(), files, timeout_s, options)
    chosen = groups_named(groups)
    results = asyncio.run(_until_told(run_groups(plan, chosen, at_once or 2 * (os.cpu_count() or 1), _say)))
    report = make_report(results, documented_defects(), store)
    before = read_statuses(plan.out)
    write_report(report, plan.out)
    for change in changes_since(before, report):
        click.echo(f"{change.before} before, {change.now} now: {change.key.name} ({change.key.file})")
    _conclude(report, out)
    sys.exit(0 if is_good(report, at_least) else 1)


async def _until_told(running: Coroutine[Any, Any, list[GroupResult]]) -> list[GroupResult]:
    """SIGTERM ends the instances and Robot Framework too."""
    task = asyncio.create_task(running)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    try:
        return await task
    except asyncio.CancelledError as ended:
        raise Interrupted("Interrupted before the suite had ended.") from ended


def is_good(report: Report, at_least: float) -> bool:
    return report.score.corrected >= at_least and not report.internal_errors and not report.faults


def _say(result: GroupResult) -> None:
    passed = sum(case.status == "PASS" for case in result.cases)
    click.echo(
        f"{result.group:<22} {passed:>4} of {len(result.cases):>4} pass  {result.elapsed_s:>5.0f} s  {result.fault}"
    )


def _line(name: str, score: Score) -> str:
    raw, corrected = f"{score.passed}/{score.total}", f"{score.passed_of_rest}/{score.rest}"
    return f"{name:<22} {raw:>9} {score.raw:>6.1%} {corrected:>9} {score.corrected:>6.1%} {score.set_apart:>10}"


def _conclude(report: Report, out: Path) -> None:
    click.echo(f"\n{'':<22} {'raw':>16} {'corrected':>16} {'set apart':>10}")
    for group in report.groups:
        click.echo(_line(group.group, group.score))
    score = report.score
    click.echo(_line("all", score) + "\n")
    click.echo(f"raw        {score.raw:.1%}: {score.passed} of {score.total}")
    click.echo(f"corrected  {score.corrected:.1%}: {score.passed_of_rest} of {score.rest}; {score.set_apart} set apart")
    click.echo(f"internal errors: {report.internal_errors}")
    for fault in report.faults:
        click.echo(f"fault: {fault}", err=True)
    click.echo(f"written: {out / JSON_FILE}, {out / PAGE_FILE}")
