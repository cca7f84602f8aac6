"""The tutorial's requests, sent to a running platform."""

import json
import re
import subprocess
from pathlib import Path

import httpx
import pytest

from parvis.access.access import COMMAND_LINE
from parvis.kernel.settings_reader import load_settings
from parvis.kernel.time import MINUTE, SECOND, format_instant, parse_instant, system_clock
from parvis.web.server import serving
from tests.fakes.terms import PARVIS_TERMS

TUTORIAL = Path(__file__).resolve().parent.parent.parent / "docs/tutorial/first-five-minutes.md"


def requests() -> tuple[str, str]:
    """With the times that `sed` writes there, a minute between them."""
    container, full = re.findall(r"^```json\n(.*?)^```", TUTORIAL.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    now = system_clock() // SECOND * SECOND
    return container.replace("NOW", format_instant(now - MINUTE)), full.replace("NOW", format_instant(now))


async def test_what_it_writes_is_stored_and_seen(tmp_path: Path) -> None:
    container, full = requests()
    entity_id = json.loads(container)["id"]
    given = {"server.port": 0, "mqtt.port": 0, "access.public_types": ["WasteContainer"]}
    async with serving(load_settings(tmp_path, given=given)) as running:
        _, key = running.platform.access.keys.create(COMMAND_LINE, "tutorial", "operator")
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json", **PARVIS_TERMS}
        async with httpx.AsyncClient(base_url=running.address, trust_env=False) as client:
            entities = "/ngsi-ld/v1/entities"
            assert (await client.post(entities, content=container, headers=headers)).status_code == 201
            path = f"{entities}/{entity_id}/attrs"
            assert (await client.patch(path, content=full, headers=headers)).status_code == 204
            asked = f"{entities}?type=WasteContainer&q=fillingLevel>0.9&options=keyValues"
            seen = (await client.get(asked, headers=PARVIS_TERMS)).json()
            assert [(one["id"], one["fillingLevel"]) for one in seen] == [(entity_id, 0.97)]
            page = await client.get(f"/console/entities/{entity_id}", headers={"Accept-Language": "en"})
            assert "My first container" in page.text
            assert "data-chart=" in page.text
            series = (await client.get(f"/console/entities/{entity_id}/series.json?attr=fillingLevel")).json()
            assert series["v"] == pytest.approx([35, 97])


async def test_writing_without_an_identity_is_refused(tmp_path: Path) -> None:
    container, _ = requests()
    settings = load_settings(tmp_path, given={"server.port": 0, "mqtt.port": 0})
    async with serving(settings) as running, httpx.AsyncClient(base_url=running.address, trust_env=False) as client:
        headers = {"Content-Type": "application/json"}
        answer = await client.post("/ngsi-ld/v1/entities", content=container, headers=headers)
    assert answer.status_code in (401, 403)


def test_the_file_is_sent_with_the_present_time(tmp_path: Path) -> None:
    words = re.findall(r"^    (sed .*?) \|", TUTORIAL.read_text(encoding="utf-8"), re.MULTILINE)
    for name, content in zip(("container.json", "full.json"), requests(), strict=True):
        written = re.sub(r'"observedAt": "[^"]+"', '"observedAt": "NOW"', content)
        (tmp_path / name).write_text(written, encoding="utf-8")
    assert len(words) == 2
    for line in words:
        told = subprocess.run(["sh", "-c", line], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
        (observed_at,) = re.findall(r'"observedAt": "([^"]+)"', told)
        assert abs(parse_instant(observed_at) - system_clock()) < MINUTE
        json.loads(told)
