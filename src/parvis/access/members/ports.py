"""What members ask of a store: a part of the store of access, so that one transaction spans both, and the trail."""

from typing import Any, Protocol

from parvis.access.members.model import Mandate, Member, Usage


class MemberStore(Protocol):
    def put_member(self, member: Member) -> None:
        """In place of the one of that tenant."""
        ...

    def find_member(self, tenant: str) -> Member | None: ...

    def list_members(self) -> list[Member]:
        """By tenant, without their outlines, which are large."""
        ...

    def list_outlines(self) -> dict[str, dict[str, Any]]:
        """By tenant."""
        ...

    def put_mandate(self, mandate: Mandate) -> None: ...

    def list_mandates(self, member: str | None = None) -> list[Mandate]:
        """Of one member, or of all, the one granted last first."""
        ...

    def put_usage(self, usage: Usage) -> None: ...

    def list_usage(self, month: str) -> list[Usage]:
        """By tenant."""
        ...

    def list_months(self) -> list[str]:
        """Those there are figures of, the newest first."""
        ...
