"""Notifications over HTTP (NGSI-LD 1.9.1, 6.3.8): what the receiver's answer means for the one who notifies."""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from parvis.broker.ports.notifications import TAKEN, Receipt, Verdict
from parvis.broker.subscriptions.model import Endpoint
from parvis.broker.subscriptions.notification import addressed
from parvis.kernel.causes import Cause
from parvis.kernel.outbound import AddressRefused, Answer, CallFailed, OutboundHttp

_LONGEST_WAIT_S = 3600.0


class HttpNotifications:
    """A receiver that is out of order or busy is asked again; one that says no is believed."""

    def __init__(self, http: OutboundHttp) -> None:
        self._http = http

    async def send(self, endpoint: Endpoint, headers: Mapping[str, str], body: bytes) -> Receipt:
        if endpoint.receiver_info:
            headers = addressed(headers, endpoint.receiver_info)
        limit_s = None if endpoint.timeout_ms is None else endpoint.timeout_ms / 1000
        try:
            answer = await self._http.post(endpoint.uri, body, headers, timeout_s=limit_s)
        except AddressRefused as error:
            return Receipt(Verdict.REFUSED, error.detail)
        except CallFailed as error:
            return Receipt(Verdict.LATER, error.detail)
        return TAKEN if 200 <= answer.status < 300 else _refusal(answer)


def _refusal(answer: Answer) -> Receipt:
    reason = Cause.STATUS.say(status=answer.status)
    if answer.is_for_now:
        return Receipt(Verdict.LATER, reason, wait_s(answer.headers.get("retry-after", ""), datetime.now(UTC)))
    return Receipt(Verdict.REFUSED, reason)


def wait_s(retry_after: str, now: datetime) -> float:
    """Of a Retry-After header (RFC 9110, 10.2.3), within an hour; 0 where it says nothing."""
    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        return min(float(text), _LONGEST_WAIT_S)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return 0.0
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return min(max(0.0, (moment - now).total_seconds()), _LONGEST_WAIT_S)
