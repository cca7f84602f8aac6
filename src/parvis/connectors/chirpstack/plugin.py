"""ChirpStack's events on their way to the fleet, from MQTT or by HTTP."""

from parvis.connectors.chirpstack.codec import decode_uplink
from parvis.fleet.connector import Connector, Post, Surroundings, webhook_of
from parvis.fleet.delivery import Message, Route
from parvis.fleet.intake import UplinkIntake
from parvis.fleet.uplink import Uplink
from parvis.kernel.errors import BadRequestData

UPLINK_TOPICS = "application/+/device/+/event/up"
"""The default `event_topic` of ChirpStack's MQTT integration."""


def build(surroundings: Surroundings) -> Connector:
    intake = UplinkIntake(surroundings.fleet, _read)
    return Connector(
        "chirpstack", [Route(UPLINK_TOPICS, intake.handle)], webhooks={"": webhook_of(intake.handle, _topic)}
    )


def _read(message: Message) -> list[Uplink]:
    return [decode_uplink(message.payload, message.received_at)]


def _topic(post: Post) -> str | None:
    """ChirpStack names the event beside the body; others than `up` are passed over."""
    event = post.query.get("event")
    if event is None:
        raise BadRequestData("ChirpStack says in the query which event it is: ?event=up.")
    return post.path if event == "up" else None
