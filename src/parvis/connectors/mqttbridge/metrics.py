"""What the bridge counts, by broker."""

from prometheus_client import Counter, Gauge

CONNECTED = Gauge("parvis_mqttbridge_connected", "1 while messages of the broker are taken, else 0.", ["broker"])
RECEIVED = Counter("parvis_mqttbridge_messages_total", "Messages that came from the broker.", ["broker"])
UNROUTED = Counter(
    "parvis_mqttbridge_messages_unrouted_total", "Messages of a topic that no connector takes.", ["broker"]
)
TOO_LARGE = Counter("parvis_mqttbridge_messages_too_large_total", "Messages larger than is taken.", ["broker"])
GIVEN_UP = Counter(
    "parvis_mqttbridge_messages_given_up_total", "Messages kept as refused after repeated faults.", ["broker"]
)
