import pytest

from parvis.connectors.mqtt.outgoing import Outgoing
from parvis.mqttwire.packets import Publish


def message(number: int, qos: int = 1) -> Publish:
    return Publish("town/a", b"%d" % number, qos)


def test_beyond_the_window_messages_wait_for_acknowledgements_in_order() -> None:
    outgoing = Outgoing(window=2, queue_limit=10)
    sent = [outgoing.offer(message(n)) for n in range(4)]
    assert [one and one.packet_id for one in sent] == [1, 2, None, None]
    following = outgoing.acknowledge(1)
    assert following is not None
    assert (following.payload, following.packet_id) == (b"2", 3)
    assert outgoing.acknowledge(1) is None
    assert outgoing.acknowledge(99) is None


def test_the_queue_has_an_end() -> None:
    outgoing = Outgoing(window=1, queue_limit=1)
    outgoing.offer(message(1))
    outgoing.offer(message(2))
    with pytest.raises(OverflowError):
        outgoing.offer(message(3))


def test_qos_0_waits_for_nobody() -> None:
    outgoing = Outgoing(window=0, queue_limit=0)
    assert outgoing.offer(message(1, qos=0)) == message(1, qos=0)


def test_packet_identifiers_in_use_are_passed_over_when_the_count_starts_again() -> None:
    outgoing = Outgoing(window=2, queue_limit=0)
    first = outgoing.offer(message(0))
    assert first is not None
    seen = []
    for number in range(65_536):
        sent = outgoing.offer(message(number))
        assert sent is not None
        seen.append(sent.packet_id)
        outgoing.acknowledge(sent.packet_id)
    assert first.packet_id not in seen
    assert seen[-2:] == [2, 3]
