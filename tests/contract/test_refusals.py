"""Where refused frames are kept: a file of one process, or a table of all processes."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from parvis.fleet.ports import RefusalLog
from parvis.fleet.refusal import Refusal, RefusalReason, Refused
from parvis.fleet.refusals import Refusals
from parvis.fleet.uplink import Uplink
from parvis.stores.postgres.database import EVERY_TENANT, Database, Pool
from parvis.stores.postgres.refusals import PostgresRefusals
from tests.contract.territory import NOON, TENANT

OTHER = "neighbour"
EUI, OTHER_EUI = "70b3d5499e000001", "70b3d5499e0000aa"
UNKNOWN = Refused(RefusalReason.UNKNOWN_DEVICE, "nobody")


class Opened:
    """`other` is another process's way to the same frames."""

    def __init__(self, log: RefusalLog, other: RefusalLog, count: Callable[[], int] | None = None) -> None:
        self.log = log
        self.other = other
        self.count = count


@pytest.fixture(params=["file", "postgres"])
async def opened(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Opened]:
    if request.param == "file":
        log = Refusals(tmp_path / "refused.jsonl", lambda: NOON)
        yield Opened(log, log)
        return
    database = Database(request.getfixturevalue("postgres_url"))
    database.prepare()
    with database.connect() as connection:
        connection.execute("INSERT INTO tenant (name) VALUES (%s), (%s)", (TENANT, OTHER))
    pool = Pool(database, 2, "refusals")

    def count() -> int:
        return pool._ask(EVERY_TENANT, lambda one: len(one.execute("SELECT FROM refusal").fetchall()), b"")

    yield Opened(PostgresRefusals(pool, lambda: NOON), PostgresRefusals(pool, lambda: NOON), count)
    pool.close()


def frame(number: int, hardware_id: str = EUI) -> Uplink:
    return Uplink(hardware_id, bytes([number % 256, 0]), 1, number, NOON, session="00189440")


def refusal(log: RefusalLog, number: int, tenant: str = TENANT, hardware_id: str = EUI) -> Refusal:
    return log.make(tenant, UNKNOWN, frame(number, hardware_id))


async def counters(log: RefusalLog, tenant: str = TENANT) -> list[int]:
    return [one.uplink.f_cnt for one in await log.list_refusals(tenant) if one.uplink is not None]


async def test_what_one_process_keeps_all_see_the_newest_first(opened: Opened) -> None:
    first, malformed = refusal(opened.log, 1), Refused(RefusalReason.MALFORMED_MESSAGE, "no JSON")
    await opened.log.keep([first, opened.log.make(TENANT, malformed, None, "a/topic", b"\x00\xff")])
    newest, oldest = await opened.other.list_refusals(TENANT)
    assert (newest.reason, newest.detail, newest.topic, newest.payload) == (
        RefusalReason.MALFORMED_MESSAGE,
        "no JSON",
        "a/topic",
        b"\x00\xff",
    )
    assert oldest.uplink == frame(1)
    assert newest.id > oldest.id > 0
    assert newest.at == NOON


async def test_what_is_counted_only_is_not_kept(opened: Opened) -> None:
    await opened.log.keep([opened.log.make(TENANT, Refused(RefusalReason.DUPLICATE), frame(1))])
    assert await opened.log.list_refusals(TENANT) == []


async def test_a_tenant_sees_and_changes_its_own_alone(opened: Opened) -> None:
    await opened.log.keep([refusal(opened.log, 1), refusal(opened.log, 2, OTHER)])
    (theirs,) = await opened.log.list_refusals(OTHER)
    assert await counters(opened.log) == [1]
    assert await opened.log.claim(TENANT, [theirs.id]) == []
    await opened.log.resolve(TENANT, [theirs.id])
    assert await opened.log.list_unknown(TENANT, {EUI}) == [one.id for one in await opened.log.list_refusals(TENANT)]
    assert await counters(opened.log, OTHER) == [2]


async def test_frames_of_unknown_devices_are_found_by_device_oldest_first(opened: Opened) -> None:
    log = opened.log
    timed_out = log.make(TENANT, Refused(RefusalReason.CODEC_TIMED_OUT), frame(3))
    await log.keep([refusal(log, 1), refusal(log, 2, hardware_id=OTHER_EUI), timed_out, refusal(log, 4)])
    by_id = {one.id: one.uplink for one in await log.list_refusals(TENANT)}
    assert [by_id[one] for one in await opened.other.list_unknown(TENANT, {EUI})] == [frame(1), frame(4)]


async def test_what_was_stored_after_all_is_forgotten(opened: Opened) -> None:
    await opened.log.keep([refusal(opened.log, number) for number in range(3)])
    middle = (await opened.log.list_refusals(TENANT))[1]
    assert [one.uplink for one in await opened.log.claim(TENANT, [middle.id, 12345])] == [frame(1)]
    await opened.log.resolve(TENANT, [middle.id])
    assert await counters(opened.other) == [2, 0]


async def test_one_process_at_a_time_tries_a_frame_again(opened: Opened) -> None:
    if opened.log is opened.other:
        pytest.skip("a file is of one process")
    await opened.log.keep([refusal(opened.log, 1), refusal(opened.log, 2)])
    ids = [one.id for one in await opened.log.list_refusals(TENANT)]
    assert [one.id for one in await opened.log.claim(TENANT, ids)] == ids
    assert await opened.other.claim(TENANT, ids) == []
    await opened.log.release(TENANT, ids[:1])
    assert [one.id for one in await opened.other.claim(TENANT, ids)] == ids[:1]
    assert await counters(opened.other) == [2, 1], "they are shown all the while"


async def test_room_is_bounded_and_one_device_does_not_push_out_all_others(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("parvis.stores.postgres.refusals", "parvis.fleet.refusals"):
        monkeypatch.setattr(f"{module}.KEPT", 10)
        monkeypatch.setattr(f"{module}.MOST_OF_ONE_DEVICE", 4)
    monkeypatch.setattr("parvis.stores.postgres.refusals.TRIM_EVERY", 1)
    quiet = refusal(opened.log, 200, hardware_id=OTHER_EUI)
    await opened.log.keep([quiet, *(refusal(opened.log, number) for number in range(20))])
    assert await counters(opened.log) == [19, 18, 17, 16, 200]
    for number in range(100):
        await opened.log.keep([opened.log.make(TENANT, UNKNOWN, frame(number, f"{number:016x}"))])
    assert 10 <= len(await opened.log.list_refusals(TENANT)) <= 20
    if opened.count is not None:
        assert opened.count() <= 20
