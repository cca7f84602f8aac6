"""Commands that end by themselves, as they are called."""

import json
import os
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import click
import psycopg
import pytest
from click.testing import CliRunner, Result

from parvis import __version__
from parvis.access.access import build_access
from parvis.access.identities.sessions import SeenFrom
from parvis.access.model import ROLES
from parvis.bootstrap.stores import holding
from parvis.cli import commands
from parvis.cli.series import SOMETHING_LEFT_OUT
from parvis.kernel.errors import AlreadyExists, ParvisError, ResourceNotFound, Unauthenticated
from parvis.kernel.identity import OPERATOR
from parvis.kernel.settings import AccessSettings, Settings
from parvis.kernel.settings_reader import load_settings
from parvis.stores.sqlite.access import SqliteAccessStore
from parvis.stores.sqlite.database import Database

MAPPING = """
[time]
column = "time"
zone = "Europe/Paris"
[[series]]
column = "zone {zone}"
entity = "urn:ngsi-ld:DistrictMeteredArea:{zone}"
type = "DistrictMeteredArea"
attribute = "inflow"
"""


def call(*words: str | Path) -> Result:
    return CliRunner().invoke(commands, [str(word) for word in words])


def data(directory: Path) -> tuple[str, Path]:
    return "--data", directory


def test_every_command_and_option_explains_itself() -> None:
    context = click.Context(commands)
    waiting: list[click.Command] = [commands]
    while waiting:
        command = waiting.pop()
        assert command.help, command.name
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert parameter.help, (command.name, parameter.name)
        if isinstance(command, click.Group):
            found = [command.get_command(context, name) for name in command.list_commands(context)]
            waiting += [one for one in found if one is not None]


def test_the_version_is_told() -> None:
    assert call("version").stdout.strip() == f"parvis {__version__}"


@pytest.fixture
def territory(tmp_path: Path) -> Path:
    call("init", *data(tmp_path), "--name", "Trevalan")
    return tmp_path


def test_init_writes_settings_that_change_nothing_but_the_name(tmp_path: Path) -> None:
    assert call("init", *data(tmp_path), "--name", "Trevalan").exit_code == 0

    settings = load_settings(tmp_path)

    assert settings.territory.name == "Trevalan"
    assert settings.server == load_settings(tmp_path / "nowhere").server


def test_init_does_not_replace_what_somebody_wrote(tmp_path: Path) -> None:
    call("init", *data(tmp_path), "--name", "First")

    refused = call("init", *data(tmp_path), "--name", "Second")
    assert refused.exit_code == 1
    assert "--force" in refused.stderr
    assert load_settings(tmp_path).territory.name == "First"

    assert call("init", *data(tmp_path), "--name", "Second", "--force").exit_code == 0
    assert load_settings(tmp_path).territory.name == "Second"


def test_check_finds_a_fresh_directory_sound(tmp_path: Path) -> None:
    call("init", *data(tmp_path))
    result = call("check", *data(tmp_path))
    assert result.exit_code == 0, result.output
    assert result.stdout.count("sound") == 5


def test_check_names_what_is_wrong(tmp_path: Path) -> None:
    profile = tmp_path / "profiles/broken"
    profile.mkdir(parents=True)
    (profile / "profile.toml").write_text("[profile]\nid = 'other'\n")
    (tmp_path / "parvis.db").write_bytes(b"no database at all, but long enough" * 100)
    (tmp_path / "territory.toml").write_text("[access]\nauth = false\n[server]\nhost = '0.0.0.0'\n")

    result = call("check", *data(tmp_path))

    assert result.exit_code == 1
    for words in ("settings: --auth off", "profile.toml", "parvis.db: "):
        assert words in result.stdout


def test_check_finds_a_forged_audit_trail(territory: Path) -> None:
    call("api-key", "create", *data(territory), "--label", "one")
    call("api-key", "create", *data(territory), "--label", "two")
    forger = sqlite3.connect(territory / "access.db", isolation_level=None)
    forger.execute("DROP TRIGGER audit_is_never_changed")
    forger.execute("UPDATE audit SET record = CAST(replace(record, 'one', 'eno') AS BLOB) WHERE number = 1")
    forger.close()

    result = call("check", *data(territory))

    assert result.exit_code == 1
    assert "audit trail: entry 1 does not follow" in result.stdout


def test_check_tells_a_directory_that_is_not_there(tmp_path: Path) -> None:
    result = call("check", *data(tmp_path / "nowhere"))
    assert result.exit_code == 1
    assert "nowhere is not there" in result.stderr
    assert "sound" not in result.output


def test_the_territory_of_the_demonstration_is_named_where_it_is(tmp_path: Path) -> None:
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo/territory.toml").write_text("")
    assert f"use --data {tmp_path / 'demo'}." in call("api-key", "list", *data(tmp_path)).stderr


@pytest.mark.parametrize(
    "words", [("api-key", "create", "--label", "x"), ("api-key", "list"), ("admin-link",), ("account", "list")]
)
@pytest.mark.parametrize("folder", ["empty", "nowhere"])
def test_nobody_is_let_into_a_directory_without_a_territory(
    tmp_path: Path, words: tuple[str, ...], folder: str
) -> None:
    (tmp_path / "empty").mkdir()
    result = call(*words, *data(tmp_path / folder))
    assert result.exit_code == 1
    assert f"There is no territory in {tmp_path / folder}: use --data or run parvis init." in result.stderr
    assert [path.name for path in tmp_path.rglob("*")] == ["empty"]


def test_doctor_examines_the_machine(territory: Path) -> None:
    call("api-key", "create", *data(territory), "--label", "one")
    result = call("doctor", *data(territory))
    assert result.exit_code == 0, result.output
    subjects = [line.split()[1] for line in result.stdout.splitlines()]
    assert subjects == ["versions", "data", "disk", "durability", "http", "mqtt", "clock", "audit", "store"]
    assert list(territory.glob(".parvis-doctor*")) == []


def test_doctor_mends_what_can_be_mended(territory: Path) -> None:
    with closing(Database(territory / "parvis.db").connect_writer()) as store:
        store.execute("INSERT INTO attribute VALUES (7, 1, 0, 1, 5, NULL, NULL, 0, 0)")
        store.execute("INSERT INTO word VALUES (1, 'urn:level')")
        store.execute("INSERT INTO shape VALUES (1, 1, '')")

    found = call("doctor", *data(territory))
    mended = call("doctor", *data(territory), "--repair")

    assert found.exit_code == 1
    assert "1 attributes belong to no entity: with --repair" in found.output
    assert (mended.exit_code, mended.output.count("mended:")) == (0, 1)


def test_doctor_fails_where_nothing_can_work(tmp_path: Path) -> None:
    store = tmp_path / "parvis.db"
    store.touch()
    os.utime(store, (4e9, 4e9))
    result = call("doctor", *data(tmp_path))
    assert result.exit_code == 1
    assert "FAIL  clock" in result.stdout


def test_an_examination_makes_no_tables_and_migrates_none(tmp_path: Path, postgres_url: str) -> None:
    (tmp_path / "territory.toml").write_text(f'[store]\nurl = "{postgres_url}"\n')
    of_empty = [call(command, *data(tmp_path)) for command in ("doctor", "check")]
    with psycopg.connect(postgres_url) as database:
        assert (
            database.execute("SELECT relname FROM pg_class WHERE relkind = 'r' AND relname !~ '^(pg|sql)_'").fetchall()
            == []
        )
        database.execute("CREATE TABLE schema_version (version integer NOT NULL)")
        database.execute("INSERT INTO schema_version VALUES (99)")
    of_newer = [call(command, *data(tmp_path)) for command in ("doctor", "check")]

    assert [(one.exit_code, one.exception) for one in of_empty] == [(0, None)] * 2, of_empty[0].output
    assert [one.exit_code for one in of_newer] == [1, 1]
    assert all("The store has schema 99" in one.output for one in of_newer)


def test_a_wrong_setting_stops_every_command(tmp_path: Path) -> None:
    (tmp_path / "territory.toml").write_text("[server]\nprot = 1\n")
    for command in ("check", "doctor", "up"):
        with pytest.raises(ParvisError, match=r"did you mean server\.port"):
            commands.main([command, "--data", str(tmp_path)], standalone_mode=False)


def test_a_key_may_be_of_one_device(territory: Path) -> None:
    made = call("api-key", "create", *data(territory), "--label", "bin", "--role", "device", "--device", "70B3D549")
    with closing(SqliteAccessStore(territory / "access.db")) as store:
        caller = build_access(store, AccessSettings()).gate.authenticate_device(made.stdout.strip().encode())
    assert caller is not None
    assert caller.device == "70b3d549"


def test_a_key_is_made_listed_and_revoked(territory: Path) -> None:
    made = call("api-key", "create", *data(territory), "--label", "gateway", "--role", "operator", "--days", "2")
    token = made.stdout.strip()
    store = SqliteAccessStore(territory / "access.db")
    gate = build_access(store, AccessSettings()).gate
    caller = gate.authenticate_device(token.encode())
    assert caller is not None
    assert caller.rights == OPERATOR

    listed = call("api-key", "list", *data(territory)).stdout
    assert "gateway" in listed
    assert "until" in listed
    assert token not in listed

    assert call("api-key", "revoke", *data(territory), caller.subject.removeprefix("key:")).exit_code == 0
    assert gate.authenticate_device(token.encode()) is None
    assert "revoked" in call("api-key", "list", *data(territory)).stdout
    store.close()


def test_a_lost_administrator_comes_in_again_by_a_link(territory: Path) -> None:
    url = call("admin-link", *data(territory)).stdout.strip()
    store = SqliteAccessStore(territory / "access.db")
    assert url.startswith("http://127.0.0.1:8080/welcome?token=")
    assert build_access(store, AccessSettings()).accounts.is_link_open(url.partition("token=")[2])
    store.close()


async def test_a_colleague_chooses_the_password_behind_the_link(territory: Path) -> None:
    made = call("account", "create", "erwan", *data(territory), "--role", "reader")
    assert "no password yet" in call("account", "list", *data(territory)).stdout
    store = SqliteAccessStore(territory / "access.db")
    access = build_access(store, AccessSettings())

    token = made.stdout.strip().partition("http://127.0.0.1:8080/welcome?token=")[2]
    signed_in = await access.accounts.redeem_link(token, "erwan", "the tide comes in twice", SeenFrom("192.0.2.7"))

    caller = access.gate.authenticate(None, signed_in.token.encode())
    assert (caller.subject, caller.rights) == ("user:erwan", ROLES["reader"])
    assert re.search(r"^erwan +reader +default +in force", call("account", "list", *data(territory)).stdout)
    newer = call("account", "link", "erwan", *data(territory)).stdout.strip().partition("token=")[2]
    assert access.accounts.find_linked_account(newer) == "erwan"
    store.close()


async def test_an_account_is_kept_out_and_let_in_again(territory: Path) -> None:
    made = call("account", "create", "erwan", *data(territory), "--role", "reader")
    token = made.stdout.strip().partition("token=")[2]
    store = SqliteAccessStore(territory / "access.db")
    accounts = build_access(store, AccessSettings()).accounts
    await accounts.redeem_link(token, "erwan", "the tide comes in twice", SeenFrom("192.0.2.7"))

    assert call("account", "disable", "erwan", *data(territory)).exit_code == 0

    assert re.search(r"^erwan +reader +default +disabled", call("account", "list", *data(territory)).stdout)
    with pytest.raises(Unauthenticated):
        await accounts.sign_in("erwan", "the tide comes in twice", SeenFrom("192.0.2.7"))
    assert call("account", "enable", "erwan", *data(territory)).exit_code == 0
    assert (await accounts.sign_in("erwan", "the tide comes in twice", SeenFrom("192.0.2.7"))).account == "erwan"
    assert [entry.record.subject for entry in store.read_audit() if "abled" in entry.record.action] == [
        "system:command-line",
        "system:command-line",
    ]
    store.close()


def test_an_account_is_made_once_and_linked_only_if_it_is_there(territory: Path) -> None:
    call("account", "create", "erwan", *data(territory), "--role", "reader")
    again = call("account", "create", "erwan", *data(territory), "--role", "operator")
    assert isinstance(again.exception, AlreadyExists)
    assert isinstance(call("account", "link", "nolwenn", *data(territory)).exception, ResourceNotFound)
    assert call("account", "create", "gateway", *data(territory), "--role", "device").exit_code == 2


@pytest.fixture
def series(tmp_path: Path) -> tuple[Path, Path]:
    mapping, table = tmp_path / "mapping.toml", tmp_path / "inflows.csv"
    mapping.write_text(MAPPING)
    table.write_text(
        "time,zone north\n2026-03-29 01:30,1.5\n2026-03-29 02:30,9\n2026-03-29 03:30,\n2026-03-29 04:30,2\n"
    )
    return mapping, table


def test_import_reports_dry_then_writes_then_writes_nothing_twice(series: tuple[Path, Path], tmp_path: Path) -> None:
    place = data(tmp_path / "data")

    dry = call("import", *series, *place, "--dry-run")
    real = call("import", *series, *place)
    again = call("import", *series, *place)

    assert "Nothing was written (dry run)" in dry.stdout
    assert "2 instances, 1 gaps, 2026-03-29T00:30:00Z to 2026-03-29T02:30:00Z" in dry.stdout
    assert "2 instances were written" in real.stdout
    assert "0 instances were written" in again.stdout
    assert "2 stored before" in again.stdout
    for result in (dry, real, again):
        assert result.exit_code == SOMETHING_LEFT_OUT
        assert "row 3, time: '2026-03-29 02:30'" in result.stderr


def test_import_keeps_off_a_directory_where_the_platform_runs(series: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    with holding(Settings(tmp_path / "data")):
        result = call("import", *series, *data(tmp_path / "data"))
    assert isinstance(result.exception, ParvisError)
    assert "Another Parvis is running" in result.exception.detail


def test_replay_needs_a_running_platform(series: tuple[Path, Path]) -> None:
    result = call("replay", *series, "--url", "http://127.0.0.1:1")
    assert isinstance(result.exception, ParvisError)
    assert "Is the platform running?" in result.exception.detail


def test_a_wrong_call_is_told_apart_from_a_failure() -> None:
    assert call("import").exit_code == 2
    assert call("unheard-of").exit_code == 2
    assert json.dumps(call("import").stderr).count("Missing argument") == 1
