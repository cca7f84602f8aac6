"""Structured logs on the standard library: an event's name and its facts, with the request's id. Never secrets."""

import json
import logging
import re
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import IO, Any

request_id: ContextVar[str] = ContextVar("request_id", default="")
"""The id of the request being served; empty outside of one."""

_LOGGER_FIELDS = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName", "color_message"}
_SECRET_NAMES = re.compile(r"passw|secret|token|authorization|cookie|api_?key", re.IGNORECASE)
_SECRET_VALUES = re.compile(r"parvis_[A-Za-z0-9_-]{16,}|(?<=://)[^/@\s]+(?=@)|(?<=Bearer )\S+|(?<=token=)[^&\s]+")
_HIDDEN = "***"


def configure_logs(level: str, style: str, stream: IO[str] | None = None, worker: int = 0) -> None:
    """Send everything from `level` on to `stream` (the error output): style "json" or "readable".

    Every line of one of several processes tells its number, `worker`.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter() if style == "json" else ReadableFormatter())
    if worker:
        handler.addFilter(_Of(worker))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for chatty in ("httpx", "httpcore", "asyncio", "uvicorn"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, root.level))


def facts_of(record: logging.LogRecord) -> dict[str, Any]:
    """What the caller gave as `extra`, secrets hidden."""
    return {
        name: _HIDDEN if _SECRET_NAMES.search(name) else _clean(value)
        for name, value in record.__dict__.items()
        if name not in _LOGGER_FIELDS
    }


def _clean(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    return without_secrets(str(value))


def without_secrets(text: str) -> str:
    return _SECRET_VALUES.sub(_HIDDEN, text)


def _on_one_line(text: str) -> str:
    """What others send must not look like lines of ours, or move the cursor of who reads them."""
    return text if text.isprintable() else "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)


class _Of(logging.Filter):
    def __init__(self, worker: int) -> None:
        super().__init__()
        self._worker = worker

    def filter(self, record: logging.LogRecord) -> bool:
        record.worker = self._worker
        return True


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": without_secrets(record.getMessage()),
        }
        if current := request_id.get():
            line["request_id"] = current
        line |= facts_of(record)
        if record.exc_info:
            line["exception"] = without_secrets(self.formatException(record.exc_info))
        return json.dumps(line, ensure_ascii=False)


class ReadableFormatter(logging.Formatter):
    """`12:03:04 warning parvis.fleet refused a frame  reason=unknown-device`."""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).astimezone().strftime("%H:%M:%S")
        facts = facts_of(record)
        if current := request_id.get():
            facts["request_id"] = current
        told = _on_one_line("".join(f" {name}={value}" for name, value in facts.items()))
        message = _on_one_line(without_secrets(record.getMessage()))
        text = f"{at} {record.levelname.lower():7} {record.name} {message}" + (f" {told}" if told else "")
        if record.exc_info:
            text += "\n" + without_secrets(self.formatException(record.exc_info))
        return text
