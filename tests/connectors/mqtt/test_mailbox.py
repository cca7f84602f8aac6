from parvis.connectors.mqtt.mailbox import Letter, Mailbox
from parvis.connectors.mqtt.shares import Room, Share
from parvis.mqttwire.packets import Properties, Property, Publish

NOW = 1_000_000


def message(number: int, qos: int = 1) -> Publish:
    return Publish("town/a", b"%d" % number, qos)


def room(limit_bytes: int) -> Room:
    return Share("mailbox_bytes", limit_bytes, set()).of("default")


def mailbox(
    window: int = 2, most_messages: int = 10, most_bytes: int = 1_000_000, space: Room | None = None
) -> Mailbox:
    made = Mailbox(most_messages, most_bytes, space or room(1_000_000))
    made.window = window
    return made


def sent_from(box: Mailbox) -> list[int]:
    """Packet identifiers of all it hands out now."""
    found = []
    while (letter := box.take_next(NOW)) is not None:
        found.append(letter.packet_id)
    return found


def test_beyond_the_window_messages_wait_for_acknowledgements_in_order() -> None:
    box = mailbox(window=2)
    assert all(box.post(message(number), None) for number in range(4))
    assert sent_from(box) == [1, 2]
    box.acknowledge(1)
    assert sent_from(box) == [3]
    box.acknowledge(1)
    box.acknowledge(99)
    assert sent_from(box) == []


def test_the_queue_has_an_end_in_messages_and_in_bytes() -> None:
    assert [mailbox(most_messages=0).post(message(1), None)] == [False]
    box = mailbox(most_messages=1)
    assert [box.post(message(number), None) for number in (1, 2)] == [True, False]
    assert not mailbox(most_bytes=150).post(Publish("a", bytes(100), 1), None)


def test_all_queues_together_have_an_end_and_what_is_acknowledged_makes_room() -> None:
    space = room(300)
    one, other = mailbox(space=space), mailbox(space=space)
    assert one.post(message(1), None)
    assert other.post(message(1), None)
    assert not one.post(message(2), None)
    sent_from(other)
    other.acknowledge(1)
    assert one.post(message(2), None)
    one.clear()
    assert space.used == 0


def test_an_expired_message_is_passed_over_and_counted() -> None:
    box = mailbox()
    box.post(message(1), NOW)
    box.post(message(2), NOW + 1)
    assert sent_from(box) == [2]
    assert box.expired == 1


def test_a_qos_2_message_is_there_until_its_pubcomp() -> None:
    box = mailbox(window=1)
    box.post(message(1, qos=2), None)
    box.post(message(2, qos=2), None)
    assert sent_from(box) == [1]
    assert box.receive(1)
    assert box.receive(1)
    assert not box.receive(7)
    box.acknowledge(1)
    assert sent_from(box) == []
    box.complete(1)
    assert sent_from(box) == [2]


def test_another_connection_gets_again_what_was_not_acknowledged_under_the_same_identifiers() -> None:
    box = mailbox(window=3)
    for number in range(4):
        box.post(message(number, qos=2), None)
    assert sent_from(box) == [1, 2, 3]
    box.receive(1)
    assert box.rewind() == [Letter(1, None)]
    letters = [box.take_next(NOW), box.take_next(NOW)]
    assert [one and (one.packet_id, box.was_sent_before(one)) for one in letters] == [(2, True), (3, True)]
    box.complete(1)
    last = box.take_next(NOW)
    assert last is not None
    assert (last.packet_id, box.was_sent_before(last)) == (4, False)


def test_of_a_durable_mailbox_nothing_is_sent_before_it_is_settled() -> None:
    noted: list[tuple[int, Letter | None]] = []
    box = Mailbox(10, 1000, room(1000), lambda number, letter: noted.append((number, letter)))
    box.window = 5
    box.post(message(1), None)
    box.post(message(2), None)
    assert sent_from(box) == []
    box.settle(1)
    assert sent_from(box) == [1]
    box.acknowledge(1)
    assert noted == [(1, Letter(1, message(1))), (2, Letter(2, message(2))), (1, None)]


def test_a_restored_mailbox_goes_on_where_it_was() -> None:
    box = mailbox()
    box.restore([Letter(3, None), Letter(4, message(4)), Letter(5, message(5))])
    assert box.rewind() == [Letter(3, None)]
    assert sent_from(box) == [4]
    box.complete(3)
    assert sent_from(box) == [5]
    box.post(message(6), None)
    assert box.last_number == 6


def test_a_message_that_is_never_acknowledged_does_not_meet_its_own_identifier() -> None:
    box = mailbox(window=2, most_messages=5)
    box.post(message(0), None)
    assert sent_from(box) == [1]
    number = 1
    while box.post(message(number), None):
        (packet_id,) = sent_from(box)
        assert packet_id != 1
        box.acknowledge(packet_id)
        number += 1
    assert number == 60_001
    box.acknowledge(1)
    for _ in range(10_000):
        box.post(message(number), None)
        (packet_id,) = sent_from(box)
        box.acknowledge(packet_id)
    assert packet_id == 70_001 - 65_535


def test_what_messages_say_of_themselves_takes_room_too() -> None:
    properties: Properties = {Property.USER_PROPERTY: [("a", "b")] * 1000, Property.CONTENT_TYPE: "x" * 1000}
    box = mailbox(most_bytes=100_000)
    assert not box.post(Publish("town/a", b"", 1, properties=properties), None)
    assert box.post(Publish("town/a", b"", 1, properties={Property.CORRELATION_DATA: b"1"}), None)
