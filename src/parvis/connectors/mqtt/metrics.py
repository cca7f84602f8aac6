"""What the listener counts."""

from prometheus_client import Counter, Gauge

CLIENTS = Gauge("parvis_mqtt_clients", "MQTT clients connected.")
MESSAGES_IN = Counter("parvis_mqtt_messages_received_total", "MQTT messages received.")
MESSAGES_OUT = Counter("parvis_mqtt_messages_sent_total", "MQTT messages sent to subscribers.")
DROPPED = Counter("parvis_mqtt_messages_dropped_total", "MQTT messages a slow subscriber did not get.")
UNROUTED = Counter(
    "parvis_mqtt_messages_unrouted_total", "MQTT messages of a topic that no part of the platform stores."
)
OVERLOADED = Counter("parvis_mqtt_messages_overloaded_total", "MQTT messages not taken because the store was too busy.")
FAILED = Counter("parvis_mqtt_messages_failed_total", "MQTT messages not taken because of a fault of the platform.")
PROTOCOL_ERRORS = Counter(
    "parvis_mqtt_protocol_errors_total", "MQTT connections closed for a protocol error.", ["reason"]
)
REFUSED_CONNECTIONS = Counter("parvis_mqtt_connections_refused_total", "MQTT connections refused.", ["reason"])
SESSIONS_KEPT = Gauge("parvis_mqtt_sessions_kept", "MQTT sessions that outlive their connection.")
SESSIONS_EXPIRED = Counter("parvis_mqtt_sessions_expired_total", "MQTT sessions for which nobody came back in time.")
EXPIRED = Counter("parvis_mqtt_messages_expired_total", "MQTT messages that expired before their subscriber took them.")
NOT_RETAINED = Counter("parvis_mqtt_messages_not_retained_total", "MQTT messages not retained for lack of room.")
SHARE_USED = Gauge("parvis_mqtt_share_used", "What a tenant takes of the listener's bounds.", ["tenant", "what"])
SHARE_REFUSED = Counter(
    "parvis_mqtt_share_refused_total",
    "What a tenant did not get of the listener's bounds, for its share was used up.",
    ["tenant", "what"],
)
NOT_ALLOWED = Counter(
    "parvis_mqtt_not_allowed_total", "Publications and subscriptions that a client had no right to.", ["what"]
)
