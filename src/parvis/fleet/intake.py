"""Messages of a network server on their way to the fleet: those of one caller share a write."""

from collections.abc import Callable, Sequence

from parvis.fleet.delivery import Ack, Message
from parvis.fleet.fleet import Fleet
from parvis.fleet.uplink import Uplink
from parvis.kernel.errors import Overloaded


class MalformedMessage(Exception):
    """It is not what its topic or path promises."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


ReadUplinks = Callable[[Message], Sequence[Uplink]]
"""The frames of one message, none where it is of another kind. Raises MalformedMessage."""


class UplinkIntake:
    """A Handler of messages that carry frames."""

    def __init__(self, fleet: Fleet, read: ReadUplinks) -> None:
        self._fleet = fleet
        self._read = read

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
        uplinks: list[Uplink] = []
        of_message: list[int] = []
        malformed: list[tuple[Message, str]] = []
        for index, message in enumerate(messages):
            try:
                frames = self._read(message)
            except MalformedMessage as error:
                malformed.append((message, error.detail))
                acks[index] = Ack.REFUSED
            else:
                uplinks += frames
                of_message += [index] * len(frames)
        caller = messages[0].caller
        if malformed:
            await self._fleet.refuse_messages(caller, malformed)
        if uplinks:
            await self._store(messages[0], uplinks, of_message, acks)
        return acks

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
