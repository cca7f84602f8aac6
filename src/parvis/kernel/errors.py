"""Expected failures that cross a layer, each with its RFC 7807 problem type."""

from typing import Any, ClassVar

NGSI_LD_ERRORS = "https://uri.etsi.org/ngsi-ld/errors/"
PARVIS_ERRORS = "https://parvis.eu/errors/"


class ParvisError(Exception):
    """Root of all expected failures: data for a problem report, not prose.

    `detail` says what happened and what to do; `extras` are further members of the report. `retry_after_s`: what passes
    by itself.
    """

    type_uri: ClassVar[str] = NGSI_LD_ERRORS + "InternalError"
    title: ClassVar[str] = "Internal error"
    status: ClassVar[int] = 500
    retry_after_s: int | None = None

    def __init__(self, detail: str, **extras: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.extras = extras

    @property
    def can_be_put_right(self) -> bool:
        """By asking for something else: it is no fault of the platform, and no right is missing."""
        return self.status < 500

    def problem(self) -> dict[str, Any]:
        """The report's members (RFC 7807, 3.1)."""
        return {
            "type": self.type_uri,
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            **self.extras,
        }


class Detailed(Exception):
    """Root of the failures that a part catches itself: `detail` goes into its own answer, count or report."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class BadRequestData(ParvisError):
    type_uri = NGSI_LD_ERRORS + "BadRequestData"
    title = "The request holds data that break a rule of the information model"
    status = 400


class InvalidRequest(ParvisError):
    type_uri = NGSI_LD_ERRORS + "InvalidRequest"
    title = "The request cannot be understood"
    status = 400


class ResourceNotFound(ParvisError):
    type_uri = NGSI_LD_ERRORS + "ResourceNotFound"
    title = "Not found"
    status = 404


class NonexistentTenant(ParvisError):
    type_uri = NGSI_LD_ERRORS + "NonexistentTenant"
    title = "No such tenant"
    status = 404


class AlreadyExists(ParvisError):
    type_uri = NGSI_LD_ERRORS + "AlreadyExists"
    title = "It exists already"
    status = 409


class Conflict(ParvisError):
    """With what is registered or held already (NGSI-LD 1.9.1, 5.9.2.4)."""

    type_uri = NGSI_LD_ERRORS + "Conflict"
    title = "It conflicts with what is there"
    status = 409


class OperationNotSupported(ParvisError):
    type_uri = NGSI_LD_ERRORS + "OperationNotSupported"
    title = "Not supported"
    status = 422


class TooComplexQuery(ParvisError):
    type_uri = NGSI_LD_ERRORS + "TooComplexQuery"
    title = "The query is too complex"
    status = 403


class TooManyResults(ParvisError):
    type_uri = NGSI_LD_ERRORS + "TooManyResults"
    title = "Too many results"
    status = 403


class TooManySubscriptions(ParvisError):
    """NGSI-LD 1.9.1 has no error of its own for a quota (5.5.2): TooManyResults is about answers."""

    type_uri = PARVIS_ERRORS + "too-many-subscriptions"
    title = "Too many subscriptions"
    status = 403


class TooManyContexts(ParvisError):
    type_uri = PARVIS_ERRORS + "too-many-contexts"
    title = "Too many @contexts are kept"
    status = 403


class TooManyRegistrations(ParvisError):
    type_uri = PARVIS_ERRORS + "too-many-registrations"
    title = "Too many registrations"
    status = 403


class TooManySnapshots(ParvisError):
    type_uri = PARVIS_ERRORS + "too-many-snapshots"
    title = "Too many snapshots are kept"
    status = 403


class LdContextNotAvailable(ParvisError):
    type_uri = NGSI_LD_ERRORS + "LdContextNotAvailable"
    title = "The JSON-LD @context cannot be had"
    status = 504


class NotAcceptable(ParvisError):
    type_uri = "about:blank"
    title = "Not acceptable"
    status = 406


class UnsupportedMediaType(ParvisError):
    type_uri = "about:blank"
    title = "Unsupported media type"
    status = 415


class PayloadTooLarge(ParvisError):
    type_uri = "about:blank"
    title = "Payload too large"
    status = 413


class Unauthenticated(ParvisError):
    type_uri = PARVIS_ERRORS + "unauthenticated"
    title = "Sign in first"
    status = 401


class Forbidden(ParvisError):
    type_uri = PARVIS_ERRORS + "forbidden"
    title = "Not allowed"
    status = 403

    @property
    def can_be_put_right(self) -> bool:
        return False


class Overloaded(ParvisError):
    """Queues are bounded: nothing was stored, unless it `may_be_stored`; try again after `retry_after_s`."""

    type_uri = PARVIS_ERRORS + "overloaded"
    title = "Too busy just now"
    status = 503
    may_be_stored: ClassVar[bool] = False

    def __init__(self, detail: str, retry_after_s: int = 1, **extras: Any) -> None:
        super().__init__(detail, **extras)
        self.retry_after_s = retry_after_s
