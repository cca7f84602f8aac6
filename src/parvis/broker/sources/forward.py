"""One call to one context source (NGSI-LD 1.9.1, 4.3.6.6 to 4.3.6.8, 6.3.14, 6.3.17 and 6.3.18)."""

import asyncio
import hashlib
from collections.abc import Iterable, Mapping
from typing import Any, Final
from urllib.parse import quote, urlencode

import msgspec
from msgspec.structs import replace

from parvis.broker.jsonld.context import Context, link_to
from parvis.broker.sources import metrics
from parvis.broker.sources.model import Registration
from parvis.broker.sources.remembered import RememberedAnswers, kept_for, question_of
from parvis.broker.subscriptions.notification import context_url
from parvis.kernel.errors import ParvisError
from parvis.kernel.outbound import AddressRefused, Answer, AnswerTooLarge, CallFailed, OutboundCalls
from parvis.kernel.time import SECOND, Clock, Instant, system_clock

API: Final = "/ngsi-ld/v1"
FROM_REQUEST: Final = "urn:ngsi-ld:request"
MOST_REMEMBERED = 10_000
_NOT_FOR_THEM = frozenset({"ngsild-tenant", "via", "link", "host", "content-length", "contenttype", "jsonldcontext"})
_PATIENCE = 3
_PAUSE: Instant = 5 * SECOND
_QUERY = "/entityOperations/query"
_LD_JSON = "application/ld+json"
_JSON = "application/json"


class LoopDetected(ParvisError):
    type_uri = "about:blank"
    title = "The request has come back to where it was"
    status = 508


class Around(msgspec.Struct, frozen=True):
    """What a distributed operation takes from the request that triggers it.

    `alias` is by what this broker knows itself, `via` the brokers the request has passed. `headers` are in lower case.
    """

    tenant: str
    alias: str
    context: Context
    via: tuple[str, ...] = ()
    headers: Mapping[str, str] = {}

    @property
    def is_loop(self) -> bool:
        return self.alias in pseudonyms(self.via)


class Ask(msgspec.Struct, frozen=True):
    """`path` is below /ngsi-ld/v1, encoded. `context` is that of the names in path, query and body."""

    method: str
    path: str
    context: Context
    query: tuple[tuple[str, str], ...] = ()
    body: Any = None

    @property
    def is_question(self) -> bool:
        """It changes nothing."""
        return self.method == "GET" or self.path == _QUERY


class Answered(msgspec.Struct, frozen=True):
    """`code` is that of the NGSILD-Warning which a failure is worth (6.3.17); then there is no answer, or a useless
    one."""

    registration: Registration
    answer: Answer | None = None
    code: int = 0
    reason: str = ""


class Health(msgspec.Struct, frozen=True):
    """How calls to a source went, since this process has begun (5.2.9)."""

    times_sent: int = 0
    times_failed: int = 0
    last_success: Instant | None = None
    last_failure: Instant | None = None

    @property
    def is_failing(self) -> bool:
        return (self.last_failure or 0) > (self.last_success or 0)


class SourceClient:
    """Bounded in calls at once, in time and in size; a source that has failed several times is left alone a while."""

    def __init__(
        self,
        http: OutboundCalls,
        clock: Clock = system_clock,
        *,
        timeout_s: float = 5.0,
        limit_bytes: int = 16 << 20,
        at_once: int = 64,
    ) -> None:
        self._http = http
        self._clock = clock
        self._timeout_s = timeout_s
        self._limit_bytes = limit_bytes
        self._room = asyncio.Semaphore(at_once)
        self._failures: dict[tuple[str, str], int] = {}
        self._resting: dict[tuple[str, str], Instant] = {}
        self._health: dict[tuple[str, str], Health] = {}
        self._remembered = RememberedAnswers(clock)

    async def ask(self, registration: Registration, ask: Ask, around: Around) -> Answered:
        """Never raises: what fails is told with the code of its warning."""
        duration = kept_for(registration) if ask.is_question else 0
        if not duration:
            return await self._ask_once(registration, ask, around)
        question = question_of(registration, *_request(registration, ask, around))
        remembered = self._remembered.find(question)
        if remembered is not None:
            return Answered(registration, remembered)
        answered = await self._ask_once(registration, ask, around)
        if answered.answer is not None and answered.answer.status == 200:
            self._remembered.keep(question, answered.answer, duration)
        return answered

    async def _ask_once(self, registration: Registration, ask: Ask, around: Around) -> Answered:
        key = registration.tenant, registration.id
        if self._clock() < self._resting.get(key, 0):
            return Answered(registration, None, 199, "It is not asked just now, for it has failed.")
        answered = await self._ask(registration, ask, around)
        self._note(key, answered)
        return answered

    def find_health(self, registration: Registration) -> Health | None:
        """None where this process has not called it."""
        return self._health.get((registration.tenant, registration.id))

    async def _ask(self, registration: Registration, ask: Ask, around: Around) -> Answered:
        try:
            async with self._room:
                answer = await self._call(registration, ask, around)
        except AnswerTooLarge as failure:
            return Answered(registration, None, 111, failure.detail)
        except AddressRefused as failure:
            return Answered(registration, None, 299, failure.detail)
        except CallFailed as failure:
            self._note_failure(registration)
            return Answered(registration, None, 199, failure.detail)
        if answer.status >= 500 and registration.cooldown is not None:
            self._note_failure(registration)
        else:
            self._failures.pop((registration.tenant, registration.id), None)
        return Answered(registration, answer)

    def _note(self, key: tuple[str, str], answered: Answered) -> None:
        metrics.CALLS.inc()
        if len(self._health) >= MOST_REMEMBERED:
            self._health.clear()
        before, now = self._health.get(key, _UNCALLED), self._clock()
        answer = answered.answer
        if answer is not None and (answer.status < 400 or answer.status == 404):
            self._health[key] = replace(before, times_sent=before.times_sent + 1, last_success=now)
            return
        metrics.FAILED.inc()
        self._health[key] = replace(
            before, times_sent=before.times_sent + 1, times_failed=before.times_failed + 1, last_failure=now
        )

    async def _call(self, registration: Registration, ask: Ask, around: Around) -> Answer:
        return await self._http.call(
            *_request(registration, ask, around),
            timeout_s=registration.timeout_s or self._timeout_s,
            limit_bytes=self._limit_bytes,
        )

    def _note_failure(self, registration: Registration) -> None:
        key = registration.tenant, registration.id
        if len(self._failures) >= MOST_REMEMBERED:
            self._failures.clear()
            self._resting.clear()
        self._failures[key] = count = self._failures.get(key, 0) + 1
        pause = registration.cooldown or (_PAUSE if count >= _PATIENCE else 0)
        if pause:
            self._resting[key] = self._clock() + pause


_UNCALLED = Health()


def alias_of(mark: str, tenant: str) -> str:
    """A name for this broker and tenant that no other has (5.15)."""
    return f"parvis-{hashlib.blake2b(f'{mark} {tenant}'.encode(), digest_size=8).hexdigest()}"


def pseudonyms(via: Iterable[str]) -> set[str]:
    """Of entries such as "1.1 parvis-3f" (RFC 9110, 7.6.3)."""
    return {words[1] for entry in via if len(words := entry.split()) > 1}


def read_via(header: str) -> tuple[str, ...]:
    return tuple(entry.strip() for entry in header.split(",") if entry.strip())


def source_context(registration: Registration) -> str | None:
    """The @context that the source wants names in, where it says so."""
    return _info(registration).get("jsonldcontext")


def url_of(registration: Registration, ask: Ask) -> str:
    base = registration.endpoint.rstrip("/")
    root = base if base.endswith(API) else base + API
    query = [*ask.query, ("local", "true")] if registration.is_local_only else ask.query
    return f"{root}{ask.path}?{urlencode(query, quote_via=quote, safe=':,')}" if query else f"{root}{ask.path}"


def headers_of(registration: Registration, ask: Ask, around: Around) -> dict[str, str]:
    info = _info(registration)
    found = {
        key: around.headers.get(key.lower(), "") if value == FROM_REQUEST else value
        for key, value in registration.source_info
        if key.lower() not in _NOT_FOR_THEM
    }
    headers = {key: value for key, value in found.items() if value}
    if not any(key.lower() == "accept" for key in headers):
        headers["Accept"] = _JSON
    headers["Via"] = ", ".join([*around.via, f"1.1 {around.alias}"])
    if registration.source_tenant is not None:
        headers["NGSILD-Tenant"] = registration.source_tenant
    is_inside = ask.body is not None and _is_inside(registration, ask, info)
    if ask.body is not None:
        headers["Content-Type"] = _LD_JSON if is_inside else _JSON
    url = context_url(ask.context.source)
    if not is_inside and url is not None:
        headers["Link"] = link_to(url)
    return headers


def _request(registration: Registration, ask: Ask, around: Around) -> tuple[str, str, dict[str, str], bytes]:
    """Method, address, headers and body."""
    body = b"" if ask.body is None else msgspec.json.encode(_body(registration, ask))
    return ask.method, url_of(registration, ask), headers_of(registration, ask, around), body


def _info(registration: Registration) -> dict[str, str]:
    return {key.lower().replace("-", ""): value for key, value in registration.source_info}


def _is_inside(registration: Registration, ask: Ask, info: Mapping[str, str]) -> bool:
    """Whether the @context goes into the body: where the source wants it so, or no header can name it."""
    return info.get("contenttype") == _LD_JSON or context_url(ask.context.source) is None


def _body(registration: Registration, ask: Ask) -> Any:
    if not _is_inside(registration, ask, _info(registration)):
        return ask.body
    member = {"@context": ask.context.source}
    if isinstance(ask.body, list):
        return [{**member, **one} if isinstance(one, dict) else one for one in ask.body]
    return {**member, **ask.body}
