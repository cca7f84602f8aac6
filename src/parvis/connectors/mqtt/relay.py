"""The listeners of several processes as one: each tells the others what its clients want, and passes on only that.

What is passed on arrives at most once: a message is lost to a subscriber elsewhere when its process dies, or when the
processes do not hear each other, before it is told. That it is stored does not depend on it.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol

import msgspec

from parvis.connectors.mqtt.groups import Group, groups_for
from parvis.connectors.mqtt.records import Client
from parvis.kernel.bus import Bus
from parvis.mqttwire.packets import Publish
from parvis.mqttwire.topics import matches

ALIVE_EVERY_S = 2.0
SILENT_AFTER_S = 7.0
ANNOUNCE_AFTER_S = 0.02
"""Subscriptions that come together are told together."""
CLAIM_HEARD_AFTER_S = 5.0
_TOPICS_REMEMBERED = 65_536


class Alive(msgspec.Struct, tag="alive", array_like=True):
    version: int


class Interest(msgspec.Struct, tag="interest", array_like=True):
    """Everything the clients of a process want; replaces what it told before."""

    version: int
    filters: list[tuple[str, str]]
    groups: list[Group]


class Hello(msgspec.Struct, tag="hello", array_like=True):
    """Asks for the interest of all, and on starting for the retained messages."""

    is_new: bool


class News(msgspec.Struct, tag="news", array_like=True):
    """A message for whoever subscribed, and for one member of each of `groups` at the process that is named.

    One that `is_kept` is a retained message of before.
    """

    tenant: str
    topic: str
    payload: bytes
    qos: int
    retain: bool
    properties: dict[int, Any]
    groups: list[tuple[Group, str]] = []
    is_kept: bool = False


class Claim(msgspec.Struct, tag="claim", array_like=True):
    """A client has connected: the session of the same name that was claimed before ends (3.1.4)."""

    tenant: str
    client_id: str
    number: int


class Released(msgspec.Struct, tag="released", array_like=True):
    """The session of a client that has connected elsewhere is durable, and this process has let it go."""

    tenant: str
    client_id: str


class Bye(msgspec.Struct, tag="bye", array_like=True):
    pass


_decode = msgspec.msgpack.Decoder(Alive | Interest | Hello | News | Claim | Released | Bye).decode
_encode = msgspec.msgpack.Encoder().encode


class Local(Protocol):
    """What the relay asks of the listener beside it."""

    take_over: Callable[[Client], None]
    hear_released: Callable[[Client], None]

    def list_interest(self) -> tuple[set[tuple[str, str]], list[Group]]: ...

    def list_retained(self) -> Iterator[tuple[str, Publish]]: ...

    def hear(self, tenant: str, publish: Publish, groups: Iterable[Group]) -> None: ...

    def keep(self, tenant: str, publish: Publish) -> None: ...


class _Peer:
    def __init__(self, heard_at_s: float) -> None:
        self.heard_at_s = heard_at_s
        self.version = -1
        self.filters: list[tuple[str, str]] = []
        self.groups: list[Group] = []


class _Held:
    """A claim of ours: heard on the bus, or old enough that it was lost there."""

    def __init__(self, number: int, is_heard_at_s: float) -> None:
        self.number = number
        self.is_heard_at_s = is_heard_at_s


class Relay:
    """Until `run` is cancelled."""

    def __init__(self, bus: Bus, local: Local) -> None:
        self._bus = bus
        self._local = local
        self._loop = asyncio.get_running_loop()
        self._peers: dict[str, _Peer] = {}
        self._version = 0
        self._is_announcing = False
        self._wanted: dict[tuple[str, str], bool] = {}
        self._claims: dict[Client, _Held] = {}
        self._claimed = 0
        self._is_over = False
        bus.listen(self._hear)

    async def run(self) -> None:
        self._tell(Hello(is_new=True))
        try:
            while True:
                self._tell(Alive(self._version))
                self._forget_silent()
                await asyncio.sleep(ALIVE_EVERY_S)
        finally:
            self._tell(Bye())
            self._is_over = True

    def changed(self) -> None:
        """The clients here want something else now."""
        if not self._is_announcing:
            self._is_announcing = True
            self._version += 1
            self._loop.call_later(ANNOUNCE_AFTER_S, self._announce)

    def claim(self, client: Client) -> None:
        self._claimed += 1
        self._claims[client] = _Held(self._claimed, self._loop.time() + CLAIM_HEARD_AFTER_S)
        self._tell(Claim(*client, self._claimed))

    def release(self, client: Client) -> None:
        self._claims.pop(client, None)

    def tell_released(self, client: Client) -> None:
        self._tell(Released(*client))

    def is_alive(self, process: str) -> bool:
        """Whether another process of that name is there."""
        return process in self._peers

    def publish(self, tenant: str, publish: Publish, served: set[Group]) -> bool:
        """Pass a message on to where it is wanted; groups in `served` have had it. Whether it is."""
        if not self._peers or not (publish.retain or self._is_wanted(tenant, publish.topic)):
            return False
        open_groups = {
            group: process
            for process, peer in self._peers.items()
            for group in groups_for(iter(peer.groups), tenant, publish.topic)
            if group not in served
        }
        self._tell(_news(tenant, publish, list(open_groups.items())))
        return True

    def _is_wanted(self, tenant: str, topic: str) -> bool:
        known = self._wanted.get((tenant, topic))
        if known is None:
            if len(self._wanted) >= _TOPICS_REMEMBERED:
                self._wanted.clear()
            known = self._wanted[tenant, topic] = any(
                owner == tenant and matches(topic_filter, topic)
                for peer in self._peers.values()
                for owner, topic_filter in (*peer.filters, *((one.tenant, one.topic_filter) for one in peer.groups))
            )
        return known

    def _announce(self) -> None:
        self._is_announcing = False
        filters, groups = self._local.list_interest()
        self._tell(Interest(self._version, sorted(filters), groups))

    def _tell(self, message: msgspec.Struct) -> None:
        """Nothing after Bye: who hears of this process would take it to be there."""
        if not self._is_over:
            self._bus.tell(_encode(message))

    def _hear(self, sender: str, message: bytes) -> None:
        """What a process of another version tells may be unknown here."""
        try:
            heard = _decode(message)
        except msgspec.DecodeError:
            return
        if isinstance(heard, Claim):
            self._on_claim(sender, heard)
        elif sender != self._bus.process:
            self._on_peer(sender, heard)

    def _on_peer(self, sender: str, heard: Alive | Interest | Hello | News | Released | Bye) -> None:
        if isinstance(heard, Bye):
            self._peers.pop(sender, None)
            self._wanted.clear()
            return
        peer = self._peers.setdefault(sender, _Peer(self._loop.time()))
        peer.heard_at_s = self._loop.time()
        match heard:
            case Alive():
                if heard.version != peer.version:
                    self._tell(Hello(is_new=False))
            case Interest():
                peer.version, peer.filters, peer.groups = heard.version, heard.filters, heard.groups
                self._wanted.clear()
            case Hello():
                self._announce()
                if heard.is_new and self._answers_for_all(sender):
                    for tenant, publish in self._local.list_retained():
                        self._tell(_news(tenant, publish, [], is_kept=True))
            case News():
                self._on_news(heard)
            case Released():
                self._local.hear_released((heard.tenant, heard.client_id))

    def _on_news(self, news: News) -> None:
        publish = Publish(news.topic, news.payload, news.qos, news.retain, properties=news.properties)
        if news.is_kept:
            self._local.keep(news.tenant, publish)
        else:
            own = self._bus.process
            self._local.hear(news.tenant, publish, [group for group, process in news.groups if process == own])

    def _on_claim(self, sender: str, claim: Claim) -> None:
        """The order on the bus decides, which is the same for all: the last claim holds."""
        client = (claim.tenant, claim.client_id)
        held = self._claims.get(client)
        if sender == self._bus.process:
            if held is not None and claim.number == held.number:
                held.is_heard_at_s = 0.0
        elif held is None or held.is_heard_at_s <= self._loop.time():
            self._claims.pop(client, None)
            self._local.take_over(client)

    def _answers_for_all(self, newcomer: str) -> bool:
        return all(self._bus.process < name for name in self._peers if name != newcomer)

    def _forget_silent(self) -> None:
        silent_s = self._loop.time() - SILENT_AFTER_S
        gone = [name for name, peer in self._peers.items() if peer.heard_at_s < silent_s]
        for name in gone:
            del self._peers[name]
        if gone:
            self._wanted.clear()


def _news(tenant: str, publish: Publish, groups: list[tuple[Group, str]], *, is_kept: bool = False) -> News:
    properties = dict(publish.properties)
    return News(tenant, publish.topic, publish.payload, publish.qos, publish.retain, properties, groups, is_kept)
