"""Messages of a network server on their way to the fleet: those of one caller share a write."""

import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from parvis.fleet.fleet import Fleet
from parvis.fleet.model.delivery import Ack, Message
from parvis.fleet.model.events import NetworkEvent, Told
from parvis.fleet.model.uplink import Uplink
from parvis.fleet.network.reactions import Reactions
from parvis.kernel.errors import Detailed, Forbidden, Overloaded
from parvis.kernel.identity import Caller
from parvis.kernel.time import from_datetime

_LATEST = from_datetime(datetime.max.replace(tzinfo=UTC))
"""Beyond, no calendar can write it."""
_log = logging.getLogger(__name__)


class MalformedMessage(Detailed):
    """It is not what its topic or path promises."""


ReadMessage = Callable[[Message], Sequence[Told]]
"""What one message tells, nothing where it is of no use here. Raises MalformedMessage."""


class _Heard:
    """What the messages of one caller tell: frames, each with the index of its message, and the rest by that index."""

    def __init__(self) -> None:
        self.uplinks: list[Uplink] = []
        self.of_message: list[int] = []
        self.events: dict[int, list[NetworkEvent]] = {}

    def add(self, index: int, told: Sequence[Told]) -> None:
        for one in told:
            if isinstance(one, Uplink):
                self.uplinks.append(one)
                self.of_message.append(index)
            else:
                self.events.setdefault(index, []).append(one)


class UplinkIntake:
    """A Handler of messages that carry frames, and what else a network server tells where there are `reactions`."""

    def __init__(self, fleet: Fleet, read: ReadMessage, reactions: Reactions | None = None) -> None:
        self._fleet = fleet
        self._read = read
        self._reactions = reactions

    async def handle(self, messages: list[Message]) -> list[Ack]:
        by_caller: dict[int, list[int]] = {}
        for index, message in enumerate(messages):
            by_caller.setdefault(id(message.caller), []).append(index)
        acks = [Ack.FAILED] * len(messages)
        for indexes in by_caller.values():
            answers = await self._take([messages[index] for index in indexes])
            for index, ack in zip(indexes, answers, strict=True):
                acks[index] = ack
        return acks

    async def _take(self, messages: list[Message]) -> list[Ack]:
        acks = [Ack.STORED] * len(messages)
        heard, malformed = _Heard(), []
        for index, message in enumerate(messages):
            try:
                told = _told_by(self._read, message)
            except MalformedMessage as error:
                malformed.append((message, error.detail))
                acks[index] = Ack.REFUSED
            except Exception:
                _log.exception("a message could not be read", extra={"topic": message.topic})
                acks[index] = Ack.FAILED
            else:
                heard.add(index, told)
        caller = messages[0].caller
        if malformed:
            await self._fleet.refuse_messages(caller, malformed)
        if heard.uplinks:
            await self._store(messages[0], heard.uplinks, heard.of_message, acks)
        if self._reactions is not None:
            await self._react(self._reactions, caller, heard, acks)
        return acks

    async def _react(self, reactions: Reactions, caller: Caller, heard: _Heard, acks: list[Ack]) -> None:
        """What the frames tell of the network is worth no second delivery; the rest is, which never spoils a frame."""
        await note_heard(reactions, caller, heard.uplinks)
        try:
            await reactions.take(caller, [one for of_message in heard.events.values() for one in of_message])
        except Overloaded:
            acks_of_events = Ack.OVERLOADED
        except Forbidden:
            acks_of_events = Ack.REFUSED
        except Exception:
            _log.exception("what a network server told could not be taken")
            acks_of_events = Ack.FAILED
        else:
            return
        for index in heard.events:
            if acks[index] is not Ack.OVERLOADED:
                acks[index] = acks_of_events

    async def _store(self, first: Message, uplinks: list[Uplink], of_message: list[int], acks: list[Ack]) -> None:
        try:
            results = await self._fleet.take(first.caller, uplinks)
        except Overloaded:
            for index in of_message:
                acks[index] = Ack.OVERLOADED
            return
        for index, refused in zip(of_message, results, strict=True):
            if refused is not None:
                acks[index] = Ack.REFUSED


async def note_heard(reactions: Reactions, caller: Caller, uplinks: Sequence[Uplink]) -> None:
    """What stored frames tell of their way. They are stored: sent again for this they would be so twice."""
    try:
        await reactions.hear(caller, uplinks)
    except Exception:
        _log.exception("what frames tell of gateways could not be noted")


def _told_by(read: ReadMessage, message: Message) -> Sequence[Told]:
    """Raises MalformedMessage."""
    try:
        told = read(message)
    except RecursionError:
        raise MalformedMessage("it is nested too deeply") from None
    _check_times(told)
    return told


def _check_times(told: Sequence[Told]) -> None:
    """Of a network server or device whose clock was never set, or that names a zone beyond the last day."""
    for one in told:
        at = one.received_at if isinstance(one, Uplink) else one.at
        measured_at = one.measured_at if isinstance(one, Uplink) else None
        if not (0 <= at <= _LATEST and 0 <= (measured_at or 0) <= _LATEST):
            raise MalformedMessage("its time is before 1970, or after the year 9999")
