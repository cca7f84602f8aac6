"""Laws of what is kept for a time only (NGSI-LD 1.9.1, 4.22)."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from parvis.broker.model.change import Change, Mode, Status
from parvis.broker.model.entity import Entity, Instance, Kind
from parvis.broker.model.expiry import first_expiry, is_over, what_stays
from parvis.broker.model.merge import CREATING, resolve
from parvis.kernel.time import SECOND, Instant, format_instant

ID = "urn:ngsi-ld:WasteContainer:1"
TYPES = ("https://example.org/WasteContainer",)
NULL = "urn:ngsi-ld:null"
instants = st.integers(1, 20).map(lambda seconds: seconds * SECOND)
ends = st.one_of(st.just(UNSET), st.none(), instants)


@st.composite
def instances(draw: st.DrawFn, *, may_clear: bool) -> Instance:
    end = draw(st.one_of(st.none(), instants))
    extra = None if end is None else {"expiresAt": format_instant(end)}
    if extra is None and may_clear and draw(st.booleans()):
        extra = {"expiresAt": NULL}
    dataset = draw(st.sampled_from(["", "urn:ngsi-ld:Dataset:1"]))
    return Instance(
        draw(st.sampled_from(["https://e.org/a", "https://e.org/b"])), Kind.PROPERTY, 1, dataset, extra=extra
    )


@st.composite
def changes(draw: st.DrawFn) -> Change:
    mode = draw(st.sampled_from([*sorted(CREATING, key=str), Mode.APPEND, Mode.MERGE, Mode.REPLACE, Mode.EXPIRE]))
    given = draw(st.lists(instances(may_clear=mode is Mode.MERGE), max_size=3, unique_by=lambda one: one.key))
    if mode is Mode.EXPIRE:
        return Change(ID, mode)
    return Change(ID, mode, tuple(given), TYPES, expires_at=draw(ends))


def after(asked: list[Change], now: Instant) -> Entity | None:
    entity: Entity | None = None
    for change in asked:
        resolution = resolve(entity, change, now)
        if resolution.outcome.status is not Status.FAILED:
            entity = resolution.entity
    return entity


@given(st.lists(changes(), max_size=8))
def test_nothing_is_over_before_it_is_due(asked: list[Change]) -> None:
    entity = after(asked, 0)
    if entity is not None:
        assert entity.due == first_expiry(entity.expires_at, entity.instances)


@given(st.lists(changes(), max_size=8), instants)
def test_what_is_taken_away_is_what_is_not_told(asked: list[Change], now: Instant) -> None:
    entity = after(asked, 0)
    if entity is None:
        return
    shown = what_stays(entity, now)
    resolution = resolve(entity, Change(ID, Mode.EXPIRE), now)
    if shown is None:
        assert (resolution.outcome.status, resolution.entity) == (Status.DELETED, None)
        return
    assert resolution.entity is not None
    assert (resolution.entity.instances, resolution.entity.due) == (shown.instances, shown.due)
    assert not any(is_over(one, now) for one in shown.instances)
    assert (resolution.outcome.status is Status.UPDATED) == bool(resolution.removed)


@given(st.lists(changes(), max_size=8), instants)
def test_what_was_taken_away_once_leaves_nothing_to_be_taken_away(asked: list[Change], now: Instant) -> None:
    left = after([*asked, Change(ID, Mode.EXPIRE)], now)
    if left is not None:
        again = resolve(left, Change(ID, Mode.EXPIRE), now)
        assert (again.outcome.status, again.entity) == (Status.UNCHANGED, left)
