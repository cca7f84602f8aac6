"""What roles ask of the store of access: within its transactions."""

from typing import Protocol

from parvis.access.roles.model import Assignment, Classified, Role


class RoleStore(Protocol):
    def put_role(self, tenant: str, role: Role) -> None:
        """A role that the tenant has made, or has given another content."""
        ...

    def drop_role(self, tenant: str, name: str) -> bool:
        """Whether it had made it."""
        ...

    def list_roles(self) -> list[tuple[str, Role]]:
        """Of all tenants, each with its tenant."""
        ...

    def put_class(self, tenant: str, one: Classified) -> None: ...

    def drop_class(self, tenant: str, one: Classified) -> bool: ...

    def list_classes(self) -> list[tuple[str, Classified]]:
        """What tenants have declared, each with its tenant."""
        ...

    def put_assignment(self, assignment: Assignment) -> None: ...

    def drop_assignment(self, assignment_id: str) -> bool: ...

    def list_assignments(self, subject: str | None = None) -> list[Assignment]:
        """Of one, or of all; also those that are over."""
        ...
