"""Stations that are no stations, that break off, and a store that takes nothing just now."""

import asyncio
import base64
import ipaddress
import json
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from parvis.broker.model.change import Change, Outcome, Status
from parvis.broker.ports.store import Progress
from parvis.connectors.ocpp import central as central_module
from parvis.connectors.ocpp import desk, metrics
from parvis.connectors.ocpp.central import MOST_MALFORMED
from parvis.connectors.ocpp.commands import read_command
from parvis.connectors.ocpp.config import OcppConfig, Station
from parvis.connectors.ocpp.mapping import read_samples
from parvis.connectors.ocpp.plugin import build
from parvis.fleet.ways.connector import InvalidConnector
from parvis.kernel.errors import BadRequestData, Overloaded
from parvis.kernel.identity import Caller
from tests.connectors.mqtt.test_tls import Authority
from tests.connectors.ocpp.conftest import PASSWORD, STATION, Central, open_central
from tests.connectors.town import Town, at_work
from tests.strategies import documents

V16 = "ocpp1.6"
HEARTBEAT = '[2,"1","Heartbeat",{}]'
START = '[2,"2","StartTransaction",{"connectorId":1,"idTag":"C","meterStart":0,"timestamp":"2026-09-21T12:00:00Z"}]'


def counted(reason: str) -> float:
    return float(metrics.MALFORMED.labels(reason)._value.get())


async def ask(connection: Any, message: str) -> Any:
    await connection.send(message)
    async with asyncio.timeout(5):
        return json.loads(await connection.recv())


async def test_a_station_without_a_common_version_is_hung_up_on(central: Central) -> None:
    with pytest.raises(Exception, match=r"subprotocol|1002|400"):
        async with central.wire("ocpp1.5") as connection:
            await connection.recv()


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ('[2,"1","Heartbeat",{"extra":1}]', "FormatViolation"),
        ('[2,"1","StatusNotification",{"connectorId":1}]', "ProtocolError"),
        (
            '[2,"1","StatusNotification",{"connectorId":"a","errorCode":"NoError","status":"Available"}]',
            "TypeConstraint",
        ),
        ('[2,"1","ReserveNow",{}]', "NotImplemented"),
        ('[2,"1","MakeCoffee",{}]', "NotSupported"),
    ],
)
async def test_a_call_that_breaks_its_schema_is_answered_with_why_and_counted(
    central: Central, message: str, code: str
) -> None:
    async with central.wire(V16) as connection:
        kind, number, answered, *_ = await ask(connection, message)
        assert (kind, number) == (4, "1")
        assert code in answered or answered == "FormationViolation"
        before = counted(answered)
        await ask(connection, message)
        assert counted(answered) == before + 1
        assert (await ask(connection, HEARTBEAT))[0] == 3


@pytest.mark.parametrize(
    "message", ["", "{", "[]", "[2]", '[2,"1","Heartbeat"]', '[9,"1",{}]', "[2,1,2,3]", "[" * 5000, b"\xff\x00"]
)
async def test_what_is_no_ocpp_is_counted_and_passed_over(central: Central, message: str | bytes) -> None:
    before = counted("malformed")
    async with central.wire(V16) as connection:
        await connection.send(message)
        assert (await ask(connection, HEARTBEAT))[0] == 3
    assert counted("malformed") == before + 1


async def test_an_answer_that_nobody_asked_for_is_not_kept(central: Central) -> None:
    before = counted("unasked-answer")
    async with central.wire(V16) as connection:
        for _ in range(5):
            await connection.send('[3,"1",{}]')
        assert (await ask(connection, HEARTBEAT))[0] == 3
    assert counted("unasked-answer") == before + 5


async def test_who_speaks_no_ocpp_is_hung_up_on(central: Central) -> None:
    async with central.wire(V16) as connection:
        for _ in range(MOST_MALFORMED):
            await connection.send("noise")
        with pytest.raises(ConnectionClosed, match="1002"):
            await connection.recv()


async def test_a_message_that_is_too_large_ends_the_connection(central: Central) -> None:
    async with central.wire(V16) as connection:
        await connection.send("[" + " " * 300_000 + "]")
        with pytest.raises(ConnectionClosed):
            async with asyncio.timeout(5):
                await connection.recv()


async def test_a_station_that_connects_anew_takes_the_place_of_its_older_connection(central: Central) -> None:
    async with central.wire(V16) as older, central.wire(V16) as newer:
        assert (await ask(newer, HEARTBEAT))[0] == 3
        with pytest.raises(ConnectionClosed, match="1008"):
            await older.recv()
        assert await central.town.value(f"urn:ngsi-ld:EVChargingStation:{STATION}", "isConnected") is True


async def test_nothing_is_answered_that_is_not_stored(
    central: Central, town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store takes nothing: no answer and the connection ends. It takes again: the session is there, once."""
    written = town.broker.write
    is_closed = True

    async def write(caller: Caller, changes: Sequence[Change], progress: Progress | None = None) -> list[Outcome]:
        if is_closed:
            raise Overloaded("Not now.")
        return await written(caller, changes, progress)

    monkeypatch.setattr(town.broker, "write", write)
    monkeypatch.setattr(desk, "PATIENCE_S", 0.0)
    async with central.wire(V16) as connection:
        await connection.send(START)
        with pytest.raises(ConnectionClosed, match="1013"):
            async with asyncio.timeout(5):
                await connection.recv()
    is_closed = False
    async with central.wire(V16) as connection:
        first, again = await ask(connection, START), await ask(connection, START)
    assert first[0] == 3
    assert first[2] == again[2]
    session = f"urn:ngsi-ld:ChargingSession:{STATION}:{first[2]['transactionId']}"
    assert len(await town.history(session, "startDate")) == 1


async def test_what_is_refused_for_good_is_answered_so(
    central: Central, town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def write(_caller: Caller, changes: Sequence[Change], _progress: Progress | None = None) -> list[Outcome]:
        return [Outcome(one.entity_id, Status.FAILED, error=BadRequestData("No.")) for one in changes]

    async with central.wire(V16) as connection:
        assert (await ask(connection, HEARTBEAT))[0] == 3
        monkeypatch.setattr(town.broker, "write", write)
        assert (await ask(connection, START))[:3] == [4, "2", "InternalError"]
        assert (await ask(connection, HEARTBEAT))[0] == 3


async def test_a_station_is_heard_though_its_connection_is_refused_to_be_noted(
    central: Central, town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def write(_caller: Caller, changes: Sequence[Change], *_more: object) -> list[Outcome]:
        return [Outcome(one.entity_id, Status.FAILED, error=BadRequestData("No.")) for one in changes]

    monkeypatch.setattr(town.broker, "write", write)
    async with central.wire(V16) as connection:
        assert (await ask(connection, HEARTBEAT))[0] == 3


async def test_that_a_station_has_gone_is_told_once_the_store_takes_it(
    central: Central, town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    written, failures = town.broker.write, [Overloaded("Not now."), Overloaded("Not now.")]
    monkeypatch.setattr(central_module, "_TELL_AGAIN_S", 0.01)

    async def write(caller: Caller, changes: Sequence[Change], *more: Any) -> list[Outcome]:
        if failures:
            raise failures.pop()
        return await written(caller, changes, *more)

    async with central.wire(V16) as connection:
        assert (await ask(connection, HEARTBEAT))[0] == 3
        monkeypatch.setattr(town.broker, "write", write)
    async with asyncio.timeout(5):
        while await town.value(f"urn:ngsi-ld:EVChargingStation:{STATION}", "isConnected") is not False:  # noqa: ASYNC110 (it is told to nobody)
            await asyncio.sleep(0.01)
    assert failures == []


async def test_a_short_trouble_of_the_store_is_waited_out(
    central: Central, town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    written, failures = town.broker.write, [Overloaded("Not now."), Overloaded("Not now.")]

    async def write(caller: Caller, changes: Sequence[Change], progress: Progress | None = None) -> list[Outcome]:
        if failures:
            raise failures.pop()
        return await written(caller, changes, progress)

    async with central.wire(V16) as connection:
        assert (await ask(connection, HEARTBEAT))[0] == 3
        monkeypatch.setattr(town.broker, "write", write)
        assert (await ask(connection, START))[0] == 3


json_values = documents(st.text(max_size=10))
sampled = st.fixed_dictionaries(
    {"value": json_values},
    optional={
        "measurand": st.sampled_from(["Voltage", "SoC", "Current.Import", "Power.Active.Import", "Nonsense"]),
        "phase": st.sampled_from(["L1", "L2-N", "N", "L1-L2"]),
        "unit": st.sampled_from(["kW", "W", "A", "parsecs"]),
        "unit_of_measure": json_values
        | st.fixed_dictionaries({"unit": st.just("W"), "multiplier": st.integers() | st.text()}),
        "location": st.sampled_from(["EV", "Outlet"]),
        "format": st.sampled_from(["Raw", "SignedData"]),
    },
)


@given(
    st.lists(
        st.fixed_dictionaries({"timestamp": st.text(), "sampled_value": st.lists(sampled | json_values)}), max_size=5
    )
)
def test_any_values_are_read_or_skipped(meter_values: list[Any]) -> None:
    samples, skipped = read_samples(meter_values, 1_790_000_000_000_000)
    assert skipped >= 0
    assert all(sample.measurements for sample in samples)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(action=st.sampled_from(["Heartbeat", "MeterValues", "StopTransaction", "BootNotification"]), payload=json_values)
async def test_no_message_stops_the_central_system(central: Central, action: str, payload: Any) -> None:
    async with central.wire(V16, "CP-3", "common") as connection:
        await connection.send(json.dumps([2, "x", action, payload]))
        await connection.send(HEARTBEAT)
        async with asyncio.timeout(5):
            while json.loads(await connection.recv())[1] != "1":
                pass


async def test_stations_connect_by_tls(town: Town, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    name = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    certificate, key = authority.issue("central", "central", name)
    config = OcppConfig(port=0, station=(Station(STATION, PASSWORD),), certificate=str(certificate), key=str(key))
    context = ssl.create_default_context(cafile=str(authority.path))
    shown = base64.b64encode(f"{STATION}:{PASSWORD}".encode()).decode()
    async with (
        open_central(town, config) as central,
        connect(
            f"wss://127.0.0.1:{central.system.port}/{STATION}",
            subprotocols=[Subprotocol(V16)],
            additional_headers={"Authorization": f"Basic {shown}"},
            ssl=context,
        ) as connection,
    ):
        assert (await ask(connection, HEARTBEAT))[0] == 3


async def test_a_certificate_that_is_not_there_is_told_before_anything_starts(town: Town) -> None:
    with pytest.raises(InvalidConnector, match="certificate, key"):
        build(town.surroundings({"certificate": "nowhere.crt", "key": "nowhere.key"}))


async def test_the_connector_listens_by_its_settings_alone(town: Town, free_port: int) -> None:
    connector = build(town.surroundings({"port": free_port, "station": [{"id": STATION}]}))
    assert connector.sender is not None
    async with at_work(connector, "central-system"), asyncio.timeout(5):
        while True:
            try:
                async with connect(f"ws://127.0.0.1:{free_port}/{STATION}", subprotocols=[Subprotocol(V16)]) as one:
                    assert (await ask(one, HEARTBEAT))[0] == 3
                    return
            except OSError:
                await asyncio.sleep(0.02)


def test_a_command_that_is_nested_too_deeply_is_refused() -> None:
    with pytest.raises(ValueError, match="recursion"):
        read_command(b'{"do":' + b'{"a":' * 5000)
