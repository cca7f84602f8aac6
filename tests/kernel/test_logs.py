import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from parvis.kernel.logs import configure_logs, request_id


@contextmanager
def logged(level: str, style: str) -> Iterator[io.StringIO]:
    """What is logged inside; afterwards logging is as it was."""
    root = logging.getLogger()
    handlers, before = list(root.handlers), root.level
    stream = io.StringIO()
    configure_logs(level, style, stream)
    try:
        yield stream
    finally:
        root.handlers[:] = handlers
        root.setLevel(before)


def test_a_json_line_tells_event_facts_and_request() -> None:
    with logged("info", "json") as stream:
        held = request_id.set("r-1")
        logging.getLogger("parvis.fleet").warning("refused a frame", extra={"reason": "unknown", "count": 3})
        request_id.reset(held)

    line = json.loads(stream.getvalue())
    assert {"level": "warning", "logger": "parvis.fleet", "event": "refused a frame"}.items() <= line.items()
    assert {"reason": "unknown", "count": 3, "request_id": "r-1"}.items() <= line.items()
    assert line["at"].endswith("+00:00")


def test_a_readable_line_tells_the_same() -> None:
    with logged("info", "readable") as stream:
        logging.getLogger("parvis.fleet").info("up", extra={"port": 1883})
    assert stream.getvalue().endswith("info    parvis.fleet up  port=1883\n")


def test_what_somebody_sends_forges_no_line() -> None:
    sent = "/x\n12:00:00 warning parvis.access signed in\r\x1b[2K\u2028"
    with logged("info", "readable") as stream:
        logging.getLogger("parvis.fleet").info("%s", sent, extra={"path": sent})
    assert len(stream.getvalue().splitlines()) == 1
    assert "\x1b" not in stream.getvalue()
    assert "/x\\n12:00:00" in stream.getvalue()


def test_what_is_below_the_level_is_not_told() -> None:
    with logged("warning", "readable") as stream:
        logging.getLogger("parvis").info("unheard")
    assert stream.getvalue() == ""


@pytest.mark.parametrize("style", ["json", "readable"])
def test_secrets_are_hidden_wherever_they_hide(style: str) -> None:
    key = "parvis_abcdefghijklmnopqrstuvwxyz"
    facts = {
        "password": "hunter2",
        "url": "postgresql://me:hunter2@db/x",
        "header": "Bearer hunter2",
        "path": "/welcome?token=hunter2",
    }
    with logged("info", style) as stream:
        try:
            raise ValueError(f"key {key}")
        except ValueError:
            logging.getLogger("parvis").exception("call with %s", key, extra=facts)

    told = stream.getvalue()
    assert "hunter2" not in told
    assert "abcdefghij" not in told
    assert "ValueError" in told
