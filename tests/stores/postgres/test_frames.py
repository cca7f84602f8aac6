"""Claims of frames that wait, held by processes that may die, by a clock that may be set back."""

from parvis.fleet.model.frame import Room
from parvis.fleet.model.refusal import RefusalReason, Refused, make_refusal
from parvis.fleet.model.uplink import Uplink
from parvis.kernel.time import SECOND
from parvis.stores.postgres.database import EVERY_TENANT, Connection
from parvis.stores.postgres.store import PostgresStore

TENANT, EUI = "default", "70b3d5499e000001"
NOON = 1_790_000_000 * SECOND
UNKNOWN = Refused(RefusalReason.UNKNOWN_DEVICE)


async def test_a_claim_of_before_the_clock_was_set_back_has_run_out(pair: tuple[PostgresStore, PostgresStore]) -> None:
    one, other = pair
    await one.frames.keep([make_refusal(NOON, TENANT, UNKNOWN, Uplink(EUI, b"\1", 1, 1, NOON))], Room())
    ids = await one.frames.find_waiting(TENANT, [EUI], 0, 10)
    assert len(await one.frames.claim(TENANT, ids)) == 1
    assert await other.frames.claim(TENANT, ids) == []

    def set_back(connection: Connection) -> None:
        connection.execute("UPDATE refusal SET claimed_until = claimed_until + interval '1 day'")

    await one.desk.run(EVERY_TENANT, set_back)
    assert len(await other.frames.claim(TENANT, ids)) == 1
