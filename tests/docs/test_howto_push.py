"""What the how-tos of pushing and of brokers tell people to write is what is read."""

import re
import tomllib
from pathlib import Path

import msgspec
import pytest

from parvis.connectors.coap.config import CoapConfig
from parvis.connectors.mqttbridge.config import BrokerConfig, check_broker
from parvis.fleet.documents.bodies import read_documents
from parvis.fleet.documents.mapping import PACKAGED_MAPPINGS, load_mapping, load_mappings
from parvis.fleet.documents.push import Report
from parvis.fleet.model.refusal import RefusalReason
from parvis.fleet.model.uplink import Uplink
from tests.docs.test_howto import blocks

HOWTO = Path(__file__).resolve().parents[2] / "docs/howto"


def test_the_mapping_to_copy_holds_its_example(tmp_path: Path) -> None:
    (text,) = blocks("push-over-http.md", "toml")
    folder = tmp_path / "my-loggers"
    folder.mkdir()
    (folder / "mapping.toml").write_text(text, encoding="utf-8")
    assert load_mapping(folder).examples


def test_the_batch_to_send_is_read() -> None:
    text, _ = blocks("push-over-http.md", "json")
    (document,) = read_documents(text.encode(), "application/json")
    plain = load_mappings([PACKAGED_MAPPINGS])["plain"]
    read = [plain.read_item(item, 0) for item in plain.find_items(document)]
    assert [one.hardware_id for one in read if isinstance(one, Uplink)] == ["meter-07", "meter-08"]


def test_the_report_of_a_batch_is_as_it_is_shown() -> None:
    _, text = blocks("push-over-http.md", "json")
    shown = msgspec.json.decode(text, type=Report, strict=True)
    assert set(msgspec.json.decode(text)) == set(msgspec.to_builtins(shown))
    assert {RefusalReason[one.reason] for one in shown.items} == {
        RefusalReason.UNKNOWN_DEVICE,
        RefusalReason.MALFORMED_MESSAGE,
    }


def test_every_packaged_mapping_is_told_of() -> None:
    told = re.findall(r"^\| `/([a-z-]+)` \|", (HOWTO / "push-over-http.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert {*told, "plain"} == load_mappings([PACKAGED_MAPPINGS]).keys()


@pytest.mark.parametrize("number", [0, 1])
def test_the_settings_of_a_broker_are_read(number: int) -> None:
    table = tomllib.loads(blocks("connect-an-mqtt-broker.md", "toml")[number])["connectors"]["mqttbridge"]
    for name, config in msgspec.convert(table, dict[str, BrokerConfig]).items():
        check_broker(name, config)


def test_the_settings_of_coap_are_read() -> None:
    (text,) = blocks("coap.md", "toml")
    assert msgspec.convert(tomllib.loads(text)["connectors"]["coap"], CoapConfig).is_closed_network
