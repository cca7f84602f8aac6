"""Who may do what, by the roles of a tenant and who has them."""

import pytest

from parvis.access.access import COMMAND_LINE, Access
from parvis.access.model import ROLES
from parvis.access.roles.explain import Asked, Ground, explain
from parvis.access.roles.model import CLASSES, Assignment, Classified, Role, RoleGrant
from parvis.access.roles.packaged import PACKAGED_CLASSES, PACKAGED_ROLES
from parvis.access.roles.roles import MOST_ASSIGNMENTS, expand
from parvis.broker.search.words import PARTS
from parvis.kernel.errors import BadRequestData, Forbidden, ResourceNotFound
from parvis.kernel.identity import ADMINISTRATOR, OPERATOR, Caller, Right
from parvis.kernel.reach import PrivacyClass, reaches
from parvis.kernel.time import HOUR
from tests.access.conftest import FakeClock

MAYOR = Caller("default", "user:maire", ADMINISTRATOR)
LAMP = (expand("Streetlight"),)


def key_of(access: Access, role: str) -> tuple[str, bytes]:
    key, token = access.keys.create(COMMAND_LINE, "a label", role)
    return f"key:{key.id}", b"Bearer " + token.encode()


def caller_of(access: Access, proof: bytes, tenant: str = "default") -> Caller:
    return access.gate.authenticate(proof, None, tenant)


def lamplighter(**more: object) -> Role:
    grants = (RoleGrant(("read",)), RoleGrant(("write", "command"), ("Streetlight",), ("/port/north",)))
    return Role(grants, name="lamplighter", **more)  # type: ignore[arg-type]


def test_the_packaged_roles_are_those_of_the_law_and_told_in_both_languages() -> None:
    asked = {"resident", "field-agent", "operator", "domain-manager", "data-steward", "administrator", "auditor"}
    assert set(PACKAGED_ROLES) == asked | {"device", "reader"}
    assert ROLES["administrator"] == ADMINISTRATOR
    assert ROLES["operator"] == OPERATOR
    for role in PACKAGED_ROLES.values():
        assert role.title.keys() == role.description.keys() == {"en", "fr"}
        assert role.clearance in CLASSES


def test_no_packaged_class_above_public_is_found_by_its_words() -> None:
    """All but those of some types: what such an entity is found by is looked at again for whoever may not read it."""
    everywhere = {one.attribute for one in PACKAGED_CLASSES if not one.type and CLASSES[one.privacy] > 1}
    assert everywhere.isdisjoint(PARTS)


def test_a_role_of_the_tenants_own_reaches_what_it_says(access: Access) -> None:
    access.gate.roles.put(MAYOR, lamplighter())
    subject, proof = key_of(access, "resident")
    access.gate.roles.assign(MAYOR, Assignment("", subject, "default", "lamplighter", 0))
    caller = caller_of(access, proof)
    assert caller.may(Right.WRITE)
    assert caller.reads is None
    assert reaches(caller.writes, LAMP, ("/port/north/quay",))
    assert not reaches(caller.writes, LAMP, ("/port/south",))
    assert not reaches(caller.commands, ("urn:x:Bin",), ("/port/north",))


def test_an_assignment_narrows_the_part_of_a_role_that_says_so(access: Access) -> None:
    subject, proof = key_of(access, "resident")
    asked = Assignment("", subject, "default", "domain-manager", 0, types=("Streetlight",))
    access.gate.roles.assign(MAYOR, asked)
    caller = caller_of(access, proof)
    assert caller.reads is None
    assert reaches(caller.writes, LAMP, ())
    assert not reaches(caller.writes, ("urn:x:Bin",), ())


def test_an_assignment_narrows_all_of_a_role_that_says_nothing_of_it(access: Access) -> None:
    subject, proof = key_of(access, "resident")
    access.gate.roles.assign(MAYOR, Assignment("", subject, "default", "administrator", 0, scopes=("/port",)))
    caller = caller_of(access, proof)
    assert not caller.may(Right.ADMINISTER), "people and keys are not in a scope"
    assert caller.may(Right.READ)
    assert not reaches(caller.reads, LAMP, ("/hill",))


def test_who_delivers_of_some_types_changes_no_others(access: Access) -> None:
    access.gate.roles.put(MAYOR, Role((RoleGrant(("deliver",), ("Streetlight",)),), name="lamp-gateway"))
    subject, proof = key_of(access, "resident")
    access.gate.roles.assign(MAYOR, Assignment("", subject, "default", "lamp-gateway", 0))
    caller = caller_of(access, proof)
    assert (caller.may(Right.INGEST), caller.may(Right.WRITE)) == (True, False)
    assert reaches(caller.writes, LAMP, ())
    assert not reaches(caller.writes, (expand("WasteContainer"),), ())
    _, whole = key_of(access, "device")
    assert caller_of(access, whole).writes is None


def test_one_tenant_leaves_room_for_the_assignments_of_another(access: Access) -> None:
    subject, _ = key_of(access, "resident")
    asked = Assignment("", subject, "", "reader", 0)
    for _ in range(MOST_ASSIGNMENTS):
        access.gate.roles.assign(Caller("riantec", "user:voisine", ADMINISTRATOR), asked)
    with pytest.raises(BadRequestData):
        access.gate.roles.assign(Caller("riantec", "user:voisine", ADMINISTRATOR), asked)
    access.gate.roles.assign(MAYOR, asked)


def test_an_assignment_holds_between_its_dates(access: Access, clock: FakeClock) -> None:
    subject, proof = key_of(access, "resident")
    since = clock.now + HOUR
    access.gate.roles.assign(MAYOR, Assignment("", subject, "default", "reader", since, since + HOUR))
    rights = []
    for _ in range(3):
        rights.append(caller_of(access, proof).may(Right.READ))
        clock.pass_hours(1)
        access.gate.forget()
    assert rights == [False, True, False]


def test_a_role_in_another_tenant_holds_there_alone(access: Access) -> None:
    subject, proof = key_of(access, "reader")
    with pytest.raises(Forbidden):
        caller_of(access, proof, "port")
    port = Caller("port", "user:captain", ADMINISTRATOR)
    access.gate.roles.assign(port, Assignment("", subject, "port", "operator", 0))
    assert caller_of(access, proof, "port").may(Right.WRITE)
    assert not caller_of(access, proof).may(Right.WRITE)


def test_several_roles_give_what_each_gives_and_read_no_more_than_the_lowest(access: Access) -> None:
    subject, proof = key_of(access, "reader")
    access.gate.roles.assign(MAYOR, Assignment("", subject, "default", "data-steward", 0))
    caller = caller_of(access, proof)
    assert caller.may(Right.STEWARD)
    assert caller.hides == access.gate.roles.hidden_of("default", PrivacyClass.INTERNAL)


def test_each_role_hides_what_lies_above_its_clearance(access: Access) -> None:
    hidden = {}
    for role in ("administrator", "operator", "reader", "device"):
        _, proof = key_of(access, role)
        hides = caller_of(access, proof).hides
        hidden[role] = set() if hides is None else {"email", "birthDate", "hardwareId"} & hides.names
    assert hidden == {
        "administrator": set(),
        "operator": {"birthDate"},
        "reader": {"birthDate", "email"},
        "device": set(),
    }
    nobody = access.gate.authenticate(None, None).hides
    assert nobody is not None
    assert {"email", "birthDate", "hardwareId"} <= nobody.names
    assert nobody.of(("https://schema.org/Person",)) >= {"name", "address"}
    assert "name" not in nobody.of(("https://schema.org/Building",))


def test_a_tenant_puts_attributes_into_classes_of_its_own(access: Access) -> None:
    roles = access.gate.roles
    roles.classify(MAYOR, Classified("licencePlate", "personal"))
    roles.classify(MAYOR, Classified("email", "public"))
    hidden = roles.hidden_of("default", PrivacyClass.PUBLIC)
    assert hidden is not None
    assert "licencePlate" in hidden.names
    assert "email" not in hidden.names
    elsewhere = roles.hidden_of("port", PrivacyClass.PUBLIC)
    assert elsewhere is not None
    assert "licencePlate" not in elsewhere.names
    roles.declassify(MAYOR, Classified("email", ""))
    assert "email" in (roles.hidden_of("default", PrivacyClass.PUBLIC) or hidden).names
    with pytest.raises(ResourceNotFound):
        roles.declassify(MAYOR, Classified("email", ""))


@pytest.mark.parametrize(
    "role",
    [
        lamplighter(clearance="secret"),
        Role((), name="nothing"),
        Role((RoleGrant(("fly",)),), name="pilot"),
        Role((RoleGrant(("administer",), ("Streetlight",)),), name="half-mayor"),
        Role((RoleGrant(("read",), scopes=("north/#",)),), name="north"),
        Role((RoleGrant(("read",)),), name="Not A Name"),
        Role((RoleGrant(("read",)),), name="administrator"),
    ],
)
def test_what_makes_no_role_is_refused(access: Access, role: Role) -> None:
    with pytest.raises(BadRequestData):
        access.gate.roles.put(MAYOR, role)


def test_only_those_who_may_change_roles_and_classes(access: Access) -> None:
    roles = access.gate.roles
    operator = Caller("default", "user:op", OPERATOR)
    subject, _ = key_of(access, "reader")
    for deed in (
        lambda: roles.put(operator, lamplighter()),
        lambda: roles.drop(operator, "reader"),
        lambda: roles.assign(operator, Assignment("", subject, "default", "administrator", 0)),
        lambda: roles.unassign(operator, "a1"),
        lambda: roles.classify(operator, Classified("email", "public")),
        lambda: roles.declassify(operator, Classified("email", "")),
    ):
        with pytest.raises(Forbidden):
            deed()


def test_a_role_in_use_stays_and_everything_is_in_the_trail(access: Access) -> None:
    roles = access.gate.roles
    roles.put(MAYOR, lamplighter())
    subject, _ = key_of(access, "reader")
    made = roles.assign(MAYOR, Assignment("", subject, "default", "lamplighter", 0))
    with pytest.raises(BadRequestData):
        roles.drop(MAYOR, "lamplighter")
    roles.unassign(MAYOR, made.id)
    roles.drop(MAYOR, "lamplighter")
    with pytest.raises(BadRequestData):
        roles.assign(MAYOR, made)
    actions = [entry.record.action for entry in access.store.read_audit()]
    assert {"role-changed", "role-assigned", "role-unassigned", "role-removed"} <= set(actions)


def test_the_owner_of_a_subscription_has_the_rights_of_now(access: Access) -> None:
    subject, proof = key_of(access, "operator")
    gate = access.gate
    assert gate.find_owner(subject, "default") == caller_of(access, proof)
    assert gate.find_owner("user:nobody", "default") is None
    assert gate.find_owner(subject, "port") is None
    assert gate.find_owner("system:rules", "default") is not None
    access.keys.revoke(COMMAND_LINE, subject.removeprefix("key:"))
    assert gate.find_owner(subject, "default") is None


def grounds(access: Access, **asked: object) -> list[Ground]:
    found = explain(access.gate, Asked(**asked))  # type: ignore[arg-type]
    return [one.ground for one in found.said]


def test_why_somebody_may_not_is_told_by_what_decides_it(access: Access) -> None:
    access.gate.roles.put(MAYOR, lamplighter())
    subject, _ = key_of(access, "resident")
    access.gate.roles.assign(MAYOR, Assignment("", subject, "default", "lamplighter", 0))
    north = {"types": ("Streetlight",), "scopes": ("/port/north/quay",)}
    by = [Ground.BY_ROLE, Ground.BY_ASSIGNMENT]
    assert grounds(access, subject="user:nobody", action="read") == [Ground.GONE]
    assert grounds(access, subject=subject, action="read", tenant="port") == [Ground.GONE]
    assert grounds(access, subject=subject, action="administer") == [Ground.NO_ACTION, *by]
    assert grounds(access, subject=subject, action="write", types=("Bin",)) == [Ground.OUTSIDE, *by]
    assert grounds(access, subject=subject, action="write", **north) == [Ground.ALLOWED, *by]
    assert grounds(access, subject=subject, action="read", types=("Person",), attribute="name") == [Ground.CLASS, *by]
    assert grounds(access, subject=subject, action="read", types=("Building",), attribute="name") == [
        Ground.ALLOWED,
        *by,
    ]
    with pytest.raises(BadRequestData):
        explain(access.gate, Asked(subject, "fly"))
    told = explain(access.gate, Asked(subject, "write", types=("Bin",))).said[0].text
    assert told == "The right to write goes as far as Streetlight (/port/north); Bin lies outside."
