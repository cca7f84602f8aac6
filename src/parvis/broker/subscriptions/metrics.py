"""What becomes of notifications, as monitoring reads it."""

from prometheus_client import Counter

SENT = Counter("parvis_notifications_sent_total", "Notifications that their receiver took.")
FAILED = Counter("parvis_notifications_failed_total", "Attempts that failed.")
RETRIED = Counter("parvis_notifications_retried_total", "Attempts that failed and are made again.")
DEAD = Counter("parvis_notifications_dead_total", "Notifications that were given up and kept as dead letters.")
FORGOTTEN = Counter("parvis_notifications_forgotten_total", "Dead letters that went because newer ones needed room.")
