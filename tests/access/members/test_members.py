"""A pool and its members: who belongs to it, and what it may do in their tenants."""

import pytest

from parvis.access.access import COMMAND_LINE, Access
from parvis.access.members.checks import read_outline
from parvis.access.members.mandates import Terms
from parvis.access.members.model import Member
from parvis.kernel.errors import AlreadyExists, BadRequestData, Forbidden, ResourceNotFound
from parvis.kernel.identity import ADMINISTRATOR, OPERATOR, Caller
from parvis.kernel.time import DAY
from tests.access.conftest import FakeClock

POOL = Caller("default", "user:syndicate", ADMINISTRATOR)
MAYOR = Caller("plouhinec", "user:mairie", ADMINISTRATOR)
NEIGHBOUR = Caller("riantec", "user:riantec", ADMINISTRATOR)
SQUARE = b'{"type":"Polygon","coordinates":[[[-3.3,47.7],[-3.2,47.7],[-3.2,47.8],[-3.3,47.7]]]}'


def plouhinec(**more: object) -> Member:
    return Member(**{"tenant": "plouhinec", "title": "Plouhinec", "code": "56169", "since": 0} | more)  # type: ignore[arg-type]


def terms(clock: FakeClock, role: str = "operator", days: int = 30, **more: object) -> Terms:
    given = {"role": role, "until": clock.now + days * DAY, "reference": "2026-014"} | more
    return Terms(**given)  # type: ignore[arg-type]


def told(access: Access) -> list[tuple[str, str, str]]:
    return [(one.record.tenant, one.record.action, one.record.object) for one in access.store.read_audit()]


def test_only_the_pool_makes_members(access: Access) -> None:
    for caller in (MAYOR, Caller("default", "user:ann", OPERATOR)):
        with pytest.raises(Forbidden):
            access.members.add(caller, plouhinec())

    access.members.add(POOL, plouhinec(hosts=("Plouhinec.Example.",)))

    assert access.members.get("plouhinec").hosts == ("plouhinec.example",)
    assert told(access) == [("default", "member-created", "plouhinec")]


def test_a_name_and_a_host_are_one_members(access: Access) -> None:
    access.members.add(POOL, plouhinec(hosts=("plouhinec.example",)))

    with pytest.raises(AlreadyExists):
        access.members.add(POOL, plouhinec())
    with pytest.raises(AlreadyExists):
        access.members.add(POOL, plouhinec(tenant="riantec", hosts=("plouhinec.example",)))
    assert [one.tenant for one in access.members.list_all()] == ["plouhinec"]


@pytest.mark.parametrize(
    "wrong",
    [{"tenant": "default"}, {"tenant": "Plou hinec"}, {"title": " "}, {"code": "56-169"}, {"hosts": ("no host",)}],
)
def test_what_cannot_be_a_member_is_refused(access: Access, wrong: dict[str, object]) -> None:
    with pytest.raises(BadRequestData):
        access.members.add(POOL, plouhinec(**wrong))
    assert not access.members.list_all()


def test_the_pool_records_the_founding_mandate_and_no_other(access: Access, clock: FakeClock) -> None:
    access.members.add(POOL, plouhinec(), terms(clock, "administrator"))

    (founding,) = access.mandates.list_of("plouhinec")
    assert (founding.role, founding.reference, founding.granted_by) == ("administrator", "2026-014", "user:syndicate")
    with pytest.raises(Forbidden):
        access.mandates.grant(POOL, "plouhinec", terms(clock))
    with pytest.raises(Forbidden):
        access.mandates.found(POOL, access.members.get("plouhinec"), terms(clock))
    assert told(access)[1] == ("plouhinec", "mandate-granted", founding.id)


def test_a_member_that_cannot_be_founded_is_not_made(access: Access, clock: FakeClock) -> None:
    with pytest.raises(BadRequestData):
        access.members.add(POOL, plouhinec(), terms(clock, days=-1))

    assert not access.members.list_all()


def test_nobody_prolongs_a_mandate_by_a_mandate(access: Access, clock: FakeClock) -> None:
    access.members.add(POOL, plouhinec(), terms(clock, "administrator"))
    guest = Caller("plouhinec", "user:syndicate", ADMINISTRATOR, mandate="m1")

    for caller in (guest, NEIGHBOUR, Caller("plouhinec", "user:clerk", OPERATOR)):
        with pytest.raises(Forbidden):
            access.mandates.grant(caller, "plouhinec", terms(clock))
        with pytest.raises(Forbidden):
            access.members.choose_public(caller, "plouhinec", ["Building"])


def test_a_member_grants_and_ends_at_any_time(access: Access, clock: FakeClock) -> None:
    access.members.add(COMMAND_LINE, plouhinec())
    granted = access.mandates.grant(MAYOR, "plouhinec", terms(clock, scopes=("/school",)))
    assert [one.id for one in access.mandates.list_in_force()] == [granted.id]

    clock.pass_hours(1)
    access.mandates.end(MAYOR, "plouhinec", granted.id)

    (ended,) = access.mandates.list_of("plouhinec")
    assert (ended.ended_at, ended.ended_by) == (clock.now, "user:mairie")
    assert not access.mandates.list_in_force()
    with pytest.raises(ResourceNotFound):
        access.mandates.end(MAYOR, "plouhinec", granted.id)


@pytest.mark.parametrize(
    "wrong", [{"reference": " "}, {"role": "king"}, {"role": "device"}, {"scopes": ("school",)}, {"days": 0}]
)
def test_a_mandate_says_what_until_when_and_by_which_decision(
    access: Access, clock: FakeClock, wrong: dict[str, object]
) -> None:
    access.members.add(COMMAND_LINE, plouhinec())

    with pytest.raises(BadRequestData):
        access.mandates.grant(MAYOR, "plouhinec", terms(clock, **wrong))  # type: ignore[arg-type]
    assert not access.mandates.list_of("plouhinec")


def test_who_leaves_takes_mandates_hosts_and_public_page_along(access: Access, clock: FakeClock) -> None:
    access.members.add(POOL, plouhinec(hosts=("plouhinec.example",)), terms(clock))
    access.members.choose_public(MAYOR, "plouhinec", ["Building"])
    clock.pass_hours(1)

    left = access.members.end(MAYOR, "plouhinec")

    assert (left.until, left.hosts, left.public_types) == (clock.now, (), ())
    assert not access.members.list_in_pool()
    assert not access.mandates.list_in_force()
    in_both = [(tenant, "member-ended", "plouhinec") for tenant in ("plouhinec", "default")]
    assert [one for one in told(access) if one[1] == "member-ended"] == in_both
    with pytest.raises(ResourceNotFound):
        access.mandates.grant(MAYOR, "plouhinec", terms(clock))


def test_an_outline_is_the_surface_of_a_geojson_file() -> None:
    feature = b'{"type":"Feature","properties":{},"geometry":' + SQUARE + b"}"

    assert read_outline(feature)["type"] == "Polygon"
    both = read_outline(b'{"type":"FeatureCollection","features":[' + feature + b"," + feature + b"]}")
    assert (both["type"], len(both["coordinates"])) == ("MultiPolygon", 2)
    for wrong in (b"", b"[]", b'{"type":"Point","coordinates":[1,2]}', b'{"type":"Polygon","coordinates":[[[500,2]]]}'):
        with pytest.raises(BadRequestData):
            read_outline(wrong)
