"""What devices post, from the request to the entity."""

import gzip
import zlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.json import decode, encode

from parvis.connectors.httppush.plugin import TooManyItems, build
from parvis.fleet.devices.records import DeviceRecord
from parvis.fleet.model.refusal import RefusalReason
from parvis.fleet.ways.connector import Answer, InvalidConnector, Post
from parvis.kernel.errors import BadRequestData, PayloadTooLarge, UnsupportedMediaType
from parvis.kernel.identity import Caller, Right
from parvis.kernel.time import parse_instant
from tests.connectors.town import CALLER, Town, open_town

METER = "meter-07"
ROOM = "urn:ngsi-ld:IndoorEnvironmentObserved:hall"
NOW = parse_instant("2026-09-21T07:00:00Z")
KEY = Caller("default", "key:town", Right.INGEST)
JSON = {"content-type": "application/json"}
PROFILE = """
[profile]
id = "json-climate"
name = "Temperature, told in JSON"
entity_type = "IndoorEnvironmentObserved"
[[attribute]]
field = "temperature"
name = "temperature"
unit_code = "CEL"
"""
LOGGERS = """
[mapping]
id = "loggers"
name = "Loggers"
records = "loggers[]"
[item]
hardware_id = "serial"
"""


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    folder = tmp_path / "profiles/json-climate"
    folder.mkdir(parents=True)
    (folder / "profile.toml").write_text(PROFILE)
    (folder / "codec.js").write_text("function decodeUplink(i) { return {data: {temperature: i.bytes[0]}}; }")
    async with open_town(tmp_path) as town:
        await town.fleet.register(CALLER, [DeviceRecord(METER, "json-climate", ROOM)])
        yield town


async def push(
    town: Town,
    body: Any,
    headers: dict[str, str] = JSON,
    query: dict[str, str] | None = None,
    mapping: str = "",
    caller: Caller = KEY,
    table: dict[str, Any] | None = None,
) -> Answer:
    data = body if isinstance(body, bytes) else encode(body)
    webhook = build(town.surroundings(table or {})).webhooks[mapping]
    return await webhook(Post(caller, f"/api/connectors/httppush/{mapping}", query or {}, headers, data, NOW))


async def reasons(town: Town) -> list[RefusalReason]:
    return [one.reason for one in await town.fleet.list_refusals(CALLER)]


async def test_a_reading_without_any_mapping(town: Town) -> None:
    answer = await push(town, {"temperature": 21.5}, query={"device": "METER-07"})
    assert answer.status == 200
    assert decode(answer.body) == {"accepted": 1, "duplicates": 0, "waiting": 0, "refused": 0, "items": []}
    instance = await town.find(ROOM, "temperature")
    assert instance is not None
    assert (instance.value, instance.observed_at) == (21.5, NOW)


async def test_a_key_of_one_device_says_who_sends_and_speaks_for_no_other(town: Town) -> None:
    own = msgspec.structs.replace(KEY, device=METER)
    assert (await push(town, {"temperature": 20}, caller=own)).status == 200
    assert await town.value(ROOM, "temperature") == 20
    answer = await push(town, {"temperature": 99}, caller=own, query={"device": "meter-08"})
    assert answer.status == 202
    assert decode(answer.body)["items"][0]["reason"] == "OTHER_DEVICE"


async def test_a_batch_is_told_of_item_by_item(town: Town) -> None:
    batch = [
        {"device": METER, "time": 1790000000, "temperature": 1},
        {"device": "nobody-knows-me", "time": 1790000000, "temperature": 2},
        "no reading",
        {"device": METER, "time": "tomorrow", "temperature": 3},
        {"device": METER, "time": "2026-09-21T15:00:00+02:00", "temperature": 4},
    ]
    report = decode((await push(town, batch)).body)
    assert (report["accepted"], report["waiting"], report["refused"]) == (2, 1, 2)
    assert [(one["item"], one["reason"]) for one in report["items"]] == [
        (2, "MALFORMED_MESSAGE"),
        (3, "MALFORMED_MESSAGE"),
        (1, "UNKNOWN_DEVICE"),
    ]
    assert "'tomorrow' is no time" in report["items"][1]["detail"]
    assert sorted(await town.history(ROOM, "temperature")) == [1, 4]


async def test_the_same_batch_again_changes_nothing(town: Town) -> None:
    batch = [{"device": METER, "time": 1790000000 + number, "temperature": number} for number in range(600)]
    first, second = decode((await push(town, batch)).body), decode((await push(town, batch)).body)
    assert (first["accepted"], first["refused"]) == (600, 0)
    assert (second["accepted"], second["duplicates"], second["refused"]) == (0, 600, 0)
    assert len(await town.history(ROOM, "temperature")) == 600


@pytest.mark.parametrize(
    ("media_type", "body"),
    [
        ("application/x-ndjson", b'{"device":"meter-07","temperature":7}\n\n'),
        ("text/csv", b"device;time;temperature\nmeter-07;1790000000;7\n"),
        ("application/x-www-form-urlencoded", b"device=meter-07&temperature=7"),
        ("application/vnd.town+json; charset=utf-8", b'{"device":"meter-07","temperature":7}'),
        ("", b'\xef\xbb\xbf[{"device":"meter-07","temperature":7}]'),
    ],
)
async def test_each_form_is_read(town: Town, media_type: str, body: bytes) -> None:
    assert (await push(town, body, {"content-type": media_type})).status == 200
    assert await town.value(ROOM, "temperature") == 7


async def test_one_line_that_is_no_json_harms_no_other(town: Town) -> None:
    body = b'{"device":"meter-07","temperature":7}\n{"device":\n'
    report = decode((await push(town, body, {"content-type": "application/x-ndjson"})).body)
    assert (report["accepted"], report["refused"]) == (1, 1)
    assert await reasons(town) == [RefusalReason.MALFORMED_MESSAGE]


async def test_bytes_are_for_the_codec_of_the_profile(town: Town) -> None:
    answer = await push(town, b"\x15", {"content-type": "application/octet-stream"}, {"device": METER, "counter": "1"})
    assert answer.status == 200
    assert await town.value(ROOM, "temperature") == 21


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [("gzip", gzip.compress), ("deflate", zlib.compress), ("deflate", lambda body: zlib.compress(body, wbits=-15))],
)
async def test_what_is_packed_is_unpacked(town: Town, encoding: str, pack: Any) -> None:
    body = pack(encode({"device": METER, "temperature": 3}))
    assert (await push(town, body, JSON | {"content-encoding": encoding})).status == 200
    assert await town.value(ROOM, "temperature") == 3


async def test_a_bomb_is_noticed_before_it_goes_off(town: Town) -> None:
    bomb = gzip.compress(b" " * 50_000_000)
    with pytest.raises(PayloadTooLarge):
        await push(town, bomb, JSON | {"content-encoding": "gzip"})
    many = gzip.compress(b" " * 1_000_000) * 100
    with pytest.raises(PayloadTooLarge):
        await push(town, many, JSON | {"content-encoding": "gzip"})
    of_nothing = gzip.compress(b"") * 101  # 16 MiB of them would take minutes
    with pytest.raises(PayloadTooLarge, match="100 parts"):
        await push(town, of_nothing, JSON | {"content-encoding": "gzip"})


@pytest.mark.parametrize(
    "headers", [{"content-type": "application/xml"}, JSON | {"content-encoding": "br"}], ids=["xml", "brotli"]
)
async def test_what_is_not_read_here_is_said(town: Town, headers: dict[str, str]) -> None:
    with pytest.raises(UnsupportedMediaType):
        await push(town, b"<a/>", headers)


@pytest.mark.parametrize("body", [b"{", b"[" * 100_000, b"\xff\xfe", b""], ids=["cut", "deep", "no text", "empty"])
async def test_what_is_no_json_is_refused_and_kept(town: Town, body: bytes) -> None:
    with pytest.raises(BadRequestData):
        await push(town, body)
    assert await reasons(town) == [RefusalReason.MALFORMED_MESSAGE]


@pytest.mark.parametrize(
    "body", [b'{"device": "meter-07", "temperature": 3}', b' [{"device":"METER-07","temperature":3}]']
)
async def test_json_that_is_called_a_form_is_read_as_json(town: Town, body: bytes) -> None:
    answer = await push(town, body, {"content-type": "application/x-www-form-urlencoded"})
    assert (answer.status, await town.value(ROOM, "temperature")) == (200, 3)


async def test_what_is_no_form_is_told_how_to_say_that_it_is_json(town: Town) -> None:
    with pytest.raises(BadRequestData, match="Content-Type: application/json"):
        await push(town, b'"21.5"', {"content-type": "application/x-www-form-urlencoded"})


async def test_a_document_in_which_the_mapping_finds_nothing_is_refused_and_kept(town: Town, tmp_path: Path) -> None:
    folder = tmp_path / "mappings/loggers"
    folder.mkdir(parents=True)
    (folder / "mapping.toml").write_text(LOGGERS)
    answer = await push(town, {"other": 1}, mapping="loggers")
    assert answer.status == 202
    report = decode(answer.body)
    assert (report["accepted"], report["refused"]) == (0, 1)
    assert report["items"][0]["detail"] == "the mapping loggers finds nothing in it"
    assert await reasons(town) == [RefusalReason.MALFORMED_MESSAGE]
    assert (await push(town, {"loggers": []}, mapping="loggers")).status == 200


async def test_sigfox_in_its_own_form_and_as_a_form(town: Town) -> None:
    await town.fleet.register(CALLER, [DeviceRecord("1d3c21", "json-climate", ROOM)])
    callback = {"device": "1D3C21", "time": "1790000000", "data": "15", "seqNumber": "17"}
    assert (await push(town, callback, mapping="sigfox")).status == 200
    assert await town.value(ROOM, "temperature") == 21
    form = {"content-type": "application/x-www-form-urlencoded"}
    body = b"device=1D3C21&time=1790000600&data=0016&seqNumber=18"
    assert (await push(town, body, form, mapping="sigfox")).status == 200


async def test_a_mapping_of_ones_own_wins_over_the_packaged_one(town: Town) -> None:
    folder = town.data_dir / "mappings/depth"
    folder.mkdir(parents=True)
    (folder / "mapping.toml").write_text(
        """
        [mapping]
        id = "depth"
        name = "Pairs"
        records = "probes[]"
        [item]
        hardware_id = "sn"
        fields = "from_pairs(values[].[name, value])"
        [[example]]
        document = '{"probes": [{"sn": "P-001", "values": [{"name": "temperature", "value": 4}]}]}'
        gives = [{ hardware_id = "p-001", fields = { temperature = 4 } }]
        """
    )
    body = {"probes": [{"sn": METER, "values": [{"name": "temperature", "value": 4}, {"name": None, "value": 1}]}]}
    assert (await push(town, body, mapping="depth")).status == 200
    assert await town.value(ROOM, "temperature") == 4


async def test_a_mapping_whose_example_does_not_hold_is_told_at_the_start(town: Town) -> None:
    folder = town.data_dir / "mappings/wrong"
    folder.mkdir(parents=True)
    (folder / "mapping.toml").write_text(
        """
        [mapping]
        id = "wrong"
        name = "Wrong"
        [item]
        hardware_id = "id"
        [[example]]
        document = '{"id": "abcd"}'
        gives = [{ hardware_id = "dcba" }]
        """
    )
    with pytest.raises(InvalidConnector, match="expected 'dcba'"):
        build(town.surroundings({}))


async def test_who_sends_without_a_pause_is_asked_to_wait_and_others_are_not(town: Town) -> None:
    webhook = build(town.surroundings({"items_per_s": 1, "burst": 5})).webhooks[""]
    body = encode([{"device": METER, "time": 1790000000 + number, "temperature": 1} for number in range(10)])

    def post(caller: Caller) -> Post:
        return Post(caller, "/", {}, JSON, body, NOW)

    assert (await webhook(post(KEY))).status == 200
    with pytest.raises(TooManyItems) as caught:
        await webhook(post(KEY))
    assert caught.value.retry_after_s is not None
    assert 5 <= caught.value.retry_after_s <= 8
    assert (await webhook(post(msgspec.structs.replace(KEY, subject="key:other")))).status == 200


async def test_more_items_than_are_taken_at_once(town: Town) -> None:
    with pytest.raises(PayloadTooLarge):
        await push(town, [{}] * 10_001)
