"""The web server of the national services, in the devices' process."""

import asyncio
import logging
import socket
from collections.abc import Callable, Coroutine
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from parvis.demo.services.answers import Answer, Asked

PATIENCE_S, POLL_S = 20.0, 0.1
log = logging.getLogger("parvis.demo.player")
Tell = Callable[[Asked], Coroutine[Any, Any, Answer]]


def open_door() -> socket.socket:
    """On this machine only. Who asks before anybody serves waits."""
    return socket.create_server(("127.0.0.1", 0))


def address_of(door: socket.socket) -> str:
    """Its host and port."""
    host, port = door.getsockname()[:2]
    return f"{host}:{port}"


async def serve(door: socket.socket, tell: Tell) -> None:
    """Until cancelled; `tell` runs in the event loop."""
    server = _Server(door, tell, asyncio.get_running_loop())
    Thread(target=server.serve_forever, args=(POLL_S,), name="parvis-services", daemon=True).start()
    try:
        await asyncio.Event().wait()
    finally:
        server.shutdown()
        server.server_close()


class _Server(ThreadingHTTPServer):
    def __init__(self, door: socket.socket, tell: Tell, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(door.getsockname()[:2], _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = door
        self._tell, self._loop = tell, loop

    def handle_error(self, request: object, client_address: object) -> None:
        """Who asked has gone: it gets no answer, and nobody else needs to know."""
        log.debug("services: an answer was not taken", exc_info=True)

    def ask(self, asked: Asked) -> Answer:
        return asyncio.run_coroutine_threadsafe(self._tell(asked), self._loop).result(PATIENCE_S)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = PATIENCE_S
    server: _Server

    def do_GET(self) -> None:
        try:
            told = self.server.ask(Asked(self.path, {name.lower(): value for name, value in self.headers.items()}))
        except Exception:
            log.exception("a service of open data cannot answer")
            told = Answer(500)
        self.send_response(told.status)
        for name, value in told.headers.items():
            self.send_header(name, value)
        if told.status != 304:
            self.send_header("content-type", told.media_type)
            self.send_header("content-length", str(len(told.body)))
        self.end_headers()
        self.wfile.write(told.body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        log.debug("services: %s", format % args)
