"""Which ways in there are."""

from pathlib import Path

import pytest

from parvis.bootstrap import open_platform
from parvis.bootstrap.connectors import list_manifests
from parvis.kernel.settings import InvalidSettings, MqttSettings, Settings

PORT = MqttSettings(port=0)


async def test_those_that_need_no_settings_are_always_there(tmp_path: Path) -> None:
    always = {name for name, manifest in list_manifests().items() if manifest.get("is_always_on")}
    async with open_platform(Settings(tmp_path, mqtt=PORT)) as platform:
        assert platform.connectors.keys() == always
        assert "chirpstack" in always


async def test_settings_of_a_connector_that_is_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings, match="carrier-pigeon"):
        async with open_platform(Settings(tmp_path, mqtt=PORT, connectors={"carrier-pigeon": {}})):
            pass
