"""Live Objects' data messages on their way to the fleet, and commands on their way to Live Objects."""

from parvis.connectors.liveobjects.client import LiveObjectsCommands
from parvis.connectors.liveobjects.codec import read_message
from parvis.connectors.liveobjects.config import LiveObjectsConfig
from parvis.fleet.model.delivery import Route
from parvis.fleet.ways.connector import Connector, Post, Surroundings, read_config, webhook_of
from parvis.fleet.ways.intake import UplinkIntake

TOPICS = ("fifo/+", "router/~event/v1/data/new/#")
"""Of Live Objects' MQTT interface for applications: a queue by its name, or all new data."""


def build(surroundings: Surroundings) -> Connector:
    config = read_config(surroundings, LiveObjectsConfig)
    intake = UplinkIntake(surroundings.fleet, read_message, surroundings.reactions)
    routes = [Route(topic, intake.handle) for topic in TOPICS]
    sender = LiveObjectsCommands(config, surroundings.outbound)
    return Connector("liveobjects", routes, {"": webhook_of(intake.handle, _topic)}, sender=sender)


def _topic(post: Post) -> str:
    return post.path
