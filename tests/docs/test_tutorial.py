"""The tutorial's requests, sent to a running platform."""

import json
import re
from pathlib import Path

import httpx

from parvis.access.access import COMMAND_LINE
from parvis.kernel.settings import load_settings
from parvis.web.server import serving

TUTORIAL = Path(__file__).resolve().parent.parent.parent / "docs/tutorial/first-five-minutes.md"


def requests() -> tuple[str, str]:
    container, full = re.findall(r"^```json\n(.*?)^```", TUTORIAL.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    return container, full


async def test_what_it_writes_is_stored_and_seen(tmp_path: Path) -> None:
    container, full = requests()
    entity_id = json.loads(container)["id"]
    given = {"server.port": 0, "mqtt.port": 0, "access.public_types": ["WasteContainer"]}
    async with serving(load_settings(tmp_path, given=given)) as running:
        _, key = running.platform.access.keys.create(COMMAND_LINE, "tutorial", "operator")
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        async with httpx.AsyncClient(base_url=running.address, trust_env=False) as client:
            entities = "/ngsi-ld/v1/entities"
            assert (await client.post(entities, content=container, headers=headers)).status_code == 201
            path = f"{entities}/{entity_id}/attrs"
            assert (await client.patch(path, content=full, headers=headers)).status_code == 204
            seen = (await client.get(f"{entities}?type=WasteContainer&q=fillingLevel>0.9&options=keyValues")).json()
            assert [(one["id"], one["fillingLevel"]) for one in seen] == [(entity_id, 0.97)]
            page = await client.get(f"/console/entities/{entity_id}", headers={"Accept-Language": "en"})
            assert "My first container" in page.text


async def test_writing_without_an_identity_is_refused(tmp_path: Path) -> None:
    container, _ = requests()
    settings = load_settings(tmp_path, given={"server.port": 0, "mqtt.port": 0})
    async with serving(settings) as running, httpx.AsyncClient(base_url=running.address, trust_env=False) as client:
        headers = {"Content-Type": "application/json"}
        answer = await client.post("/ngsi-ld/v1/entities", content=container, headers=headers)
    assert answer.status_code in (401, 403)
