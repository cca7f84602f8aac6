"""Of what there is for all, no tenant can use up what is another's."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parvis.connectors.mqtt.shares import Share

TENANTS = ["brume", "trevalan", "ys"]


def share(limit: int, *tenants: str) -> Share:
    return Share("sessions", limit, set(tenants))


def take(of: Share, tenant: str, wanted: int) -> int:
    """How many of those that are wanted it gets, one after the other."""
    got = 0
    while got < wanted and of.has_room(tenant):
        of.occupy(tenant)
        got += 1
    return got


def test_who_is_alone_may_have_all() -> None:
    assert take(share(10, "brume"), "brume", 20) == 10


@pytest.mark.parametrize(("limit", "first", "second"), [(10, 5, 5), (9, 5, 4), (1, 1, 0)])
def test_of_two_each_is_sure_of_half(limit: int, first: int, second: int) -> None:
    of = share(limit, "brume", "trevalan")
    assert (take(of, "brume", 20), take(of, "trevalan", 20)) == (first, second)


def test_what_one_gives_back_is_there_again() -> None:
    of = share(10, "brume", "trevalan")
    assert take(of, "brume", 20) == 5
    of.occupy("brume", -2)
    assert take(of, "brume", 20) == 2


def test_a_tenant_that_is_added_has_its_share_as_others_give_back() -> None:
    tenants = {"brume"}
    of = Share("sessions", 10, tenants)
    assert take(of, "brume", 10) == 10
    tenants.add("trevalan")
    assert take(of, "trevalan", 1) == 0
    of.occupy("brume", -6)
    assert take(of, "brume", 10) == 1
    assert take(of, "trevalan", 10) == 5


def test_what_it_costs_to_ask_does_not_grow_with_the_tenants() -> None:
    class Walked(set[str]):
        walks = 0

        def __iter__(self) -> Iterator[str]:
            Walked.walks += 1
            return super().__iter__()

    of = Share("in_flight", 1000, Walked(str(number) for number in range(100)))
    assert take(of, "7", 30) == 10
    walks = Walked.walks
    assert take(of, "8", 10) == 10
    assert not of.has_room("7")
    of.occupy("7", -3)
    assert Walked.walks == walks


@given(st.integers(3, 60), st.lists(st.tuples(st.sampled_from(TENANTS), st.integers(-9, 20)), max_size=60))
def test_whatever_the_others_do_a_tenant_gets_its_share(limit: int, wishes: list[tuple[str, int]]) -> None:
    of = share(limit, *TENANTS)
    for tenant, amount in wishes:
        if amount < 0:
            of.occupy(tenant, -min(-amount, of.used_by(tenant)))
        elif of.has_room(tenant, amount):
            of.occupy(tenant, amount)
        assert of.used <= limit
        for one in TENANTS:
            left = limit // len(TENANTS) - of.used_by(one)
            assert left <= 0 or of.has_room(one, left)
