"""A way to a server that breaks in the middle of what is sent."""

import contextlib
import socket
import threading
from collections.abc import Iterator

PIECE_BYTES = 65_536


class CutConnections:
    """Passes bytes on to a port of this machine until so many came from clients; from then on all is closed."""

    def __init__(self, listener: socket.socket, target: int, after_bytes: int) -> None:
        self._listener, self._target, self._left = listener, target, after_bytes
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []

    def accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                if self._left > 0:
                    self._join(client, socket.create_connection(("127.0.0.1", self._target)))
                else:
                    client.close()

    def close(self) -> None:
        for one in self._open:
            close(one)
        for thread in self._threads:
            thread.join()

    def _join(self, client: socket.socket, server: socket.socket) -> None:
        self._open += [client, server]
        for way in ((client, server), (server, client)):
            thread = threading.Thread(target=self._pass_on, args=way)
            thread.start()
            self._threads.append(thread)

    def _pass_on(self, one: socket.socket, other: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while piece := one.recv(PIECE_BYTES):
                if other.getpeername()[1] == self._target:
                    self._left -= len(piece)
                if self._left <= 0:
                    break
                other.sendall(piece)
        close(one)
        close(other)


def close(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()


@contextlib.contextmanager
def cut_after(after_bytes: int, port: int) -> Iterator[int]:
    """The port to connect to instead of `port`."""
    listener = socket.create_server(("127.0.0.1", 0))
    connections = CutConnections(listener, port, after_bytes)
    accepting = threading.Thread(target=connections.accept)
    accepting.start()
    try:
        yield listener.getsockname()[1]
    finally:
        close(listener)
        accepting.join()
        connections.close()
