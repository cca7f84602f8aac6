"""ChirpStack's events on their way to the fleet, from MQTT or by HTTP, and commands on their way to ChirpStack."""

from parvis.connectors.chirpstack.client import ChirpStackCommands
from parvis.connectors.chirpstack.codec import decode_event, decode_gateway_stats
from parvis.fleet.model.delivery import Message, Route
from parvis.fleet.model.events import Told
from parvis.fleet.ways.connector import Connector, Post, Surroundings, webhook_of
from parvis.fleet.ways.intake import UplinkIntake
from parvis.kernel.errors import BadRequestData

EVENT_TOPICS = "application/+/device/+/event/+"
"""The default `event_topic` of ChirpStack's MQTT integration."""
GATEWAY_TOPICS = ("gateway/+/event/stats", "+/gateway/+/event/stats")
"""Of a ChirpStack Gateway Bridge or MQTT Forwarder, without and with the region as prefix."""


def build(surroundings: Surroundings) -> Connector:
    events = UplinkIntake(surroundings.fleet, _read_event, surroundings.reactions)
    gateways = UplinkIntake(surroundings.fleet, _read_stats, surroundings.reactions)
    routes = [Route(EVENT_TOPICS, events.handle), *(Route(topics, gateways.handle) for topics in GATEWAY_TOPICS)]
    webhooks = {"": webhook_of(events.handle, _topic)}
    return Connector("chirpstack", routes, webhooks, sender=ChirpStackCommands(surroundings.outlet))


def _read_event(message: Message) -> list[Told]:
    return decode_event(message.topic.rpartition("/")[2], message.payload, message.received_at)


def _read_stats(message: Message) -> list[Told]:
    return decode_gateway_stats(message.payload, message.received_at)


def _topic(post: Post) -> str:
    """As its MQTT topic ends: ChirpStack names the event beside the body."""
    event = post.query.get("event")
    if event is None:
        raise BadRequestData("ChirpStack says in the query which event it is: ?event=up.")
    return f"{post.path}/{event}"
