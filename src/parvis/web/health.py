"""Whether the process lives, whether it can do its work, and the counts; there before anything else is."""

from collections.abc import Callable

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

_NO_STORE = {"cache-control": "no-store"}
_CANNOT_WRITE = "The store can no longer write: the log says why. Start Parvis again once that is put right.\n"


class Doorstep:
    """Answers /healthz, /readyz and /metrics; hands the rest to `app` once it is there, asks for patience before."""

    def __init__(self, *registries: CollectorRegistry) -> None:
        self.app: ASGIApp | None = None
        self.is_writing: Callable[[], bool] = lambda: True
        self._registries = registries

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        own = self._own_answer(scope["path"]) if scope["type"] == "http" else None
        if own is not None:
            await own(scope, receive, send)
        elif self.app is not None:
            await self.app(scope, receive, send)

    def _own_answer(self, path: str) -> Response | None:
        if path == "/healthz":
            return PlainTextResponse("alive\n", headers=_NO_STORE)
        if path == "/metrics":
            return Response(
                b"".join(map(generate_latest, self._registries)),
                headers=_NO_STORE | {"content-type": CONTENT_TYPE_LATEST},
            )
        if self.app is None:
            return PlainTextResponse("The territory is being loaded.\n", 503, headers=_NO_STORE | {"retry-after": "1"})
        if path == "/readyz":
            if not self.is_writing():
                return PlainTextResponse(_CANNOT_WRITE, 503, headers=_NO_STORE)
            return PlainTextResponse("ready\n", headers=_NO_STORE)
        return None
