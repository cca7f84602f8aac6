"""What was acknowledged is durable: `kill -9` under mixed HTTP and MQTT load (200 rounds of it in benchmarks/)."""

from pathlib import Path

from benchmarks.harness.crash import run_rounds

ROUNDS = 4


def test_every_acknowledged_write_survives_a_kill(tmp_path: Path) -> None:
    verdicts = run_rounds(tmp_path, ROUNDS, seed=11)

    assert [one.missing for one in verdicts] == [0] * ROUNDS
    assert all(one.sound for one in verdicts)
    assert sum(one.acknowledged for one in verdicts) > 100, "the load was too small to say anything"
