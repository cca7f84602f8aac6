"""What a client may publish and subscribe to: by its rights, by the device its credential is bound to, by rules."""

from collections.abc import Callable, Sequence
from functools import lru_cache

import msgspec

from parvis.fleet.model.uplink import plain_hardware_id
from parvis.kernel.identity import Caller, Right
from parvis.kernel.settings import InvalidSettings
from parvis.mqttwire.topics import covers, is_filter, matches, split_shared

_HARDWARE_ID, _CLIENT_ID = "{hardware_id}", "{client_id}"
BOUND_DEVICE = "device"
"""In place of a subject: every credential that is bound to one device."""
DEVICE_BRANCH = "device/"
_OWN_TOPICS = (f"{DEVICE_BRANCH}{_HARDWARE_ID}/#",)
COMMAND_TOPICS = (
    "device/+/down",
    "application/+/device/+/command/#",
    "v3/+/devices/+/down/#",
    "gateway/+/command/#",
    "+/gateway/+/command/#",
    "v3/+/devices/+/down/push",
)
"""What a network server or a gateway hears: commands, in the platform's form, ChirpStack's and The Things Stack's."""
_ORDERS = (
    "device/+/down/#",
    "application/+/device/+/command/#",
    "v3/+/devices/+/down/push",
    "v3/+/devices/+/down/replace",
)
"""What makes a device do something. Network servers send their gateways theirs, which carry sealed frames."""
_TOPICS_REMEMBERED = 256


class Rule(msgspec.Struct, frozen=True):
    """`subject` may publish or subscribe to what `topic_filter` covers."""

    subject: str
    may_publish: bool
    may_subscribe: bool
    topic_filter: str


class Rules(msgspec.Struct, frozen=True):
    by_subject: dict[str, tuple[Rule, ...]] = {}


NO_RULES = Rules()
_ACTIONS = {"publish": (True, False), "subscribe": (False, True), "both": (True, True)}


class TopicRights(msgspec.Struct, frozen=True):
    """`publish` and `subscribe` answer for a topic and for a filter; `publishes_all` spares asking."""

    publishes_all: bool
    publish: Callable[[str], bool]
    subscribe: Callable[[str], bool]


def read_rules(lines: Sequence[str]) -> Rules:
    """Of lines SUBJECT publish|subscribe|both FILTER. Raises InvalidSettings."""
    by_subject: dict[str, tuple[Rule, ...]] = {}
    for line in lines:
        rule = _read_rule(line)
        by_subject[rule.subject] = (*by_subject.get(rule.subject, ()), rule)
    return Rules(by_subject)


def _read_rule(line: str) -> Rule:
    words = line.split(maxsplit=2)
    if len(words) != 3 or words[1] not in _ACTIONS or not is_filter(words[2]):
        raise InvalidSettings(
            f"mqtt.rules: {line!r} is no rule. One says SUBJECT publish|subscribe|both FILTER, for instance"
            ' "key:1a2b3c4d publish gateways/north/#".'
        )
    return Rule(words[0], *_ACTIONS[words[1]], words[2])


def rights_of(caller: Caller, client_id: str, rules: Rules) -> TopicRights:
    """Rules for a subject stand in place of its defaults; those for bound devices come beside their own topics."""
    stated = rules.by_subject.get(caller.subject)
    if stated is None and caller.device:
        own = [Rule(BOUND_DEVICE, True, True, topic_filter) for topic_filter in _OWN_TOPICS]
        stated = (*own, *rules.by_subject.get(BOUND_DEVICE, ()))
    if stated is None:
        return _by_rights(caller)
    publish = [_filled(one, caller, client_id) for one in stated if one.may_publish and caller.may_deliver]
    subscribe = [_filled(one, caller, client_id) for one in stated if one.may_subscribe]
    return TopicRights(False, _any_matches(publish), _any_covers(subscribe))


def _by_rights(caller: Caller) -> TopicRights:
    """Who delivers for many devices publishes what it likes but commands, and hears those; all else takes the right to
    read, or to command."""
    may_publish = _publishing(caller)
    publishes_all = may_publish is _anything
    if Right.READ in caller.everywhere:
        return TopicRights(publishes_all, may_publish, _anything)
    subscribe = _any_covers(COMMAND_TOPICS if caller.may_deliver else ())
    return TopicRights(publishes_all, may_publish, subscribe)


def _publishing(caller: Caller) -> Callable[[str], bool]:
    if not caller.may_deliver:
        return _nothing
    return _anything if Right.COMMAND in caller.everywhere else _no_order


def _anything(_topic: str) -> bool:
    return True


def _nothing(_topic: str) -> bool:
    return False


def _no_order(topic: str) -> bool:
    if "/down" not in topic and "/command" not in topic:
        return True
    return not any(matches(one, topic) for one in _ORDERS)


def _filled(rule: Rule, caller: Caller, client_id: str) -> str:
    """A name with wildcards or levels in it reaches nothing beyond itself."""
    filled = rule.topic_filter
    for variable, value in ((_HARDWARE_ID, caller.device), (_CLIENT_ID, client_id)):
        if variable in filled:
            if not value or set(value) & set("+#/"):
                return ""
            filled = filled.replace(variable, value)
    return filled


def _any_matches(filters: Sequence[str]) -> Callable[[str], bool]:
    known = [one for one in filters if one]

    @lru_cache(_TOPICS_REMEMBERED if known else 0)
    def is_allowed(topic: str) -> bool:
        plain = plain_topic(topic)
        return any(matches(one, topic) or matches(one, plain) for one in known)

    return is_allowed


def plain_topic(topic: str) -> str:
    """Of a device's own topics that under which it is known, however it writes its EUI."""
    if not topic.startswith(DEVICE_BRANCH):
        return topic
    branch, name, *rest = topic.split("/", 2)
    return "/".join((branch, plain_hardware_id(name), *rest))


def _any_covers(filters: Sequence[str]) -> Callable[[str], bool]:
    known = [one for one in filters if one]

    def is_allowed(topic_filter: str) -> bool:
        shared = split_shared(topic_filter)
        wanted = topic_filter if shared is None else shared[1]
        return any(covers(one, wanted) for one in known)

    return is_allowed
