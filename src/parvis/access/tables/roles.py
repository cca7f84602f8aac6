"""Roles, privacy classes and who has which role, beside the accounts."""

import msgspec

from parvis.access.roles.model import Assignment, Classified, Role
from parvis.access.tables.statements import Statements

_ROLE = msgspec.json.Decoder(Role)
_ASSIGNMENT = msgspec.json.Decoder(Assignment)


class RoleTables:
    def __init__(self, statements: Statements) -> None:
        self._on = statements

    def put_role(self, tenant: str, role: Role) -> None:
        sql = "INSERT INTO role VALUES (?, ?, ?) ON CONFLICT (tenant, name) DO UPDATE SET document = excluded.document"
        self._on.write(sql, tenant, role.name, msgspec.json.encode(role))

    def drop_role(self, tenant: str, name: str) -> bool:
        return self._on.write("DELETE FROM role WHERE tenant = ? AND name = ?", tenant, name)

    def list_roles(self) -> list[tuple[str, Role]]:
        rows = self._on.rows("SELECT tenant, document FROM role ORDER BY tenant, name")
        return [(tenant, _ROLE.decode(document)) for tenant, document in rows]

    def put_class(self, tenant: str, one: Classified) -> None:
        sql = (
            "INSERT INTO privacy_class VALUES (?, ?, ?, ?)"
            " ON CONFLICT (tenant, type, attribute) DO UPDATE SET class = excluded.class"
        )
        self._on.write(sql, tenant, one.type, one.attribute, one.privacy)

    def drop_class(self, tenant: str, one: Classified) -> bool:
        sql = "DELETE FROM privacy_class WHERE tenant = ? AND type = ? AND attribute = ?"
        return self._on.write(sql, tenant, one.type, one.attribute)

    def list_classes(self) -> list[tuple[str, Classified]]:
        rows = self._on.rows(
            "SELECT tenant, type, attribute, class FROM privacy_class ORDER BY tenant, attribute, type"
        )
        return [(tenant, Classified(attribute, privacy, type_)) for tenant, type_, attribute, privacy in rows]

    def put_assignment(self, assignment: Assignment) -> None:
        document = msgspec.json.encode(assignment)
        self._on.write("INSERT INTO assignment VALUES (?, ?, ?)", assignment.id, assignment.subject, document)

    def drop_assignment(self, assignment_id: str) -> bool:
        return self._on.write("DELETE FROM assignment WHERE id = ?", assignment_id)

    def list_assignments(self, subject: str | None = None) -> list[Assignment]:
        rows = (
            self._on.rows("SELECT document FROM assignment ORDER BY subject, id")
            if subject is None
            else self._on.rows("SELECT document FROM assignment WHERE subject = ? ORDER BY id", subject)
        )
        return [_ASSIGNMENT.decode(document) for (document,) in rows]
