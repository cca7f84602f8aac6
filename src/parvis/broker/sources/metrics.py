"""What becomes of calls to context sources, as monitoring reads it."""

from prometheus_client import Counter

CALLS = Counter("parvis_source_calls_total", "Calls to context sources.")
FAILED = Counter(
    "parvis_source_calls_failed_total", "Those without a usable answer: none in time, too large, an error."
)
