"""Answers of context sources that want to be asked the same thing seldom (NGSI-LD 1.9.1, 5.2.34, cacheDuration)."""

from collections import OrderedDict
from collections.abc import Hashable, Mapping

from parvis.broker.sources.model import Registration
from parvis.kernel.outbound import Answer
from parvis.kernel.time import Clock, Instant, parse_duration

MOST_BYTES = 32 << 20
_ABOUT_BYTES = 1000
_OF_THE_WAY = frozenset({"via"})


def kept_for(registration: Registration) -> Instant:
    """In microseconds; 0 where every question is to be asked."""
    given = None if registration.management is None else registration.management.cache_duration
    return 0 if given is None else parse_duration(given).span


def question_of(registration: Registration, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Hashable:
    """The same for the same question: whoever asks with other credentials asks something else."""
    told = tuple(sorted((name, value) for name, value in headers.items() if name.lower() not in _OF_THE_WAY))
    return registration.tenant, registration.id, registration.modified_at, method, url, told, body


class RememberedAnswers:
    """Of this process; the oldest go where there are too many. Nothing is asked of it where no source wants it."""

    def __init__(self, clock: Clock, most_bytes: int = MOST_BYTES) -> None:
        self._clock = clock
        self._most_bytes = most_bytes
        self._bytes = 0
        self._answers: OrderedDict[Hashable, tuple[Instant, Answer]] = OrderedDict()

    def find(self, question: Hashable) -> Answer | None:
        found = self._answers.get(question)
        if found is None:
            return None
        ends_at, answer = found
        if self._clock() < ends_at:
            return answer
        self._forget(question)
        return None

    def keep(self, question: Hashable, answer: Answer, duration: Instant) -> None:
        self._forget(question)
        size = _size(answer)
        if size > self._most_bytes:
            return
        while self._bytes + size > self._most_bytes:
            self._forget(next(iter(self._answers)))
        self._answers[question] = self._clock() + duration, answer
        self._bytes += size

    def _forget(self, question: Hashable) -> None:
        found = self._answers.pop(question, None)
        if found is not None:
            self._bytes -= _size(found[1])


def _size(answer: Answer) -> int:
    return len(answer.body) + _ABOUT_BYTES
