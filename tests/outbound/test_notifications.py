"""What a receiver's answer means."""

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest

from parvis.broker.ports.notifications import Verdict
from parvis.broker.subscriptions.model import Endpoint
from parvis.kernel.outbound import OK, AddressRefused, Answer, CallFailed
from parvis.outbound.notifications import HttpNotifications, wait_s

NOW = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)


class Calls:
    """Answers every POST alike, or fails it."""

    def __init__(self, answer: Answer | Exception) -> None:
        self._answer = answer
        self.headers: Mapping[str, str] = {}
        self.limit_s: float | None = None

    async def get(
        self,
        url: str,
        *,
        accept: tuple[str, ...] = (),
        headers: Mapping[str, str] | None = None,
        statuses: frozenset[int] = OK,
        limit_bytes: int | None = None,
    ) -> Answer:
        raise NotImplementedError

    async def post(
        self, url: str, body: bytes, headers: Mapping[str, str], *, timeout_s: float | None = None
    ) -> Answer:
        self.headers, self.limit_s = headers, timeout_s
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer

    async def check(self, url: str) -> None:
        raise NotImplementedError


def answered(status: int, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, "", b"", "https://receiver.example/", named)


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (answered(200), Verdict.TAKEN),
        (answered(204), Verdict.TAKEN),
        (answered(301), Verdict.REFUSED),
        (answered(400), Verdict.REFUSED),
        (answered(404), Verdict.REFUSED),
        (answered(408), Verdict.LATER),
        (answered(410), Verdict.REFUSED),
        (answered(429), Verdict.LATER),
        (answered(500), Verdict.LATER),
        (answered(503), Verdict.LATER),
        (CallFailed("It is away."), Verdict.LATER),
        (AddressRefused("It is private."), Verdict.REFUSED),
    ],
)
async def test_every_answer_has_its_meaning(answer: Answer | Exception, verdict: Verdict) -> None:
    receipt = await HttpNotifications(Calls(answer)).send(Endpoint("https://receiver.example/"), {}, b"{}")
    assert receipt.verdict is verdict
    assert bool(receipt.reason) is (verdict is not Verdict.TAKEN)


async def test_the_receiver_says_for_how_long_it_wants_peace() -> None:
    calls = Calls(answered(429, retry_after="7"))
    receipt = await HttpNotifications(calls).send(Endpoint("https://receiver.example/"), {}, b"{}")
    assert receipt.wait_s == 7


async def test_the_endpoints_own_headers_and_time_limit_are_kept() -> None:
    calls = Calls(answered(200))
    endpoint = Endpoint("https://receiver.example/", timeout_ms=1500, receiver_info=(("x-key", "k"),))
    await HttpNotifications(calls).send(endpoint, {"Content-Type": "application/json"}, b"{}")
    assert calls.headers == {"Content-Type": "application/json", "x-key": "k"}
    assert calls.limit_s == 1.5


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("120", 120),
        ("999999", 3600),
        ("Sun, 01 Nov 2026 12:00:30 GMT", 30),
        ("Sun, 01 Nov 2026 11:00:00 GMT", 0),
        ("Mon, 01 Jan 2024 00:00:00 +99999999999999999999", 0),
        ("soon", 0),
        ("-5", 0),
        ("²", 0),
        ("", 0),
    ],
)
def test_retry_after_in_both_of_its_forms(text: str, seconds: float) -> None:
    assert wait_s(text, NOW) == seconds
