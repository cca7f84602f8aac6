"""A platform with a reaction of the tests': it keeps the tally of all bins, whichever process leads.

Run as `python -m tests.scenarios.reacting DATA STORE PORT`.
"""

import asyncio
import sys
from pathlib import Path
from typing import cast

from parvis.broker.broker import Broker
from parvis.broker.leading import Leader, new_holder
from parvis.broker.model.change import Change, Mode
from parvis.broker.model.entity import Instance, Kind
from parvis.broker.ports.store import Outbox, Progress, Store
from parvis.kernel.identity import system_caller
from parvis.kernel.settings_reader import load_settings
from parvis.web.server import Running, run

CONSUMER = "tests: tally"
TALLY_ID = "urn:ngsi-ld:Tally:1"
_AT_ONCE = 50


async def keep_tally(broker: Broker, outbox: Outbox) -> None:
    """Each step is the tally of the step before and the bins since, written with the progress made."""
    caller, expand = system_caller("tests"), broker.contexts.parvis.expand
    bins, count_name, sum_name = expand("Bin"), expand("count"), expand("sum")
    seen = await outbox.newest()
    while True:
        before = await outbox.position(CONSUMER)
        events = await outbox.read(before, _AT_ONCE, frozenset({bins}))
        if not events:
            await outbox.wait(seen)
            seen = await outbox.newest()
            continue
        tally = await broker.find(caller, TALLY_ID)
        counted = {one.name: one.value for one in tally.instances} if tally is not None else {}
        levels = [one.value for event in events for one in event.instances if one.name == expand("level")]
        change = Change(
            TALLY_ID,
            Mode.UPSERT_UPDATE,
            (
                Instance(count_name, Kind.PROPERTY, counted.get(count_name, 0) + len(events)),
                Instance(sum_name, Kind.PROPERTY, counted.get(sum_name, 0) + sum(levels)),
            ),
            (expand("Tally"),),
        )
        await broker.write(caller, [change], Progress(CONSUMER, before, events[-1].seq))


async def main(running: Running, end: asyncio.Event) -> None:
    broker = running.platform.broker
    store = cast(Store, broker.outbox)
    print(f"Parvis is at {running.address}", flush=True)
    leading = asyncio.create_task(Leader(store, CONSUMER, new_holder()).run(lambda: keep_tally(broker, store)))
    await end.wait()
    leading.cancel()
    await asyncio.wait((leading,))


if __name__ == "__main__":
    data, url, port = sys.argv[1:]
    given = {"store.url": url, "server.port": int(port), "mqtt.enabled": False, "access.auth": False}
    run(load_settings(Path(data), {}, given), main)
