"""Failures that only HTTP knows."""

from collections.abc import Iterable

from parvis.kernel.errors import ParvisError


class LengthRequired(ParvisError):
    type_uri = "about:blank"
    title = "Length required"
    status = 411


class MethodNotAllowed(ParvisError):
    type_uri = "about:blank"
    title = "Method not allowed"
    status = 405

    def __init__(self, method: str, allowed: Iterable[str]) -> None:
        self.allow = ", ".join(sorted(allowed))
        super().__init__(f"{method} means nothing here: use {self.allow}.")


class UnexpectedFailure(ParvisError):
    """A defect of ours: the log has the trace, the caller gets its number."""
