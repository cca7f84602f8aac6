from pathlib import Path

import pytest

from parvis.kernel.connector_tables import read_tables, resolve_table
from parvis.kernel.settings import InvalidSettings
from parvis.kernel.settings_reader import load_settings


def test_a_password_stays_in_the_environment() -> None:
    table = {"stations": [{"password": "${KEY}"}], "port": 9000, "note": "costs ${KEY}"}
    resolved = {"stations": [{"password": "secret"}], "port": 9000, "note": "costs ${KEY}"}
    assert resolve_table(table, {"KEY": "secret"}) == resolved


def test_a_variable_that_is_not_there_is_named() -> None:
    with pytest.raises(ValueError, match="NOT_THERE"):
        resolve_table({"password": "${NOT_THERE}"}, {})


@pytest.mark.parametrize("tables", [[], {"ocpp": 1}])
def test_what_is_no_table_is_refused(tables: object) -> None:
    with pytest.raises(ValueError, match="connectors"):
        read_tables(tables)


def test_a_variable_is_needed_only_where_the_connector_is_built(tmp_path: Path) -> None:
    (tmp_path / "territory.toml").write_text('[connectors.mqttbridge]\npassword = "${NOT_THERE}"\n', encoding="utf-8")
    assert load_settings(tmp_path).connectors == {"mqttbridge": {"password": "${NOT_THERE}"}}


def test_the_file_has_tables_of_connectors_beside_its_sections(tmp_path: Path) -> None:
    file = tmp_path / "territory.toml"
    file.write_text("[mqtt]\nport = 1884\n[connectors.feeds]\nevery_s = 60\n", encoding="utf-8")
    settings = load_settings(tmp_path)
    assert (settings.mqtt.port, settings.connectors) == (1884, {"feeds": {"every_s": 60}})
    file.write_text("connectors = 3\n", encoding="utf-8")
    with pytest.raises(InvalidSettings, match="connectors"):
        load_settings(tmp_path)


def test_a_password_may_lie_in_a_file_that_the_environment_names(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("secret\n", encoding="utf-8")
    assert resolve_table({"password": "${KEY}"}, {"KEY_FILE": str(tmp_path / "key")}) == {"password": "secret"}
