"""The data types of the MQTT wire and the properties made of them (MQTT 5.0, 1.5 and 2.2.2)."""

from collections.abc import Callable

from parvis.kernel.errors import Detailed
from parvis.mqttwire.packets import Properties, Property, PropertyValue, Reason


class MalformedPacket(Detailed):
    def __init__(self, detail: str, reason: Reason = Reason.MALFORMED_PACKET) -> None:
        super().__init__(detail)
        self.reason = reason


class Reader:
    """Takes one value after another from `data[start:stop]`; raises MalformedPacket where it does not fit."""

    __slots__ = ("_data", "_stop", "at")

    def __init__(self, data: bytes, start: int, stop: int) -> None:
        self._data = data
        self._stop = stop
        self.at = start

    @property
    def finished(self) -> bool:
        return self.at >= self._stop

    def take(self, count: int) -> bytes:
        end = self.at + count
        if end > self._stop:
            raise MalformedPacket("the packet ends within a field")
        taken = self._data[self.at : end]
        self.at = end
        return taken

    def rest(self) -> bytes:
        return self.take(self._stop - self.at)

    def byte(self) -> int:
        return self.take(1)[0]

    def two_bytes(self) -> int:
        return int.from_bytes(self.take(2))

    def four_bytes(self) -> int:
        return int.from_bytes(self.take(4))

    def variable_integer(self) -> int:
        value = shift = 0
        while shift < 28:
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7
        raise MalformedPacket("a variable byte integer longer than four bytes")

    def binary(self) -> bytes:
        return self.take(self.two_bytes())

    def text(self) -> str:
        return decode_text(self.binary())

    def pair(self) -> tuple[str, str]:
        return self.text(), self.text()


def decode_text(raw: bytes) -> str:
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        raise MalformedPacket("text that is not UTF-8") from None
    if "\0" in text:
        raise MalformedPacket("text with a null character")
    return text


def two_bytes(value: int) -> bytes:
    return value.to_bytes(2)


def variable_integer(value: int) -> bytes:
    encoded = bytearray()
    while True:
        value, low = value >> 7, value & 0x7F
        encoded.append(low | 0x80 if value else low)
        if not value:
            return bytes(encoded)


def binary(value: bytes) -> bytes:
    return len(value).to_bytes(2) + value


def text(value: str) -> bytes:
    return binary(value.encode())


P = Property
_BYTES = {
    P.PAYLOAD_FORMAT_INDICATOR,
    P.REQUEST_PROBLEM_INFORMATION,
    P.REQUEST_RESPONSE_INFORMATION,
    P.MAXIMUM_QOS,
    P.RETAIN_AVAILABLE,
    P.WILDCARD_SUBSCRIPTION_AVAILABLE,
    P.SUBSCRIPTION_IDENTIFIER_AVAILABLE,
    P.SHARED_SUBSCRIPTION_AVAILABLE,
}
_TWO_BYTES = {P.SERVER_KEEP_ALIVE, P.RECEIVE_MAXIMUM, P.TOPIC_ALIAS_MAXIMUM, P.TOPIC_ALIAS}
_FOUR_BYTES = {
    P.MESSAGE_EXPIRY_INTERVAL,
    P.SESSION_EXPIRY_INTERVAL,
    P.WILL_DELAY_INTERVAL,
    P.MAXIMUM_PACKET_SIZE,
}
_BINARIES = {P.CORRELATION_DATA, P.AUTHENTICATION_DATA}
_REPEATABLE = {P.USER_PROPERTY, P.SUBSCRIPTION_IDENTIFIER}


def _form_of(
    identifier: Property,
) -> tuple[Callable[[Reader], PropertyValue | tuple[str, str]], Callable[[object], bytes]]:
    """How to read and how to write the values of a property."""
    if identifier in _BYTES:
        return Reader.byte, lambda value: _number(value, 1)
    if identifier in _TWO_BYTES:
        return Reader.two_bytes, lambda value: _number(value, 2)
    if identifier in _FOUR_BYTES:
        return Reader.four_bytes, lambda value: _number(value, 4)
    if identifier in _BINARIES:
        return Reader.binary, lambda value: binary(value if isinstance(value, bytes) else b"")
    if identifier is P.SUBSCRIPTION_IDENTIFIER:
        return Reader.variable_integer, lambda value: variable_integer(value if isinstance(value, int) else 0)
    if identifier is P.USER_PROPERTY:
        return Reader.pair, lambda value: b"".join(map(text, value if isinstance(value, (tuple, list)) else ()))
    return Reader.text, lambda value: text(str(value))


def _number(value: object, width: int) -> bytes:
    assert isinstance(value, int)
    return value.to_bytes(width)


_FORMS = {identifier: _form_of(identifier) for identifier in Property}

IN_CONNECT = frozenset(
    {
        P.SESSION_EXPIRY_INTERVAL,
        P.RECEIVE_MAXIMUM,
        P.MAXIMUM_PACKET_SIZE,
        P.TOPIC_ALIAS_MAXIMUM,
        P.REQUEST_RESPONSE_INFORMATION,
        P.REQUEST_PROBLEM_INFORMATION,
        P.USER_PROPERTY,
        P.AUTHENTICATION_METHOD,
        P.AUTHENTICATION_DATA,
    }
)
IN_WILL = frozenset(
    {
        P.WILL_DELAY_INTERVAL,
        P.PAYLOAD_FORMAT_INDICATOR,
        P.MESSAGE_EXPIRY_INTERVAL,
        P.CONTENT_TYPE,
        P.RESPONSE_TOPIC,
        P.CORRELATION_DATA,
        P.USER_PROPERTY,
    }
)
IN_PUBLISH = frozenset((IN_WILL - {P.WILL_DELAY_INTERVAL}) | {P.TOPIC_ALIAS, P.SUBSCRIPTION_IDENTIFIER})
IN_SUBSCRIBE = frozenset({P.SUBSCRIPTION_IDENTIFIER, P.USER_PROPERTY})
IN_UNSUBSCRIBE = frozenset({P.USER_PROPERTY})
IN_ACKNOWLEDGEMENT = frozenset({P.REASON_STRING, P.USER_PROPERTY})
IN_DISCONNECT = frozenset({P.SESSION_EXPIRY_INTERVAL, P.REASON_STRING, P.USER_PROPERTY, P.SERVER_REFERENCE})
_NEVER_ZERO = frozenset({P.RECEIVE_MAXIMUM, P.MAXIMUM_PACKET_SIZE, P.TOPIC_ALIAS, P.SUBSCRIPTION_IDENTIFIER})


def read_properties(reader: Reader, allowed: frozenset[Property]) -> Properties:
    end = reader.variable_integer() + reader.at
    properties: Properties = {}
    while reader.at < end:
        identifier = _known(reader.variable_integer(), allowed)
        value = _FORMS[identifier][0](reader)
        if not value and identifier in _NEVER_ZERO:
            raise MalformedPacket(f"{identifier.name} is zero", Reason.PROTOCOL_ERROR)
        if identifier in _REPEATABLE:
            properties.setdefault(identifier, []).append(value)  # type: ignore[union-attr, arg-type]
        elif identifier in properties:
            raise MalformedPacket(f"{identifier.name} is there twice", Reason.PROTOCOL_ERROR)
        else:
            properties[identifier] = value  # type: ignore[assignment]
    if reader.at != end:
        raise MalformedPacket("the properties overrun their length")
    return properties


def _known(number: int, allowed: frozenset[Property]) -> Property:
    try:
        identifier = Property(number)
    except ValueError:
        raise MalformedPacket(f"no property 0x{number:02x}") from None
    if identifier not in allowed:
        raise MalformedPacket(f"{identifier.name} has no place here", Reason.PROTOCOL_ERROR)
    return identifier


def write_properties(properties: Properties) -> bytes:
    body = bytearray()
    for number, value in properties.items():
        identifier = Property(number)
        write = _FORMS[identifier][1]
        for one in value if identifier in _REPEATABLE and isinstance(value, list) else (value,):
            body += variable_integer(identifier) + write(one)
    return variable_integer(len(body)) + bytes(body)
