"""Audit entries as other systems read them: CEF, OCSF 1.3 or plain JSON, in a line of syslog (RFC 5424)."""

import re
from collections.abc import Callable
from enum import Enum

import msgspec

from parvis import __version__
from parvis.access.model import AuditEntry
from parvis.kernel.time import SECOND, format_instant

FAILED = frozenset({"sign-in-failed", "session-token-copied", "passkey-copied"})
"""What was refused, and what somebody should look at."""
_MILLISECOND = SECOND // 1000
_FACILITY = 13
"""Log audit (RFC 5424, 6.2.1)."""
_INFORMATIONAL, _WARNING = 6, 4
_NOT_PRINTABLE = re.compile(r"[^\x21-\x7e]")
_LONGEST_HOST, _LONGEST_ACTION = 255, 32

_AUTHENTICATION, _ACCOUNT_CHANGE, _API_ACTIVITY = 3002, 3001, 6003
_OTHER = 99
_OCSF = {
    "signed-in": (_AUTHENTICATION, 1),
    "sign-in-failed": (_AUTHENTICATION, 1),
    "signed-out": (_AUTHENTICATION, 2),
    "account-created": (_ACCOUNT_CHANGE, 1),
    "account-enabled": (_ACCOUNT_CHANGE, 2),
    "password-changed": (_ACCOUNT_CHANGE, 3),
    "password-link-offered": (_ACCOUNT_CHANGE, 4),
    "account-disabled": (_ACCOUNT_CHANGE, 5),
    "second-factor-set-up": (_ACCOUNT_CHANGE, 10),
    "passkey-registered": (_ACCOUNT_CHANGE, 10),
    "second-factor-removed": (_ACCOUNT_CHANGE, 11),
    "second-factor-reset": (_ACCOUNT_CHANGE, 11),
    "passkey-removed": (_ACCOUNT_CHANGE, 11),
    "session-revoked": (_AUTHENTICATION, 2),
    "session-token-copied": (_AUTHENTICATION, 99),
    "passkey-copied": (_AUTHENTICATION, 99),
}
"""Class and activity; what is not here is API activity of another kind."""


class Format(Enum):
    CEF = "cef"
    OCSF = "ocsf"
    JSON = "json"


def syslog_line(entry: AuditEntry, form: Format, host: str) -> bytes:
    record = entry.record
    severity = _WARNING if record.action in FAILED else _INFORMATIONAL
    name = _NOT_PRINTABLE.sub("_", host)[:_LONGEST_HOST] or "-"
    action = _NOT_PRINTABLE.sub("_", record.action)[:_LONGEST_ACTION] or "-"
    head = f"<{_FACILITY * 8 + severity}>1 {format_instant(record.at)} {name} parvis - {action} - "
    return head.encode() + _SPELLINGS[form](entry)


def cef(entry: AuditEntry) -> bytes:
    record = entry.record
    severity = 5 if record.action in FAILED else 2
    head = "|".join(map(_cef_head, ("Parvis", "Parvis", __version__, record.action, record.action, str(severity))))
    told = {
        "rt": str(record.at // _MILLISECOND),
        "externalId": str(entry.number),
        "suser": record.subject,
        "act": record.action,
        "outcome": "failure" if record.action in FAILED else "success",
        "cs1Label": "object",
        "cs1": record.object,
        "cs2Label": "tenant",
        "cs2": record.tenant,
        "msg": "; ".join(f"{name}: {value}" for name, value in record.facts.items()),
    }
    return f"CEF:0|{head}|{' '.join(f'{key}={_cef_value(value)}' for key, value in told.items())}".encode()


def ocsf(entry: AuditEntry) -> bytes:
    record = entry.record
    kind, activity = _OCSF.get(record.action, (_API_ACTIVITY, _OTHER))
    failed = record.action in FAILED
    about = {"user": {"name": record.object}} if kind != _API_ACTIVITY else {"resources": [{"name": record.object}]}
    event = {
        "class_uid": kind,
        "category_uid": kind // 1000,
        "activity_id": activity,
        "activity_name": record.action,
        "type_uid": kind * 100 + activity,
        "time": record.at // _MILLISECOND,
        "severity_id": 2 if failed else 1,
        "status_id": 2 if failed else 1,
        "actor": {"user": {"name": record.subject}},
        "api": {"operation": record.action},
        "metadata": {
            "version": "1.3.0",
            "uid": str(entry.number),
            "tenant_uid": record.tenant,
            "product": {"name": "Parvis", "vendor_name": "Parvis", "version": __version__},
        },
        "unmapped": record.facts,
    }
    return msgspec.json.encode(event | about)


def plain(entry: AuditEntry) -> bytes:
    """With the digest, so that whoever receives it can say later whether the trail is still the same."""
    return msgspec.json.encode({"number": entry.number, "digest": entry.digest.hex(), "record": entry.record})


def _cef_head(text: str) -> str:
    return _one_line(text).replace("\\", "\\\\").replace("|", "\\|")


def _cef_value(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("=", "\\=")
    return escaped.replace("\r\n", "\\n").replace("\n", "\\n").replace("\r", "\\r")


def _one_line(text: str) -> str:
    return " ".join(text.split())


_SPELLINGS: dict[Format, Callable[[AuditEntry], bytes]] = {Format.CEF: cef, Format.OCSF: ocsf, Format.JSON: plain}
