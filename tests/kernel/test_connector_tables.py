from pathlib import Path

import pytest

from parvis.kernel.connector_tables import read_tables
from parvis.kernel.settings import InvalidSettings
from parvis.kernel.settings_reader import load_settings


def test_a_password_stays_in_the_environment() -> None:
    tables = {"ocpp": {"stations": [{"password": "${KEY}"}], "port": 9000, "note": "costs ${KEY}"}}
    assert read_tables(tables, {"KEY": "secret"}) == {
        "ocpp": {"stations": [{"password": "secret"}], "port": 9000, "note": "costs ${KEY}"}
    }


@pytest.mark.parametrize("tables", [[], {"ocpp": 1}, {"ocpp": {"password": "${NOT_THERE}"}}])
def test_what_cannot_be_used_is_refused(tables: object) -> None:
    with pytest.raises(ValueError, match=r"connectors|NOT_THERE"):
        read_tables(tables, {})


def test_the_file_has_tables_of_connectors_beside_its_sections(tmp_path: Path) -> None:
    file = tmp_path / "territory.toml"
    file.write_text("[mqtt]\nport = 1884\n[connectors.feeds]\nevery_s = 60\n", encoding="utf-8")
    settings = load_settings(tmp_path)
    assert (settings.mqtt.port, settings.connectors) == (1884, {"feeds": {"every_s": 60}})
    file.write_text("connectors = 3\n", encoding="utf-8")
    with pytest.raises(InvalidSettings, match="connectors"):
        load_settings(tmp_path)
