"""Looks through everything that is logged while the suite runs for the secrets that the suite itself has made."""

import logging
import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from parvis.access.passwords import Passwords
from parvis.kernel.logs import JsonFormatter, ReadableFormatter

_WORD = re.compile(r"[A-Za-z0-9_-]{20,}")
_KEY = re.compile(rb"parvis_[A-Za-z0-9_-]{40,}")
_LOG_FILES = ("*.log", "*stderr*", "*.err")
_LARGEST_LOG = 50 << 20
_SHORTEST = 12


class LoggedSecrets:
    """Tokens are words of their own; a password may stand anywhere in a line."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self._tokens: set[str] = set()
        self._passwords: set[str] = set()
        self._formatters = (JsonFormatter(), ReadableFormatter())

    def note_token(self, token: str) -> str:
        self._tokens.add(token)
        return token

    def note_password(self, password: str) -> None:
        if len(password) >= _SHORTEST:
            self._passwords.add(password)

    def look(self, record: logging.LogRecord) -> None:
        for formatter in self._formatters:
            if self._tells_a_secret(formatter.format(record)):
                self.found.append(f"{record.name}, line {record.lineno} of {record.pathname}: {record.msg}")
                return

    def _tells_a_secret(self, line: str) -> bool:
        tokens = (one.removeprefix("parvis_") for one in _WORD.findall(line))
        return not self._tokens.isdisjoint(tokens) or any(one in line for one in self._passwords)

    def take(self) -> list[str]:
        found, self.found = self.found, []
        return found


@contextmanager
def watched() -> Iterator[LoggedSecrets]:
    """Every logger of this process, whatever its handlers are."""
    logged = LoggedSecrets()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(secrets, "token_urlsafe", _noting(secrets.token_urlsafe, logged))
        hashed, handle = Passwords.hash, logging.Logger.handle

        async def hash_and_note(self: Passwords, password: str) -> str:
            logged.note_password(password)
            return await hashed(self, password)

        def look_and_handle(self: logging.Logger, record: logging.LogRecord) -> None:
            logged.look(record)
            handle(self, record)

        patch.setattr(Passwords, "hash", hash_and_note)
        patch.setattr(logging.Logger, "handle", look_and_handle)
        yield logged


def _noting(make: Callable[[int | None], str], logged: LoggedSecrets) -> Callable[[int | None], str]:
    def make_and_note(count: int | None = None) -> str:
        return logged.note_token(make(count))

    return make_and_note


def keys_in_log_files(folder: Path) -> list[str]:
    """Of programs that tests have started: API keys in what they wrote to their logs."""
    files = {path for pattern in _LOG_FILES for path in folder.rglob(pattern) if path.is_file()}
    return [
        str(path) for path in sorted(files) if path.stat().st_size < _LARGEST_LOG and _KEY.search(path.read_bytes())
    ]
