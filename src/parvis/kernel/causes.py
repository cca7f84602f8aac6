"""Why a notification was not taken, each reason one English sentence: written by whoever fails, kept and told as it is,
and read back by pages that say it in other languages."""

import re
from collections.abc import Mapping
from enum import Enum
from typing import Final

import msgspec


class Cause(Enum):
    """The sentence of each, with places for what only its author knows. Of two that could say a text the first does."""

    NOT_MADE = "No notification could be made: {fault}"
    NO_CONTEXT = "Its @context cannot be had: {fault}"
    NOT_READ = "Its entities could not be read: {fault}"
    NAME_NOT_FOUND = "The name {host} cannot be resolved."
    PRIVATE_NETWORK = "{host} leads into a private network: list it in outbound.allow to permit it."
    NO_ADDRESS = "{address} is no http or https address."
    TOO_SLOW = "{place} took longer than {limit} s."
    STATUS = "The receiver answered with status {status}."
    ANSWER_TOO_LARGE = "The answer has more than {bytes} bytes."
    HEAD_TOO_LONG = "The answer's head is longer than {bytes} bytes."
    NO_HTTP = "The answer is no HTTP: {fault}."
    CLOSED = "The connection was closed."
    CUT_OFF = "The connection ended before the answer did."
    NOT_CALLED = "{place} could not be called: {fault}"
    BROKER_KEEPS_OUT = "The broker {host} does not let us in (code {code})."
    BROKER_REFUSED = "The broker refused the message (reason {code})."
    BROKER_LEFT = "The broker ended the connection (reason {code})."
    BROKER_CLOSED = "The broker closed the connection."
    BROKER_SILENT = "The broker answers no more."
    BROKER_GONE = "The connection to the broker has ended."
    BROKEN = "The connection broke: {fault}."
    NO_MQTT = "It does not speak MQTT: {fault}."
    NO_WAY = "There is no way to {address}."
    TOO_LATE = "It was too late to send it."
    AWAY_TOO_LONG = "Its receiver was away or slow for too long."
    NOT_SENT = "It could not be sent: the log says why."
    SUBSCRIPTION_GONE = "Its subscription is gone."
    OWNER_GONE = "Its owner {owner} is gone: nothing is told in nobody's name. Whoever changes it becomes its owner."

    def say(self, **values: object) -> str:
        return self.value.format_map(values)


class Given(msgspec.Struct, frozen=True):
    """A reason with what its sentence says beside."""

    cause: Cause
    values: Mapping[str, str]


def pattern_of(sentence: str) -> "re.Pattern[str]":
    """Finds in a text what stands at each `{name}` of the sentence."""
    parts = re.split(r"\{(\w+)\}", sentence)
    texts = [f"(?P<{part}>.+?)" if index % 2 else re.escape(part) for index, part in enumerate(parts)]
    return re.compile("".join(texts), re.DOTALL)


_PATTERNS: Final = {cause: pattern_of(cause.value) for cause in Cause}


def find_cause(text: str) -> Given | None:
    """The reason that says `text`, of a call that failed the inmost; None for what somebody else has written."""
    for cause, pattern in _PATTERNS.items():
        if found := pattern.fullmatch(text):
            inner = find_cause(found["fault"]) if cause is Cause.NOT_CALLED else None
            return inner or Given(cause, found.groupdict())
    return None
