"""The tables of access that both stores keep in the same words."""

from parvis.access.tables.certificates import CertificateTables
from parvis.access.tables.identities import IdentityTables
from parvis.access.tables.members import MemberTables
from parvis.access.tables.persons import PersonTables
from parvis.access.tables.privacy import PrivacyTables
from parvis.access.tables.roles import RoleTables
from parvis.access.tables.statements import Statements


class AccessTables:
    def __init__(self, on: Statements) -> None:
        self.identities = IdentityTables(on)
        self.certificates = CertificateTables(on)
        self.members = MemberTables(on)
        self.roles = RoleTables(on)
        self.privacy = PrivacyTables(on)
        self.persons = PersonTables(on)
