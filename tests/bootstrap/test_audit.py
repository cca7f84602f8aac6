"""Who took back or put right a part of the past stands in the audit trail."""

from pathlib import Path

import pytest

from parvis.bootstrap import open_platform
from parvis.broker.query.tree import TemporalQuery
from parvis.broker.temporal.erasure import Correction, Erasure
from parvis.kernel.errors import Forbidden, ResourceNotFound
from parvis.kernel.identity import Caller, Right
from parvis.kernel.settings_reader import load_settings
from tests.contract.territory import LEVEL, NOON, TENANT, bin_, bin_id, level

CLERK = Caller(TENANT, "user:clerk", Right.READ | Right.WRITE)
READER = Caller(TENANT, "user:reader", Right.READ)


async def test_corrections_and_erasures_are_in_the_trail_and_refusals_are_not(tmp_path: Path) -> None:
    async with open_platform(load_settings(tmp_path), listen=False) as platform:
        broker = platform.broker
        await broker.write(CLERK, [bin_(1, level(1, NOON))])
        told = await broker.history(CLERK, bin_id(1), TemporalQuery())
        [wrong] = told.instances[(LEVEL, "")]
        correction = Correction(bin_id(1), wrong.seq, level(2))

        with pytest.raises(Forbidden):
            await broker.correct(READER, correction)
        seq = await broker.correct(CLERK, correction)
        with pytest.raises(ResourceNotFound):
            await broker.correct(CLERK, Correction(bin_id(1), 10**6, level(2)))
        await broker.erase(CLERK, Erasure(bin_id(1), LEVEL, seq=seq))

        trail = [entry.record for entry in platform.access.store.read_audit()]
        assert [(one.subject, one.action, one.object, one.facts) for one in trail] == [
            (
                "user:clerk",
                "history-corrected",
                bin_id(1),
                {"attribute": LEVEL, "seq": str(wrong.seq), "becomes": str(seq)},
            ),
            ("user:clerk", "history-erased", bin_id(1), {"attribute": LEVEL, "seq": str(seq)}),
        ]
