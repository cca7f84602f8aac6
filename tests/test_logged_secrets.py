"""The watch over the suite's logs sees what it should: else it would pass whatever was logged."""

import logging
from pathlib import Path

import pytest

from parvis.access.passwords import Passwords
from parvis.access.tokens import new_api_key, new_token
from tests.logged_secrets import LoggedSecrets, keys_in_log_files

_log = logging.getLogger("parvis.test")
PASSWORD = "gorse on the headland"


async def test_a_password_is_seen_in_whatever_is_logged(logged_secrets: LoggedSecrets) -> None:
    await Passwords(memory_kib=8).hash(PASSWORD)
    _log.warning("signing in failed", extra={"form": f"name=odile&pw={PASSWORD}"})
    _log.warning("with %s", PASSWORD)
    assert len(logged_secrets.take()) == 2


def test_a_session_token_is_seen_and_what_the_formatters_hide_is_not(logged_secrets: LoggedSecrets) -> None:
    token, key = new_token(), new_api_key()
    _log.warning("a request failed", extra={"path": f"/x?session={token}", "token": token})
    assert len(logged_secrets.take()) == 1
    _log.warning(
        "a request failed", extra={"token": token, "header": f"Bearer {key}", "path": f"/welcome?token={token}"}
    )
    assert logged_secrets.take() == []


def test_a_traceback_is_looked_through_as_well(logged_secrets: LoggedSecrets) -> None:
    token = new_token()
    try:
        raise RuntimeError(f"no session {token}")
    except RuntimeError:
        _log.exception("failed")
    assert len(logged_secrets.take()) == 1


@pytest.mark.parametrize(("name", "is_log"), [("up.log", True), ("stderr.txt", True), ("keys.txt", False)])
def test_a_key_in_a_programs_log_is_found(tmp_path: Path, name: str, is_log: bool) -> None:
    folder = tmp_path / "deep"
    folder.mkdir()
    (folder / name).write_text(f"12:00 info serving {new_api_key()}\n")
    found = keys_in_log_files(tmp_path)
    (folder / name).unlink()
    assert bool(found) is is_log
