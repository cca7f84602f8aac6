"""What the CoAP server counts."""

from prometheus_client import Counter, Gauge

REQUESTS = Counter("parvis_coap_requests_total", "CoAP requests, by the code of their answer.", ["code"])
REGISTRATIONS = Gauge("parvis_lwm2m_registrations", "LwM2M devices that are registered.")
NOTIFICATIONS = Counter("parvis_lwm2m_notifications_total", "Notifications of LwM2M devices.")
UNREAD = Counter("parvis_lwm2m_notifications_unread_total", "Notifications that could not be read.")
LOST = Counter("parvis_lwm2m_notifications_lost_total", "Notifications that could not be stored.")
