"""Commands to devices: kept once for each key, found when they are due, changed by one at a time."""

from typing import Any
from uuid import uuid4

import pytest
from msgspec.structs import replace

from parvis.broker.ports.store import Store
from parvis.fleet.commands.command import (
    Command,
    CommandLog,
    CommandState,
    TooManyCommands,
    failed,
    handed_over,
    postponed,
)
from parvis.kernel.errors import NonexistentTenant
from parvis.kernel.time import SECOND
from tests.contract.territory import NOON, TENANT

EUI, OTHER_EUI, NEIGHBOUR = "70b3d5499e000001", "70b3d5499e0000aa", "neighbour"


@pytest.fixture
async def log(store: Store) -> CommandLog:
    await store.add_tenant(TENANT)
    await store.add_tenant(NEIGHBOUR)
    opened: Any = store
    found: CommandLog = opened.commands
    return found


def command(number: int = 0, **changes: Any) -> Command:
    made = Command(
        id=str(uuid4()),
        tenant=TENANT,
        hardware_id=EUI,
        key=f"key {number}",
        f_port=10,
        payload=bytes([number]),
        is_confirmed=True,
        creator="user:ada",
        created_at=NOON + number,
        expires_at=NOON + 3600 * SECOND,
        changed_at=NOON + number,
        due_at=NOON + number,
        data={"open": True},
    )
    return replace(made, **changes)


async def test_a_command_is_found_as_it_was_given(log: CommandLog) -> None:
    given = command(1)
    assert await log.add(given) == given
    assert await log.find(TENANT, given.id) == given
    assert await log.find(NEIGHBOUR, given.id) is None
    assert await log.find(TENANT, "another") is None


async def test_the_same_key_of_the_same_device_is_the_same_command(log: CommandLog) -> None:
    first = await log.add(command(1))
    assert await log.add(command(1)) == first
    for other in (command(1, hardware_id=OTHER_EUI), command(1, tenant=NEIGHBOUR)):
        assert await log.add(other) == other
    assert await log.list_commands(TENANT, EUI, 10) == [first]


async def test_a_tenant_that_does_not_exist_has_none(log: CommandLog) -> None:
    with pytest.raises(NonexistentTenant):
        await log.add(command(tenant="nowhere"))


async def test_commands_of_a_device_are_listed_the_newest_first(log: CommandLog) -> None:
    given = [await log.add(command(number)) for number in range(4)]
    await log.add(command(9, hardware_id=OTHER_EUI))
    assert await log.list_commands(TENANT, EUI, 3) == given[:0:-1]


async def test_those_due_come_longest_waiting_first_of_all_tenants(log: CommandLog) -> None:
    late, early = await log.add(command(5)), await log.add(command(2, tenant=NEIGHBOUR))
    await log.add(command(6))
    over = await log.add(command(1))
    assert await log.replace(failed(over, "no", NOON))
    assert await log.list_due(NOON + 5, 10) == [early, late]
    assert await log.list_due(NOON + 5, 1) == [early]


async def test_of_two_who_change_it_one_does(log: CommandLog) -> None:
    given = await log.add(command())
    first, second = handed_over(given, "chirpstack", NOON + 1), postponed(given, "down", NOON + 2)
    assert await log.replace(first)
    assert not await log.replace(second)
    assert await log.find(TENANT, given.id) == first
    assert not await log.replace(replace(first, version=3, tenant=NEIGHBOUR))


async def test_open_commands_of_a_device_are_bounded(log: CommandLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("parvis.fleet.commands.command.MOST_OPEN_OF_DEVICE", 2)
    monkeypatch.setattr("parvis.fleet.commands.command.MOST_OPEN_OF_TENANT", 3)
    first = await log.add(command(1))
    await log.add(command(2))
    with pytest.raises(TooManyCommands):
        await log.add(command(3))
    assert await log.add(command(1)) == first, "what is there already is no more"
    await log.add(command(3, hardware_id=OTHER_EUI))
    with pytest.raises(TooManyCommands):
        await log.add(command(4, hardware_id=OTHER_EUI))
    await log.replace(failed(first, "no", NOON))
    await log.add(command(5))


async def test_what_is_over_is_forgotten_in_time_and_what_is_open_is_not(log: CommandLog) -> None:
    given = [await log.add(command(number)) for number in range(4)]
    for number, one in enumerate(given[:3]):
        await log.replace(failed(one, "no", NOON + number * 100))
    assert await log.prune(NOON + 150, 1) == 1
    assert await log.prune(NOON + 150, 10) == 1
    left = await log.list_commands(TENANT, EUI, 10)
    assert [(one.key, one.state) for one in left] == [
        ("key 3", CommandState.QUEUED),
        ("key 2", CommandState.FAILED),
    ]
