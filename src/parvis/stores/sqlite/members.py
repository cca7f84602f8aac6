"""Members, their mandates and what they used, beside the accounts in `access.db`."""

from collections.abc import Callable
from typing import Any

import msgspec

from parvis.access.members.model import Mandate, Member, Usage

Row = tuple[Any, ...]
_MEMBER = msgspec.json.Decoder(Member)
_MANDATE = msgspec.json.Decoder(Mandate)
_USAGE = msgspec.json.Decoder(Usage)


class SqliteMembers:
    """Its statements are those of the store of access, so that one transaction spans both."""

    def __init__(
        self,
        find: Callable[..., Row | None],
        rows: Callable[..., list[Row]],
        write: Callable[..., bool],
    ) -> None:
        self._find = find
        self._rows = rows
        self._write = write

    def put_member(self, member: Member) -> None:
        self._write(
            "INSERT INTO member VALUES (?, ?, ?) ON CONFLICT (tenant) DO UPDATE SET"
            " document = excluded.document, outline = excluded.outline",
            member.tenant,
            msgspec.json.encode(msgspec.structs.replace(member, outline=None)),
            None if member.outline is None else msgspec.json.encode(member.outline),
        )

    def find_member(self, tenant: str) -> Member | None:
        row = self._find("SELECT document, outline FROM member WHERE tenant = ?", tenant)
        if row is None:
            return None
        outline = None if row[1] is None else msgspec.json.decode(row[1])
        return msgspec.structs.replace(_MEMBER.decode(row[0]), outline=outline)

    def list_members(self) -> list[Member]:
        return [_MEMBER.decode(row[0]) for row in self._rows("SELECT document FROM member ORDER BY tenant")]

    def list_outlines(self) -> dict[str, dict[str, Any]]:
        rows = self._rows("SELECT tenant, outline FROM member WHERE outline IS NOT NULL ORDER BY tenant")
        return {tenant: msgspec.json.decode(outline) for tenant, outline in rows}

    def put_mandate(self, mandate: Mandate) -> None:
        self._write(
            "INSERT INTO mandate VALUES (?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET document = excluded.document",
            mandate.id,
            mandate.member,
            mandate.granted_at,
            msgspec.json.encode(mandate),
        )

    def list_mandates(self, member: str | None = None) -> list[Mandate]:
        order = "ORDER BY granted_at DESC, id"
        if member is None:
            rows = self._rows(f"SELECT document FROM mandate {order}")
        else:
            rows = self._rows(f"SELECT document FROM mandate WHERE member = ? {order}", member)
        return [_MANDATE.decode(row[0]) for row in rows]

    def put_usage(self, usage: Usage) -> None:
        self._write(
            "INSERT INTO member_usage VALUES (?, ?, ?)"
            " ON CONFLICT (month, tenant) DO UPDATE SET document = excluded.document",
            usage.month,
            usage.tenant,
            msgspec.json.encode(usage),
        )

    def list_usage(self, month: str) -> list[Usage]:
        rows = self._rows("SELECT document FROM member_usage WHERE month = ? ORDER BY tenant", month)
        return [_USAGE.decode(row[0]) for row in rows]

    def list_months(self) -> list[str]:
        return [row[0] for row in self._rows("SELECT DISTINCT month FROM member_usage ORDER BY month DESC")]
