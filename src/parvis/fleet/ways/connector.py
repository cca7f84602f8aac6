"""A way in, as each folder of `parvis.connectors` gives it to the platform, and what it may use."""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, assert_never

import msgspec

from parvis.broker.broker import Broker
from parvis.broker.leading import Work
from parvis.fleet.commands.downlink import CommandSender
from parvis.fleet.fleet import Fleet
from parvis.fleet.model.delivery import Ack, Handler, Message, Outlet, Route
from parvis.fleet.network.reactions import Reactions
from parvis.kernel.errors import PARVIS_ERRORS, BadRequestData, Overloaded, ParvisError
from parvis.kernel.identity import Caller
from parvis.kernel.jobs import JobDoor
from parvis.kernel.outbound import OutboundHttp
from parvis.kernel.shelf import Shelf
from parvis.kernel.time import Instant

Config = TypeVar("Config", bound=msgspec.Struct)
Word = TypeVar("Word", str, int)
_AFTER_A_FAULT_S = 30


class Post(msgspec.Struct, frozen=True):
    """What was posted to `/api/connectors/<name>/<path>`, in whose name. Header names are in lower case."""

    caller: Caller
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    received_at: Instant


class Answer(msgspec.Struct, frozen=True):
    status: int = 204
    body: bytes = b""
    media_type: str = "application/json"


Webhook = Callable[[Post], Awaitable[Answer]]
"""Takes a request once it is durable, or refused and kept. May raise any ParvisError."""


@dataclass(frozen=True, slots=True)
class Connector:
    """`routes` are MQTT topics it takes messages of, `webhooks` requests by their path below its own.

    `works` run until cancelled, each in one process at a time; what fails begins again. `sender` takes
    commands down to devices that were heard by this way; where it `sends_by_its_works`, over what they hold open, they
    run in the process that sends commands.
    """

    name: str
    routes: Sequence[Route] = ()
    webhooks: Mapping[str, Webhook] = field(default_factory=dict)
    works: Mapping[str, Work] = field(default_factory=dict)
    sender: CommandSender | None = None
    sends_by_its_works: bool = False


Authenticate = Callable[[bytes], Caller | None]
"""Whom an API key is of; None where it opens nothing."""


def nobody(key: bytes) -> Caller | None:
    return None


IsInForce = Callable[[Caller], bool]
"""Whether the key that a caller once showed still opens. Raises Overloaded."""


def anybody(caller: Caller) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a connector may use. `table` is `[connectors.<name>]` of the settings, empty where there is none; `routes`
    are those of all connectors that are on, once they are built. `reactions` are to what is told beside frames,
    `outlet` leads to the clients of the platform's MQTT listener, `jobs` takes work that runs later, `authenticate`
    tells whom an API key is of, `is_in_force` whether it still is, `shelf` keeps small records over a restart."""

    fleet: Fleet
    broker: Broker
    outbound: OutboundHttp
    data_dir: Path
    table: Mapping[str, Any]
    routes: Callable[[], Sequence[Route]] = tuple
    reactions: Reactions | None = None
    outlet: Outlet = field(default_factory=Outlet)
    jobs: JobDoor | None = None
    authenticate: Authenticate = nobody
    shelf: Shelf | None = None
    is_in_force: IsInForce = anybody


Build = Callable[[Surroundings], Connector]
"""`build` of a connector's `plugin.py`. Raises InvalidConnector for settings that it cannot use."""


class InvalidConnector(ParvisError):
    type_uri = PARVIS_ERRORS + "invalid-connector"
    title = "The settings of a connector cannot be used"
    status = 400


def read_config(surroundings: Surroundings, wanted: type[Config]) -> Config:
    """The connector's settings. Raises InvalidConnector, which says what is wrong with them."""
    try:
        return msgspec.convert(dict(surroundings.table), wanted)
    except msgspec.ValidationError as error:
        raise InvalidConnector(str(error)) from None
    except BadRequestData as error:
        raise InvalidConnector(error.detail) from None


def find_repeated(words: Iterable[Word]) -> Word | None:
    """The least of those that are there more than once."""
    return min((word for word, times in Counter(words).items() if times > 1), default=None)


def webhook_of(handler: Handler, topic: Callable[[Post], str | None]) -> Webhook:
    """A webhook whose body is a message of `handler`; where there is no topic it is passed over."""

    async def take(post: Post) -> Answer:
        named = topic(post)
        if named is None:
            return Answer()
        (ack,) = await handler([Message(post.caller, named, post.body, post.received_at)])
        return _answer(ack)

    return take


def _answer(ack: Ack) -> Answer:
    match ack:
        case Ack.STORED:
            return Answer(204)
        case Ack.REFUSED:
            return Answer(202)
        case Ack.OVERLOADED:
            raise Overloaded("Too many frames wait for their commit. Send this one again.")
        case Ack.FAILED:
            raise Overloaded("A fault of the platform has kept this from the disk. Send it again.", _AFTER_A_FAULT_S)
        case _:
            assert_never(ack)
