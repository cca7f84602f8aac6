"""Daily average, minimum and maximum over 100 000 instances of one attribute.

Published beside it: Stellio 321 ms p95 (10 entities of 100 000 instances, docs/admin/performance.md).
"""

import msgspec

from benchmarks.harness.bare_sqlite import aggregate_ms
from benchmarks.harness.http_load import request, run_load
from benchmarks.harness.platform import Served, serving
from benchmarks.harness.report import Figure, tell
from parvis.kernel.time import DAY, MINUTE, SECOND, format_instant

INSTANCES = 100_000
REQUESTS = 300
START = 1_780_000_000 * SECOND
STELLIO_MS = 321
ENTITY = "urn:ngsi-ld:WeatherObserved:bench"
QUERY = (
    f"/ngsi-ld/v1/temporal/entities/{ENTITY}?attrs=temperature&options=aggregatedValues"
    "&aggrMethods=avg,min,max&aggrPeriodDuration=P1D"
)


def main() -> list[Figure]:
    with serving() as served:
        write_history(served)
        at_once = run_load(served.port, iter([request("GET", QUERY)] * 20), connections=1)
        served.wait_until_quiet()
        tally = run_load(served.port, iter([request("GET", QUERY)] * REQUESTS), connections=1)
    if set(tally.statuses) != {200}:
        raise RuntimeError(f"aggregates were refused: {tally.statuses}")
    print(f"before the log is settled, p95 {at_once.percentile_ms(0.95):.0f} ms")
    return [
        Figure(
            "temporal aggregate over 100 000 instances, p95", tally.percentile_ms(0.95), "ms", 20,
            STELLIO_MS, "Stellio (published)", smaller_is_better=True,
        ),
        Figure(
            "temporal aggregate beside bare SQLite", tally.percentile_ms(0.95), "ms", None,
            aggregate_ms(INSTANCES, DAY // MINUTE), "bare SQLite, no HTTP, p95", smaller_is_better=True,
        ),
    ]  # fmt: skip


def write_history(served: Served) -> None:
    def body(start: int) -> bytes:
        instances = [
            {"type": "Property", "value": number % 37 / 2, "unitCode": "CEL", "observedAt": observed(number)}
            for number in range(start, start + 1_000)
        ]
        return msgspec.json.encode({"id": ENTITY, "type": "WeatherObserved", "temperature": instances})

    bodies = (request("POST", "/ngsi-ld/v1/temporal/entities", body(start)) for start in range(0, INSTANCES, 1_000))
    tally = run_load(served.port, bodies, connections=1)
    if set(tally.statuses) - {201, 204}:
        raise RuntimeError(f"history was refused: {tally.statuses}")


def observed(number: int) -> str:
    return format_instant(START + number * MINUTE)


if __name__ == "__main__":
    tell(*main())
