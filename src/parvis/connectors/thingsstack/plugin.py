"""The Things Stack's messages on their way to the fleet, and commands on their way to The Things Stack."""

from parvis.connectors.thingsstack.client import ThingsStackCommands
from parvis.connectors.thingsstack.codec import decode_message
from parvis.connectors.thingsstack.config import ThingsStackConfig
from parvis.fleet.model.delivery import Message, Route
from parvis.fleet.model.events import Told
from parvis.fleet.ways.connector import Connector, Post, Surroundings, read_config, webhook_of
from parvis.fleet.ways.intake import UplinkIntake

TOPICS = tuple(
    f"v3/+/devices/+/{kind}"
    for kind in (
        "up",
        "join",
        "location/solved",
        "down/sent",
        "down/ack",
        "down/nack",
        "down/failed",
        "down/queued",
        "down/invalidated",
        "service/data",
    )
)
"""Of the MQTT server of The Things Stack (its documentation, "MQTT Server")."""


def build(surroundings: Surroundings) -> Connector:
    config = read_config(surroundings, ThingsStackConfig)
    intake = UplinkIntake(surroundings.fleet, _read, surroundings.reactions)
    sender = ThingsStackCommands(config, surroundings.outbound, surroundings.outlet)
    routes = [Route(topic, intake.handle) for topic in TOPICS]
    return Connector("thingsstack", routes, {"": webhook_of(intake.handle, _topic)}, sender=sender)


def _read(message: Message) -> list[Told]:
    return decode_message(message.payload, message.received_at, _tenant_of(message.topic))


def _tenant_of(topic: str) -> str:
    """Of v3/APPLICATION@TENANT/devices/...; an open source deployment names none."""
    levels = topic.split("/")
    return levels[1].partition("@")[2] if levels[0] == "v3" and len(levels) > 1 else ""


def _topic(post: Post) -> str:
    return post.path
