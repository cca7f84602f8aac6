"""The figures of the platform itself and, in this one place, their norms: pure rules over what is counted anyway."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from parvis.fleet.model.refusal import RefusalReason
from parvis.web.headline import State
from parvis.web.readings import Window

Read = Callable[[Window], float | None]
LEAST_ANSWERS = 20
"""Of fewer a single slow one is five of a hundred."""


@dataclass(frozen=True, slots=True)
class Norm:
    """Kept below `warn`; from `bad` on somebody has to act. Why is told by `system_normal.<key>` of the figure."""

    warn: float
    bad: float | None = None

    def judge(self, value: float) -> State:
        if self.bad is not None and value >= self.bad:
            return State.BAD
        return State.WARN if value >= self.warn else State.GOOD


def _always(_window: Window) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Rule:
    """`system.<key>` names it, `system_normal.<key>` says what is normal and why. `is_enough`: to judge by it."""

    key: str
    read: Read
    unit: str = ""
    norm: Norm | None = None
    href: str = ""
    decimals: int | None = None
    is_enough: Callable[[Window], bool] = _always


@dataclass(frozen=True, slots=True)
class Figure:
    """`state` is None where it has no norm, is not measured yet, or rests on too little."""

    rule: Rule
    value: float | None
    state: State | None

    @property
    def key(self) -> str:
        return self.rule.key


def rate(name: str) -> Read:
    return lambda window: window.rate(name)


def refused(window: Window) -> float | None:
    return window.rate("parvis_uplinks_refused_total", without=HARMLESS)


def most(name: str) -> Read:
    return lambda window: window.now.most(name)


def total(name: str) -> Read:
    return lambda window: window.now.total(name)


def slowest(histogram: str, share: float) -> Read:
    """In milliseconds."""

    def read(window: Window) -> float | None:
        bound = window.quantile(histogram, share)
        return None if bound is None else bound * 1000

    return read


def has_counted(name: str, least: int) -> Callable[[Window], bool]:
    return lambda window: (window.rate(name) or 0.0) * window.length_s >= least


def percentage(part: str, whole: str) -> Read:
    def read(window: Window) -> float | None:
        size = window.now.most(whole)
        return window.now.total(part) / size * 100 if size else None

    return read


def busiest(counter: str) -> Read:
    """Of the processes the one that took most, in hundredths of a processor."""

    def read(window: Window) -> float | None:
        rates = window.rate_by_worker(counter)
        return max(rates.values()) * 100 if rates else None

    return read


_LOST_NOTHING = (RefusalReason.DUPLICATE, RefusalReason.NO_PAYLOAD, RefusalReason.UNKNOWN_DEVICE)
HARMLESS = {("reason", one.value) for one in _LOST_NOTHING}
"""Nothing of a device is lost by them."""
A_SECOND = "/s"
REFUSED, RECEIVERS = "/console/refusals", "/console/subscriptions"
ANSWERS = "parvis_http_request_duration_seconds"
MEMORY, PROCESSOR, ROOM = "process_resident_memory_bytes", "process_cpu_seconds_total", "parvis_memory_limit_bytes"
INFLOW: Sequence[Rule] = (
    Rule("stored", rate("parvis_uplinks_stored_total"), A_SECOND, href="/console/devices", decimals=1),
    Rule("refused", refused, A_SECOND, Norm(1, 50), REFUSED, decimals=1),
    Rule("mqtt", rate("parvis_mqtt_messages_received_total"), A_SECOND, decimals=1),
    Rule("failing", total("parvis_sources_failing"), norm=Norm(1), href="/console/connectors"),
    Rule("requests", rate("parvis_http_requests_total"), A_SECOND, decimals=1),
    Rule(
        "slow_requests",
        slowest(ANSWERS, 0.95),
        "ms",
        Norm(1_000, 10_000),
        is_enough=has_counted(f"{ANSWERS}_count", LEAST_ANSWERS),
    ),
)
WAITING: Sequence[Rule] = (
    Rule("pending", total("parvis_store_pending_changes"), norm=Norm(10_000, 40_000)),
    Rule("lag", most("parvis_notifications_lag_seconds"), "s", Norm(10, 120), RECEIVERS, decimals=1),
    Rule("notifications", most("parvis_notifications_waiting"), norm=Norm(1_000, 10_000), href=RECEIVERS),
    Rule("breakers", most("parvis_notifications_open_breakers"), norm=Norm(1), href=RECEIVERS),
    Rule("due", most("parvis_jobs_oldest_due_seconds"), "s", Norm(60, 3_600), "/console/jobs", decimals=0),
    Rule("failed_jobs", most("parvis_jobs_failed"), norm=Norm(1), href="/console/jobs?state=failed"),
)
MACHINE: Sequence[Rule] = (
    Rule("memory_share", percentage(MEMORY, ROOM), "%", Norm(50, 85), decimals=0),
    Rule("busiest", busiest(PROCESSOR), "%", Norm(80), decimals=0),
)


def figures_of(rules: Sequence[Rule], window: Window) -> list[Figure]:
    return [_figure(rule, window) for rule in rules]


def _figure(rule: Rule, window: Window) -> Figure:
    value = rule.read(window)
    if rule.norm is None or value is None or not rule.is_enough(window):
        return Figure(rule, value, None)
    return Figure(rule, value, rule.norm.judge(value))
