import json
import re

import msgspec
import pytest

from parvis.access.audit import chained
from parvis.access.audit_formats import Format, cef, ocsf, syslog_line
from parvis.access.model import AuditEntry, AuditRecord
from parvis.kernel.time import parse_instant

AT = parse_instant("2026-11-22T09:30:00.5Z")


def entry(action: str = "key-created", **told: str) -> AuditEntry:
    return chained(None, AuditRecord(AT, "south", "user:odile", action, "gate|4=\\\nnext", told))


def test_a_line_of_syslog_begins_as_rfc_5424_has_it() -> None:
    line = syslog_line(entry(), Format.JSON, "town hall é").decode()
    assert line.startswith("<110>1 2026-11-22T09:30:00.5Z town_hall__ parvis - key-created - {")
    assert syslog_line(entry("sign-in-failed"), Format.CEF, "h").startswith(b"<108>1 ")


@pytest.mark.parametrize("form", Format)
def test_no_text_of_anybody_begins_another_line(form: Format) -> None:
    assert b"\n" not in syslog_line(entry(note="one\r\ntwo\rthree"), form, "a\nb")


def test_cef_keeps_its_fields_apart() -> None:
    text = cef(entry(note="a=b\nCEF:0|x")).decode()
    head, _, rest = text.partition("|rt=")
    assert re.fullmatch(r"CEF:0\|Parvis\|Parvis\|[\d.]+\|key-created\|key-created\|2", head)
    assert "cs1=gate|4\\=\\\\\\nnext " in rest
    assert rest.endswith("msg=note: a\\=b\\nCEF:0|x")


@pytest.mark.parametrize(
    ("action", "type_uid"),
    [
        ("signed-in", 300201),
        ("sign-in-failed", 300201),
        ("account-disabled", 300105),
        ("second-factor-reset", 300111),
        ("session-token-copied", 300299),
        ("key-created", 600399),
    ],
)
def test_ocsf_has_the_class_of_the_deed(action: str, type_uid: int) -> None:
    event = json.loads(ocsf(entry(action, address="192.0.2.1")))
    assert event["type_uid"] == type_uid == event["class_uid"] * 100 + event["activity_id"]
    assert event["category_uid"] == event["class_uid"] // 1000
    assert (event["time"], event["metadata"]["uid"]) == (AT // 1000, "1")
    assert event["status_id"] == (2 if action in ("sign-in-failed", "session-token-copied") else 1)
    assert event["unmapped"] == {"address": "192.0.2.1"}


def test_json_carries_the_digest() -> None:
    one = entry()
    told = msgspec.json.decode(syslog_line(one, Format.JSON, "h").partition(b" - ")[2].partition(b" - ")[2])
    assert told["digest"] == one.digest.hex()
