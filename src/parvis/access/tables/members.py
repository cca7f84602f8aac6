"""Members, their mandates and what they used, beside the accounts."""

from typing import Any

import msgspec

from parvis.access.members.model import Mandate, Member, Usage
from parvis.access.tables.statements import Statements

_MEMBER = msgspec.json.Decoder(Member)
_MANDATE = msgspec.json.Decoder(Mandate)
_USAGE = msgspec.json.Decoder(Usage)


class MemberTables:
    def __init__(self, statements: Statements) -> None:
        self._on = statements

    def put_member(self, member: Member) -> None:
        self._on.write(
            "INSERT INTO member VALUES (?, ?, ?) ON CONFLICT (tenant) DO UPDATE SET"
            " document = excluded.document, outline = excluded.outline",
            member.tenant,
            msgspec.json.encode(msgspec.structs.replace(member, outline=None)),
            None if member.outline is None else msgspec.json.encode(member.outline),
        )

    def find_member(self, tenant: str) -> Member | None:
        row = self._on.find("SELECT document, outline FROM member WHERE tenant = ?", tenant)
        if row is None:
            return None
        outline = None if row[1] is None else msgspec.json.decode(row[1])
        return msgspec.structs.replace(_MEMBER.decode(row[0]), outline=outline)

    def list_members(self) -> list[Member]:
        return [_MEMBER.decode(row[0]) for row in self._on.rows("SELECT document FROM member ORDER BY tenant")]

    def list_outlines(self) -> dict[str, dict[str, Any]]:
        rows = self._on.rows("SELECT tenant, outline FROM member WHERE outline IS NOT NULL ORDER BY tenant")
        return {tenant: msgspec.json.decode(outline) for tenant, outline in rows}

    def put_mandate(self, mandate: Mandate) -> None:
        self._on.write(
            "INSERT INTO mandate VALUES (?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET document = excluded.document",
            mandate.id,
            mandate.member,
            mandate.granted_at,
            msgspec.json.encode(mandate),
        )

    def list_mandates(self, member: str | None = None) -> list[Mandate]:
        if member is None:
            rows = self._on.rows("SELECT document FROM mandate ORDER BY granted_at DESC, id")
        else:
            rows = self._on.rows("SELECT document FROM mandate WHERE member = ? ORDER BY granted_at DESC, id", member)
        return [_MANDATE.decode(row[0]) for row in rows]

    def put_usage(self, usage: Usage) -> None:
        self._on.write(
            "INSERT INTO member_usage VALUES (?, ?, ?)"
            " ON CONFLICT (month, tenant) DO UPDATE SET document = excluded.document",
            usage.month,
            usage.tenant,
            msgspec.json.encode(usage),
        )

    def list_usage(self, month: str) -> list[Usage]:
        rows = self._on.rows("SELECT document FROM member_usage WHERE month = ? ORDER BY tenant", month)
        return [_USAGE.decode(row[0]) for row in rows]

    def list_months(self) -> list[str]:
        return [row[0] for row in self._on.rows("SELECT DISTINCT month FROM member_usage ORDER BY month DESC")]
