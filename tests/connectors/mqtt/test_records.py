from hypothesis import given
from hypothesis import strategies as st

from parvis.connectors.mqtt.mailbox import Letter
from parvis.connectors.mqtt.records import (
    Kept,
    Retention,
    encode_kept,
    encode_letter,
    encode_retention,
    find_retention,
    letter_place,
    prefix_of,
    restore,
    restore_all,
    state_place,
    taken_place,
)
from parvis.mqttwire.packets import Property, Publish, Subscription
from tests.connectors.mqtt.conftest import House

CLIENT = ("default", "pump 4")
KEPT = Kept("pump 4", "key:a", 4, 3600, None, "", [Subscription("town/#", 2, identifier=7)], "0011aabb")
MESSAGE = Publish(
    "town/a",
    b"\0\xff",
    2,
    True,
    properties={Property.CONTENT_TYPE: "x", Property.CORRELATION_DATA: b"\1", Property.USER_PROPERTY: [("a", "b")]},
)


def test_a_session_is_read_as_it_was_written() -> None:
    letters = [Letter(1, None), Letter(2, MESSAGE, 9)]
    records = {
        state_place(CLIENT): encode_kept(KEPT),
        taken_place(CLIENT, 5): b"",
        **{letter_place(CLIENT, one.number): encode_letter(one) for one in letters},
    }
    ((tenant, restored),) = restore_all(dict(sorted(records.items())))
    assert tenant == "default"
    assert restored.kept == KEPT
    assert restored.taken == {5}
    assert restored.letters[0] == Letter(1, None)
    publish = restored.letters[1].publish
    assert publish is not None
    assert (publish.topic, publish.payload, publish.qos, publish.retain) == ("town/a", b"\0\xff", 2, True)
    assert publish.properties == {**MESSAGE.properties, Property.USER_PROPERTY: [["a", "b"]]}
    assert all(place.key.startswith(prefix_of(CLIENT).key) for place in records)


def test_a_retained_message_is_read_as_it_was_written() -> None:
    read = find_retention(encode_retention(Retention(MESSAGE, 9)))
    assert read is not None
    assert (read.publish.payload, read.expires_at) == (MESSAGE.payload, 9)


@given(st.binary(max_size=60), st.dictionaries(st.sampled_from([b"s", b"l", b"t", b"?"]), st.binary(max_size=60)))
def test_what_nobody_has_written_is_no_session_and_no_message(noise: bytes, records: dict[bytes, bytes]) -> None:
    find_retention(noise)
    restore({bytes(16) + kind: value for kind, value in records.items()})


async def test_records_that_cannot_be_read_keep_nobody_out(house: House) -> None:
    puts = {state_place(CLIENT): b"\xc1", state_place(("default", "other")): encode_kept(KEPT)}
    await house.store.shelf.change((), puts, ())
    await house.restart()
    assert [session.client for session in house.listener._sessions] == [("default", "pump 4")]
