"""What the fleet counts."""

from prometheus_client import Counter, Histogram

STORED = Counter("parvis_uplinks_stored_total", "Uplinks stored.")
REFUSED = Counter("parvis_uplinks_refused_total", "Uplinks refused.", ["reason"])
CODEC_SECONDS = Histogram(
    "parvis_codec_seconds",
    "Time a payload codec took for one frame, as the mean of a call.",
    buckets=(5e-6, 1e-5, 2.5e-5, 5e-5, 1e-4, 1e-3, 1e-2, 5e-2),
)
