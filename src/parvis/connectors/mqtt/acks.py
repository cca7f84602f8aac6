"""What a client hears of its messages, by what became of them."""

from typing import assert_never

from parvis.connectors.mqtt.connection import Connection
from parvis.connectors.mqtt.session import Session
from parvis.fleet.model.delivery import Ack
from parvis.mqttwire import codec
from parvis.mqttwire.packets import Publish, Reason, Version

_FAILED_FROM = Reason.UNSPECIFIED_ERROR


def note_taken(session: Session, packet_id: int, ack: Ack) -> None:
    """At QoS 2: whether the same packet identifier means the same message from now on."""
    session.end_taking(packet_id, is_taken=_reason(ack) < _FAILED_FROM)


def acknowledge(connection: Connection, finished: list[tuple[Publish, Ack]]) -> None:
    encoded = bytearray()
    unacknowledged = 0
    must_resend = False
    for publish, ack in finished:
        if publish.packet_id == 0:
            continue
        unacknowledged += 1
        reason = _reason(ack)
        if publish.qos == 2:
            must_resend |= not _receive(connection, publish, reason)
        elif reason < _FAILED_FROM or connection.version is Version.V5:
            encoded += codec.encode_puback(publish.packet_id, reason, connection.version)
        else:
            must_resend = True
    connection.finish(len(finished), unacknowledged, bytes(encoded))
    if must_resend:
        connection.close()  # a 3.1.1 client sends again only after it has connected again (4.4)


def _receive(connection: Connection, publish: Publish, reason: Reason) -> bool:
    """PUBREC, over the connection that the session has by now; whether it could be said."""
    session = connection.session
    current = session.line if session is not None else None
    if not isinstance(current, Connection):
        return True
    if reason >= _FAILED_FROM and current.version is not Version.V5:
        return False
    current.write(codec.encode_pubrec(publish.packet_id, reason, current.version))
    return True


def _reason(ack: Ack) -> Reason:
    match ack:
        case Ack.STORED | Ack.REFUSED:
            return Reason.SUCCESS
        case Ack.OVERLOADED:
            return Reason.QUOTA_EXCEEDED
        case Ack.FAILED:
            return Reason.UNSPECIFIED_ERROR
        case _:
            assert_never(ack)
