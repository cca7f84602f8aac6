"""What a part of the platform puts on the shelf is there afterwards, or nothing of it."""

from parvis.broker.ports.store import Store
from parvis.kernel.shelf import Box, Place

MINE = Box("default", "sessions/one")
THEIRS = Box("neighbour", "sessions/one")


async def test_what_is_put_is_read_again_in_the_order_of_keys(store: Store) -> None:
    await store.shelf.change((), {Place(MINE, b"\0\2"): b"two", Place(MINE, b"\0\1"): b"one"}, ())
    assert list((await store.shelf.read(Place(MINE, b""))).items()) == [(b"\0\1", b"one"), (b"\0\2", b"two")]


async def test_a_later_value_takes_the_place_of_an_earlier_one(store: Store) -> None:
    await store.shelf.change((), {Place(MINE, b"k"): b"old"}, ())
    await store.shelf.change((), {Place(MINE, b"k"): b"new"}, ())
    assert await store.shelf.read(Place(MINE, b"")) == {b"k": b"new"}


async def test_a_box_is_emptied_before_something_is_put_into_it(store: Store) -> None:
    await store.shelf.change((), {Place(MINE, b"a"): b"", Place(MINE, b"b"): b""}, ())
    await store.shelf.change([Place(MINE, b"")], {Place(MINE, b"c"): b"c"}, ())
    assert await store.shelf.read(Place(MINE, b"")) == {b"c": b"c"}


async def test_what_is_dropped_is_gone_and_what_is_not_there_may_be_dropped(store: Store) -> None:
    await store.shelf.change((), {Place(MINE, b"a"): b"a", Place(MINE, b"b"): b"b"}, ())
    await store.shelf.change((), {}, [Place(MINE, b"a"), Place(MINE, b"never")])
    assert await store.shelf.read(Place(MINE, b"")) == {b"b": b"b"}


async def test_tenants_have_boxes_of_their_own(store: Store) -> None:
    await store.add_tenant("neighbour")
    await store.shelf.change((), {Place(MINE, b"k"): b"mine", Place(THEIRS, b"k"): b"theirs"}, ())
    await store.shelf.change([Place(THEIRS, b"")], {}, ())
    assert await store.shelf.read(Place(MINE, b"")) == {b"k": b"mine"}
    assert await store.shelf.read(Place(THEIRS, b"")) == {}


async def test_the_boxes_of_one_name_are_read_together(store: Store) -> None:
    await store.add_tenant("neighbour")
    other = Place(Box("default", "sessions/two"), b"k")
    puts = {Place(MINE, b"k"): b"mine", Place(THEIRS, b"k"): b"theirs", other: b"other"}
    await store.shelf.change((), puts, ())
    assert await store.shelf.read_all("sessions/one") == {Place(MINE, b"k"): b"mine", Place(THEIRS, b"k"): b"theirs"}


async def test_of_a_tenant_that_does_not_exist_nothing_is_kept(store: Store) -> None:
    nowhere = Place(Box("nowhere", "sessions/one"), b"k")
    await store.shelf.change([nowhere], {nowhere: b"lost", Place(MINE, b"k"): b"kept"}, [nowhere])
    assert await store.shelf.read_all("sessions/one") == {Place(MINE, b"k"): b"kept"}


async def test_what_begins_alike_is_read_and_emptied_together(store: Store) -> None:
    keys = [b"a\xff", b"a\xff\1", b"a\xff\xff", b"b", b"\xff\xff"]
    await store.shelf.change((), {Place(MINE, key): b"" for key in keys}, ())
    assert list(await store.shelf.read(Place(MINE, b"a\xff"))) == keys[:3]
    assert list(await store.shelf.read(Place(MINE, b"\xff"))) == keys[4:]
    await store.shelf.change([Place(MINE, b"a\xff")], {}, ())
    assert list(await store.shelf.read(Place(MINE, b""))) == keys[3:]
