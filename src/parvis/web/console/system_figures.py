"""The figures of the platform itself, each with what is normal: pure rules over what is counted anyway."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from parvis.web.headline import State
from parvis.web.readings import Window

Read = Callable[[Window], float | None]


@dataclass(frozen=True, slots=True)
class Rule:
    """`system.<key>` names it, `system_normal.<key>` says what is normal. It is reached at `warn` and at `bad`."""

    key: str
    read: Read
    unit: str = ""
    warn: float | None = None
    bad: float | None = None
    href: str = ""
    decimals: int | None = None


@dataclass(frozen=True, slots=True)
class Figure:
    key: str
    value: float | None
    unit: str
    state: State
    href: str
    decimals: int | None = None


def rate(name: str) -> Read:
    return lambda window: window.rate(name)


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


A_SECOND = "/s"
REFUSED, RECEIVERS = "/console/refusals", "/console/subscriptions"
INFLOW: Sequence[Rule] = (
    Rule("stored", rate("parvis_uplinks_stored_total"), A_SECOND, href="/console/devices", decimals=1),
    Rule("refused", rate("parvis_uplinks_refused_total"), A_SECOND, warn=1, bad=50, href=REFUSED, decimals=1),
    Rule("mqtt", rate("parvis_mqtt_messages_received_total"), A_SECOND, decimals=1),
    Rule("requests", rate("parvis_http_requests_total"), A_SECOND, decimals=1),
    Rule("slow_requests", slowest("parvis_http_request_duration_seconds", 0.95), "ms", warn=500, bad=2_500),
)
WAITING: Sequence[Rule] = (
    Rule("pending", total("parvis_store_pending_changes"), warn=10_000, bad=100_000),
    Rule(
        "lag",
        most("parvis_notifications_lag_seconds"),
        "s",
        warn=10,
        bad=120,
        href=RECEIVERS,
        decimals=1,
    ),
    Rule("notifications", most("parvis_notifications_waiting"), warn=1_000, bad=10_000, href=RECEIVERS),
    Rule("breakers", most("parvis_notifications_open_breakers"), warn=1, href=RECEIVERS),
    Rule("due", most("parvis_jobs_oldest_due_seconds"), "s", warn=60, bad=3_600, href="/console/jobs", decimals=0),
    Rule("failed_jobs", most("parvis_jobs_failed"), warn=1, href="/console/jobs?state=failed"),
)


def figures_of(rules: Sequence[Rule], window: Window) -> list[Figure]:
    return [_figure(rule, rule.read(window)) for rule in rules]


def _figure(rule: Rule, value: float | None) -> Figure:
    return Figure(rule.key, value, rule.unit, judge(value, rule.warn, rule.bad), rule.href, rule.decimals)


def judge(value: float | None, warn: float | None, bad: float | None) -> State:
    if value is None:
        return State.GOOD
    if bad is not None and value >= bad:
        return State.BAD
    return State.WARN if warn is not None and value >= warn else State.GOOD
