"""What the fleet counts."""

from prometheus_client import Counter, Gauge, Histogram

STORED = Counter("parvis_uplinks_stored_total", "Uplinks stored.")
REFUSED = Counter("parvis_uplinks_refused_total", "Uplinks refused.", ["reason"])
POLLS = Counter(
    "parvis_polls_total", "Devices asked, by what came of it: answered, no_answer, failed, dropped.", ["way", "result"]
)
GATEWAYS_LEFT_OUT = Counter("parvis_gateways_left_out_total", "Receptions of gateways beyond those that are followed.")
NETWORK_EVENTS = Counter(
    "parvis_network_events_total",
    "What network servers told beside frames: taken, forbidden, or of an unknown device or command.",
    ["result"],
)
COMMANDS = Counter("parvis_commands_total", "Commands to devices that came into a state.", ["state"])
NOT_LOGGED = Counter("parvis_frames_not_logged_total", "Frames that came too fast for the log of last frames.")
EXPIRED = Counter("parvis_frames_expired_total", "Frames of unknown devices that have waited for too long.")
CODEC_SECONDS = Histogram(
    "parvis_codec_seconds",
    "Time a payload codec took for one frame, as the mean of a call.",
    buckets=(5e-6, 1e-5, 2.5e-5, 5e-5, 1e-4, 1e-3, 1e-2, 5e-2),
)
FINDINGS = Gauge("parvis_fleet_findings", "Devices with a finding, when they were looked at last.", ["finding"])
