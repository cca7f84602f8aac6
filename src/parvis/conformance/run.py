"""Runs groups of the suite side by side, each against instances of its own."""

import asyncio
import os
from asyncio.subprocess import STDOUT, Process
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import msgspec

from parvis.conformance.groups import Group
from parvis.conformance.instance import (
    Health,
    Instance,
    free_port,
    own_loopback,
    place_for,
    running_instance,
)
from parvis.conformance.mqtt import find_mosquitto, write_docker
from parvis.conformance.results import Case, NoResults, read_results
from parvis.conformance.stores import fresh_store, working_folder
from parvis.conformance.suite import Suite
from parvis.kernel.errors import ParvisError

_API = "/ngsi-ld/v1"
_PROXIES = {"http_proxy", "https_proxy", "all_proxy"}
_RESULTS = "output.json"
_FAILED_TO_RUN = 251
"""Robot Framework's return codes from here on say that it did not run the tests; those below count failures."""


class Plan(msgspec.Struct, frozen=True):
    """`robot` is its command; `out` gets a folder for each group, with Robot's log and what the instances said."""

    suite: Suite
    robot: tuple[str, ...]
    store: str
    out: Path
    contexts: Mapping[str, Path]
    timeout_s: float
    options: tuple[str, ...] = ()


class GroupResult(msgspec.Struct, frozen=True):
    """`fault` says why there are no results, or not all; it is empty where all is well."""

    group: str
    cases: list[Case]
    health: Health | None
    elapsed_s: float
    fault: str = ""


Told = Callable[[GroupResult], None]


async def run_groups(plan: Plan, groups: Sequence[Group], at_once: int, told: Told) -> list[GroupResult]:
    """In the order of `groups`; `told` hears of each when it has ended."""
    turn = asyncio.Semaphore(at_once)

    async def one(group: Group) -> GroupResult:
        async with turn:
            result = await run_group(plan, group)
        told(result)
        return result

    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(one(group), name=group.name) for group in groups]
    return [task.result() for task in running]


async def run_group(plan: Plan, group: Group) -> GroupResult:
    """What keeps a group from running is its fault, and no reason to give up the others."""
    begun_s = asyncio.get_running_loop().time()
    cases: list[Case] = []
    health, fault = None, ""
    try:
        cases, health, fault = await _run(plan, group)
    except (ParvisError, OSError) as error:
        fault = str(error)
    return GroupResult(group.name, cases, health, asyncio.get_running_loop().time() - begun_s, fault)


async def _run(plan: Plan, group: Group) -> tuple[list[Case], Health, str]:
    folders = plan.suite.folders_of(group.folders)
    if not folders:
        raise NoResults("This checkout has no tests of this group.")
    out = plan.out / group.name
    out.mkdir(parents=True, exist_ok=True)
    (out / _RESULTS).unlink(missing_ok=True)
    with working_folder(plan.store) as work:
        async with _instances(plan, group, work, out) as instances:
            before = instances[0].resident_mib()
            fault = await _run_robot(plan, folders, instances, work, out)
            health = await _health(instances, before)
    return ([], health, fault) if fault else (read_results(out / _RESULTS, plan.suite.root), health, "")


@asynccontextmanager
async def _instances(plan: Plan, group: Group, work: Path, out: Path) -> AsyncIterator[list[Instance]]:
    host = own_loopback()
    instances: list[Instance] = []
    async with AsyncExitStack() as stack:
        for number in range(group.instances):
            place = place_for(host, group.port if number == 0 else None)
            store = stack.enter_context(fresh_store(plan.store))
            opened = running_instance(place, work / f"instance-{number + 1}", plan.contexts, store)
            instances.append(await stack.enter_async_context(opened))
        yield instances
    for number, instance in enumerate(instances, 1):
        (out / f"parvis-{number}.log").write_bytes(instance.log.read_bytes())


async def _run_robot(plan: Plan, folders: list[str], instances: list[Instance], work: Path, out: Path) -> str:
    """Why it did not end as it should, or nothing."""
    host = own_loopback()
    variables = suite_variables(instances, host)
    console = out / "console.txt"
    with console.open("wb") as said:
        process = await asyncio.create_subprocess_exec(
            *_command(plan, variables, folders, out),
            cwd=plan.suite.root,
            env=_environment(plan.suite, work, host, variables["mqtt_broker_non_default_port"]),
            stdout=said,
            stderr=STDOUT,
        )
        fault = await _ended(process, plan.timeout_s)
    if not fault and (process.returncode or 0) >= _FAILED_TO_RUN:
        fault = console.read_text(encoding="utf-8", errors="replace")[-500:].strip()
    return fault


def _command(plan: Plan, variables: Mapping[str, str], folders: list[str], out: Path) -> list[str]:
    given = [word for name, value in variables.items() for word in ("--variable", f"{name}:{value}")]
    results = ["--outputdir", str(out), "--output", _RESULTS, "--report", "NONE"]
    return [*plan.robot, *results, *given, *plan.options, *folders]


def suite_variables(instances: Sequence[Instance], host: str) -> dict[str, str]:
    """Of the suite's `resources/variables.py` and of its tests among several brokers."""
    url = instances[0].address + _API
    ports = ("notification_server_port", "context_source_port", "context_server_port", "mqtt_broker_non_default_port")
    hosts = ("notification_server_host", "context_source_host", "context_server_host", "mqtt_broker_host")
    return {
        "url": url,
        "temporal_api_url": url,
        **{name: str(free_port(host)) for name in ports},
        **dict.fromkeys((*hosts, "mock_host", "notify_host"), host),
        **{f"b{number}_url": one.address + _API for number, one in enumerate(instances, 1)},
    }


def _environment(suite: Suite, work: Path, host: str, mqtt_port: str) -> dict[str, str]:
    """Nothing is written into the checkout, and no proxy stands between the suite and the instances."""
    kept = {name: value for name, value in os.environ.items() if name.lower() not in _PROXIES}
    programs = work / "programs"
    if (mosquitto := find_mosquitto()) is not None:
        write_docker(programs, mosquitto, suite.mqtt_configuration, host, int(mqtt_port))
    return kept | {
        "PATH": os.pathsep.join([str(programs), os.environ.get("PATH", os.defpath)]),
        "PYTHONPATH": str(suite.http_library),
        "PYTHONDONTWRITEBYTECODE": "1",
    }


async def _ended(process: Process, timeout_s: float) -> str:
    try:
        async with asyncio.timeout(timeout_s):
            await process.wait()
    except TimeoutError:
        return f"Robot Framework had not ended after {timeout_s:g} s."
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return ""


async def _health(instances: Sequence[Instance], before: float | None) -> Health:
    alive = [instance for instance in instances if instance.is_alive]
    errors: Counter[str] = Counter()
    for instance in alive:
        errors += await instance.errors()
    after = instances[0].resident_mib() if instances[0].is_alive else None
    return Health(len(instances), len(alive), dict(sorted(errors.items())), before, after)
