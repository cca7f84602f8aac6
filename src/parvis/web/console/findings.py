"""What is wrong with a device, in the page's language."""

from dataclasses import dataclass
from datetime import date

from parvis.fleet.health.findings import Figures, Finding, FindingKind
from parvis.kernel.time import DAY, HOUR, MINUTE, SECOND, Instant
from parvis.web.wording import Wording

_SPANS = (("days", DAY // SECOND), ("hours", HOUR // SECOND), ("minutes", MINUTE // SECOND))


@dataclass(frozen=True, slots=True)
class FindingView:
    """`detail` is what was written when it was found, in English, where the page has no sentence for it."""

    kind: FindingKind
    name: str
    reason: str
    next: str
    since: Instant
    lasting: str
    detail: str = ""


def view_of_finding(finding: Finding, t: Wording, now: Instant) -> FindingView:
    kind, detail = finding.kind, ""
    lasting_s = max(0.0, (now - finding.since) / SECOND)
    try:
        reason = _reason(kind, finding.figures, lasting_s, t)
    except (KeyError, TypeError, ValueError, OverflowError):
        reason, detail = "", finding.reason
    name, what_next = t(f"finding.{kind.value}"), t(f"finding_next.{kind.value}")
    return FindingView(kind, name, reason, what_next, finding.since, spell_span(lasting_s, t), detail)


def spell_span(seconds: float, t: Wording) -> str:
    """ "3 days", "2 h", "40 s"."""
    for unit, length_s in _SPANS:
        if seconds >= 2 * length_s or (seconds >= length_s and seconds % length_s == 0):
            return t(f"span.{unit}", n=round(seconds / length_s))
    return t("span.seconds", n=round(seconds))


def _reason(kind: FindingKind, figures: Figures, lasting_s: float, t: Wording) -> str:
    """Figures are of when it was found, `lasting_s` is of now.

    Anybody may write a Device entity: figures that are missing or none raise.
    """
    match kind:
        case FindingKind.SILENT:
            every_s = float(figures["interval_s"])
            quiet = spell_span(max(float(figures["quiet_s"]), lasting_s + every_s), t)
            return t("finding_reason.silent", quiet=quiet, every=spell_span(every_s, t))
        case FindingKind.LOW_BATTERY:
            return _battery(figures, t)
        case FindingKind.BAD_RADIO:
            return _radio(figures, t)
        case FindingKind.CLOCK_DRIFT:
            if "offset_s" not in figures:
                return t("finding_reason.clock_unset")
            offset_s = float(figures["offset_s"])
            way = "behind" if offset_s > 0 else "ahead"
            return t(f"finding_reason.clock_{way}", by=spell_span(abs(offset_s), t))
        case FindingKind.STUCK_VALUE:
            span = spell_span(float(figures["unchanged_s"]), t)
            name, value = t.attribute_name(str(figures["attribute"])), _value(figures, t)
            return t("finding_reason.stuck", attribute=name, value=value, span=span)
        case FindingKind.IMPOSSIBLE_VALUE:
            name, value = t.attribute_name(str(figures["attribute"])), _value(figures, t)
            return t("finding_reason.impossible", attribute=name, value=value, n=round(float(figures["count"])))
        case FindingKind.DUPLICATE_KEY:
            return t("finding_reason.duplicate")


def _battery(figures: Figures, t: Wording) -> str:
    level = t.quantity(float(figures["level"]), "", "batteryLevel")
    if "last_day" not in figures:
        return t("finding_reason.battery", level=level)
    return t("finding_reason.battery_until", level=level, day=t.day(date.fromisoformat(str(figures["last_day"]))))


def _radio(figures: Figures, t: Wording) -> str:
    loss = t.quantity(float(figures["loss"]), "", "packetLossRate")
    heard = t("finding_reason.gateways", n=round(float(figures["gateways"]), 1))
    said = [t("finding_reason.loss", loss=loss)]
    if "margin_db" in figures:
        margin, factor = t.quantity(float(figures["margin_db"]), "2N"), t.number(float(figures["spreading_factor"]))
        said.append(t("finding_reason.margin", margin=margin, factor=factor))
    if "rssi_dbm" in figures:
        said.append(t("finding_reason.signal", rssi=t.quantity(round(float(figures["rssi_dbm"])), "DBM")))
    return t("finding_reason.radio", said=", ".join([*said, heard]))


def _value(figures: Figures, t: Wording) -> str:
    told = figures["value"]
    try:
        return t.quantity(float(told), "", str(figures["attribute"]))
    except ValueError:
        return str(told)
