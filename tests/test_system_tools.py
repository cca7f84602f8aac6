"""What the fixtures for other programs promise."""

import subprocess
from pathlib import Path

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode

from tests import system_tools
from tests.conftest import ROOT


def test_chromium_tells_its_version(chromium: Path) -> None:
    run = subprocess.run([chromium, "--version"], capture_output=True, text=True, check=True)
    assert "Chrom" in run.stdout


def test_mosquitto_accepts_a_client(mosquitto: int) -> None:
    client = Client(CallbackAPIVersion.VERSION2)
    assert client.connect("127.0.0.1", mosquitto) is MQTTErrorCode.MQTT_ERR_SUCCESS
    client.disconnect()


def test_postgresql_answers(postgresql: str) -> None:
    psql = system_tools.require_program("postgresql", "psql")
    command = [str(psql), postgresql, "-Atc", "select 6 * 7"]
    answer = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert answer.strip() == "42"


def test_a_missing_program_skips_on_a_workstation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="no such tool"):
        system_tools.require_program("no such tool", "no-such-program")


def test_a_missing_program_is_told_at_the_end(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    pytester.makeconftest("from tests.conftest import pytest_terminal_summary")
    pytester.makepyfile(
        "from tests import system_tools",
        "def test_with_it(): system_tools.require_program('no such tool', 'no-such-program')",
    )
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    result.stdout.fnmatch_lines(["## MISSING: no such tool: tests were not run"])


def test_a_missing_program_fails_in_continuous_integration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="no such tool"):
        system_tools.require_program("no such tool", "no-such-program")
