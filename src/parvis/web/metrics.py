"""Counts of what was served, cheap to add to and read by Prometheus."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping

from prometheus_client import Counter as Count
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from parvis.bootstrap.gauges import Gauge

_BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)

REFUSED_CONNECTIONS = Count("parvis_http_connections_refused_total", "HTTP connections cut off.", ["reason"])


class RequestMetrics(Collector):
    """Prometheus' own counters take a lock and a dictionary each; these are added to on the event loop only."""

    def __init__(self) -> None:
        self._served: Counter[tuple[str, int]] = Counter()
        self._by_duration = [0] * (len(_BOUNDS_S) + 1)
        self._seconds = 0.0
        self.open = 0

    def note(self, method: str, status: int, duration_s: float) -> None:
        self._served[method, status] += 1
        self._by_duration[bisect_left(_BOUNDS_S, duration_s)] += 1
        self._seconds += duration_s

    def collect(self) -> Iterator[Metric]:
        served = CounterMetricFamily("parvis_http_requests", "Requests answered", labels=("method", "status"))
        for (method, status), count in self._served.items():
            served.add_metric((method, str(status)), count)
        yield served
        yield GaugeMetricFamily("parvis_http_requests_open", "Requests being answered", self.open)
        durations = HistogramMetricFamily("parvis_http_request_duration_seconds", "Time from request to last byte")
        durations.add_metric((), self._buckets(), self._seconds)
        yield durations

    def _buckets(self) -> list[tuple[str, float]]:
        total, buckets = 0, []
        for bound, count in zip((*map(str, _BOUNDS_S), "+Inf"), self._by_duration, strict=True):
            total += count
            buckets.append((bound, float(total)))
        return buckets


class PlatformGauges(Collector):
    def __init__(self, gauges: Mapping[str, Gauge]) -> None:
        self._gauges = gauges

    def collect(self) -> Iterator[Metric]:
        for name, gauge in self._gauges.items():
            yield GaugeMetricFamily(name, gauge.description, gauge.read())
