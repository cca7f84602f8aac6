"""Whether the process lives, whether it can do its work, and the counts; there before anything else is."""

from collections.abc import Callable

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from parvis.kernel.logs import without_secrets
from parvis.web.headers import API_HEADERS
from parvis.web.siblings import Exposition

_NO_STORE = {"cache-control": "no-store"} | {name.decode(): value.decode() for name, value in API_HEADERS}
_LOADING = "The territory is being loaded."


class Doorstep:
    """Answers /healthz, /readyz and /metrics; hands the rest to `app` once it is there, asks for patience before."""

    def __init__(self, exposition: Exposition, opening: Callable[[], str] = lambda: "") -> None:
        """`opening` says what the platform waits for while it is not there."""
        self.app: ASGIApp | None = None
        self.fault: Callable[[], str] = lambda: ""
        self.degraded: Callable[[], str] = lambda: ""
        self._opening = opening
        self._exposition = exposition

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        own = await self._own_answer(scope["path"]) if scope["type"] == "http" else None
        if own is not None:
            await own(scope, receive, send)
        elif self.app is not None:
            await self.app(scope, receive, send)

    async def _own_answer(self, path: str) -> Response | None:
        if path == "/healthz":
            return PlainTextResponse("alive\n", headers=_NO_STORE)
        if path == "/metrics":
            return Response(
                await self._exposition.text(),
                headers=_NO_STORE | {"content-type": CONTENT_TYPE_LATEST},
            )
        if self.app is None:
            return _not_ready(f"{_LOADING} {self._opening()}".rstrip())
        if path == "/readyz":
            if fault := self.fault():
                return _not_ready(f"store: {fault}")
            degraded = self.degraded()
            return PlainTextResponse(f"degraded: {degraded}\n" if degraded else "ready\n", headers=_NO_STORE)
        return None


def _not_ready(words: str) -> Response:
    return PlainTextResponse(without_secrets(words) + "\n", 503, headers=_NO_STORE | {"retry-after": "1"})
