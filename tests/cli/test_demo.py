"""The demonstration's command: what cannot be laid out leaves the platform running."""

import asyncio
from contextlib import closing
from pathlib import Path

import pytest

from parvis.access.identities.sessions import SeenFrom
from parvis.bootstrap import open_platform
from parvis.cli.demo import _Plan, _Play, _say_again
from parvis.cli.serve import say_where
from parvis.demo.first_start import FirstStart
from parvis.demo.happenings import DemoStory
from parvis.demo.picture.basemap import BaseMap
from parvis.demo.story.kept import KeptStory
from parvis.demo.story.line import Line
from parvis.fleet.devices.records import DeviceRecord
from parvis.kernel.happenings import Laying
from parvis.kernel.settings import AccessSettings, MqttSettings, Settings
from parvis.kernel.time import system_clock
from parvis.web.server import Running


class NoTerritory:
    """The process that is to make the territory lacks a library."""

    def __init__(self) -> None:
        self.closed = asyncio.Event()

    async def records(self) -> list[DeviceRecord]:
        raise ImportError("no shapely")

    def close(self) -> None:
        self.closed.set()


async def test_the_platform_runs_where_devices_cannot_be_made(tmp_path: Path) -> None:
    plan, maker, end = _Plan(1, 1.0, 0.0, tmp_path / "demo"), NoTerritory(), asyncio.Event()
    story = DemoStory(kept := KeptStory.open(plan.folder, 1, 0), Line(), system_clock)
    first_start = FirstStart(maker, kept, story, 0, lambda _: None)  # type: ignore[arg-type]
    settings = Settings(tmp_path, mqtt=MqttSettings(host="127.0.0.1", port=0))
    with closing(BaseMap(1)) as base_map:
        play = _Play(plan, base_map, maker, first_start)  # type: ignore[arg-type]
        async with open_platform(settings) as platform:
            serving = asyncio.create_task(end.wait())
            running = Running(platform, "http://127.0.0.1:9", serving)  # type: ignore[arg-type]
            playing = asyncio.create_task(play.until_told(running, end))
            await asyncio.wait_for(maker.closed.wait(), 20)
            await asyncio.wait((playing,), timeout=0.2)

            assert not playing.done()
            assert story.laying == Laying("fault", 1.0)
            end.set()
            await playing


async def test_the_link_to_become_the_administrator_is_said_again_until_somebody_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = Settings(tmp_path, access=AccessSettings(auth=True), mqtt=MqttSettings(enabled=False))
    async with open_platform(settings, listen=False) as platform:
        running = Running(platform, "http://127.0.0.1:9", None)  # type: ignore[arg-type]
        where = say_where(running)
        first = capsys.readouterr().out
        _say_again(running, where)
        again = capsys.readouterr().out
        token = first.rpartition("token=")[2].strip()
        await platform.access.accounts.redeem_link(token, "maelle", "correct horse battery", SeenFrom("127.0.0.1"))
        _say_again(running, where)

    assert "/welcome?token=" in first
    assert again == first
    assert capsys.readouterr().out == "Parvis is at http://127.0.0.1:9\n"
