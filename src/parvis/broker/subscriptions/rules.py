"""The rules between the members of a subscription (NGSI-LD 1.9.1, 5.2.12, 5.2.14.1, 5.8.1.4 and 7.2)."""

from collections.abc import Callable, Mapping, Sequence

from parvis.broker.jsonld.render import Form
from parvis.broker.subscriptions.model import Subscription
from parvis.kernel.errors import BadRequestData


def check_rules(subscription: Subscription) -> None:
    """Raises BadRequestData."""
    for is_broken, rule in _RULES:
        if is_broken(subscription):
            raise BadRequestData(rule)


def _waits_for_changes_too(one: Subscription) -> bool:
    return one.is_periodic and bool(one.watched or one.throttling_s)


def _goes_too_far(one: Subscription) -> bool:
    params = one.notification
    levels = 0 if params.join is None else params.join_level
    return max(params.pick.depth, params.omit.depth) > levels


def _projects_twice(one: Subscription) -> bool:
    params = one.notification
    is_named_anew = bool(params.attributes and (params.pick.members or params.omit.members))
    return is_named_anew or bool(params.pick.leaves & params.omit.leaves)


def _asks_mqtt_too_much(one: Subscription) -> bool:
    endpoint = one.notification.endpoint
    asked = dict(endpoint.notifier_info) if endpoint.uri.startswith("mqtt") else {}
    return any(asked.get(name, known[0]) not in known for name, known in _MQTT.items())


_MQTT: Mapping[str, Sequence[str]] = {"MQTT-QoS": ("0", "1", "2"), "MQTT-Version": ("mqtt5.0", "mqtt3.1.1")}
_RULES: Sequence[tuple[Callable[[Subscription], bool], str]] = (
    (
        lambda one: not (one.selectors or one.watched or one.local_only),
        "A subscription needs entities or watchedAttributes, or both, unless it is localOnly.",
    ),
    (
        lambda one: one.is_periodic and not (one.selectors or one.local_only),
        "With timeInterval give entities: those that are told of.",
    ),
    (_asks_mqtt_too_much, "In notifierInfo, MQTT-QoS is 0, 1 or 2, and MQTT-Version mqtt3.1.1 or mqtt5.0 (7.2)."),
    (_waits_for_changes_too, "timeInterval notifies by the clock: leave out watchedAttributes and throttling."),
    (_projects_twice, "Of attributes, pick and omit: attributes stands alone, and pick names nothing that omit names."),
    (_goes_too_far, "pick or omit name members of linked entities further away than join and joinLevel go."),
    (
        lambda one: one.notification.show_changes and one.notification.form is Form.SIMPLIFIED,
        "showChanges needs the format normalized or concise: keyValues has no place for what was before.",
    ),
)
