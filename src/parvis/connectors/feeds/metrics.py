"""What feeds are counted by."""

from prometheus_client import Counter, Gauge

TURNS = Counter(
    "parvis_feed_turns_total",
    "Turns of a feed, by what came of them: answered, unchanged, partly, no_answer, unreadable, not_stored, failed.",
    ["feed", "result"],
)
OBSERVATIONS = Counter("parvis_feed_observations_total", "Observations of feeds stored.", ["feed"])
REFUSED = Counter("parvis_feed_records_refused_total", "Records or values of feeds refused.", ["feed", "reason"])
STATIONS = Gauge("parvis_feed_stations", "Stations of a feed: fresh, stale, or never heard of.", ["feed", "state"])
ANSWERED_AT = Gauge("parvis_feed_answered_timestamp_seconds", "When a feed last gave a usable answer.", ["feed"])
