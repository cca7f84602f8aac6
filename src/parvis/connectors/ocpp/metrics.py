"""What the central system counts."""

from prometheus_client import Counter

REFUSED = Counter("parvis_ocpp_connections_refused_total", "Connections of charging stations refused.", ["reason"])
MALFORMED = Counter(
    "parvis_ocpp_messages_refused_total",
    "Messages of charging stations that are none, or that break their schema.",
    ["reason"],
)
SKIPPED = Counter("parvis_ocpp_values_skipped_total", "Values of charging stations that are no numbers.")
UNSTORED = Counter(
    "parvis_ocpp_unanswered_total", "Messages left without an answer, for they could not be stored: they come again."
)
