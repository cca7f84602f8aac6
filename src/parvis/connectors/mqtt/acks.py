"""What a client hears of its messages, by what became of them."""

from typing import assert_never

from parvis.connectors.mqtt.connection import Connection
from parvis.fleet.delivery import Ack
from parvis.mqttwire import codec
from parvis.mqttwire.packets import Publish, Reason, Version


def acknowledge(connection: Connection, finished: list[tuple[Publish, Ack]]) -> None:
    encoded = bytearray()
    unacknowledged = 0
    must_resend = False
    for publish, ack in finished:
        if publish.packet_id == 0:
            continue
        unacknowledged += 1
        reason = _reason(ack)
        if reason < Reason.UNSPECIFIED_ERROR or connection.version is Version.V5:
            encoded += codec.encode_puback(publish.packet_id, reason, connection.version)
        else:
            must_resend = True
    connection.finish(len(finished), unacknowledged, bytes(encoded))
    if must_resend:
        connection.close()  # a 3.1.1 client sends again only after it has connected again (4.4)


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
