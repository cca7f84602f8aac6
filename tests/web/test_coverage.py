"""Coverage as people see it."""

import json

import httpx

from parvis.bootstrap import Platform
from parvis.fleet.devices.records import DeviceRecord
from parvis.fleet.health.coverage import CoverageCell
from parvis.fleet.model.uplink import Reception, Technology, Uplink
from parvis.fleet.network.gateways import Gateways
from parvis.kernel.identity import Caller
from parvis.kernel.time import HOUR, MINUTE, Instant
from parvis.web.console.coverage import judge
from parvis.web.headline import State
from tests.web.conftest import client_of, plain

FRAMES = 24


def record(number: int, technology: str = "lorawan") -> DeviceRecord:
    place = {"type": "Point", "coordinates": [-3.375 + 0.02 * number, 47.745]}
    room = f"urn:ngsi-ld:IndoorEnvironmentObserved:{number}"
    return DeviceRecord(f"70b3d5499e00000{number}", "cayenne-lpp", room, location=place, technology=technology)


def frames(number: int, every: int, now: Instant, technology: Technology) -> list[Uplink]:
    """Each `every`-th of a counter is heard, all an hour's half and clear."""
    return [
        Uplink(
            f"70b3d5499e00000{number}", b"\x01\x67" + (180 + count % 9).to_bytes(2), 1, count,
            now - (FRAMES * every - count) * MINUTE, rssi_dbm=-80.0, snr_db=7.0, spreading_factor=7,
            technology=technology,
        )
        for count in range(0, FRAMES * every, every)
    ]  # fmt: skip


async def test_squares_say_how_well_each_technology_is_heard(
    platform: Platform, operator: httpx.AsyncClient, caller: Caller, now: Instant
) -> None:
    await platform.fleet.register(caller, [record(0), record(1), record(2, "cellular"), record(3)])
    await platform.fleet.take(caller, frames(0, 1, now, Technology.LORAWAN))
    await platform.fleet.take(caller, frames(1, 3, now, Technology.LORAWAN))
    await platform.fleet.take(caller, frames(2, 1, now, Technology.CELLULAR))
    heard = Reception("7276ff0039990001", -90.0, 4.5, -3.36, 47.75)
    silent = Reception("7276ff0039990002", -90.0, 4.5)
    uplinks = [
        Uplink("x", b"", 1, 1, now, receptions=(heard,)),
        Uplink("x", b"", 1, 1, now - HOUR, receptions=(silent,)),
    ]
    await Gateways(platform.broker).take(caller.tenant, uplinks)

    answer = await operator.get("/console/coverage")
    page = plain(answer.text)
    assert "LoRaWAN 2 Cellular 1" in page
    assert "2 devices in 2 squares · 1 is badly covered" in page
    assert page.index("Badly covered 1 0 6") < page.index("Well covered 1 0 0 %")
    assert page.index("1 7276ff0039990002 Silent for a quarter of an hour") < page.index("2 7276ff0039990001 Heard")
    drawn = json.loads(answer.text.split('id="coverage">')[1].split("</script>")[0])
    assert [one["properties"]["state"] for one in drawn["squares"]["features"]] == ["bad", "good"]
    assert [one["properties"]["sign"] for one in drawn["squares"]["features"]] == ["\u00d7", ""]
    assert [one["geometry"]["coordinates"] for one in drawn["gateways"]["features"]] == [[-3.36, 47.75]]
    assert [one["properties"]["text"] for one in drawn["gateways"]["features"]] == ["2"], "as in the table"
    assert 'id="gateway-2"' in answer.text

    cellular = plain((await operator.get("/console/coverage", params={"technology": "cellular", "lang": "fr"})).text)
    assert "1 capteur dans 1 carré · tous bien couverts" in cellular
    assert "Passerelles par trame" in cellular
    assert "7276ff0039990001" not in cellular


async def test_nothing_heard_says_so(platform: Platform, operator: httpx.AsyncClient) -> None:
    page = plain((await operator.get("/console/coverage", params={"technology": "<b>"})).text)
    assert "No device with a place has been heard yet." in page
    assert "No gateway has been heard." in page
    async with client_of(platform) as visitor:
        assert (await visitor.get("/console/coverage")).status_code == 303


def test_a_square_is_judged_by_what_makes_a_radio_bad() -> None:
    def cell(**known: float | None) -> CoverageCell:
        return CoverageCell("lorawan", 0.0, 0.0, 2, int(known.pop("silent", 0) or 0), 100, gateways=1.0, **known)  # type: ignore[arg-type]

    assert judge(cell(loss=0.0, margin_db=9.0)) is State.GOOD
    assert judge(cell(loss=0.2)) is State.WARN
    assert judge(cell(loss=0.3)) is State.BAD
    assert judge(cell(loss=0.0, margin_db=4.0)) is State.WARN
    assert judge(cell(loss=0.0, margin_db=1.0)) is State.BAD
    assert judge(cell(loss=0.9, silent=2)) is State.STALE
    assert judge(CoverageCell("cellular", 0.0, 0.0, 1, 0, 9, 0.0, 1.0, rssi_dbm=-115.0)) is State.BAD
    assert judge(CoverageCell("lorawan", 0.0, 0.0, 1, 0, 9, 0.0, 1.0, rssi_dbm=-115.0)) is State.GOOD
