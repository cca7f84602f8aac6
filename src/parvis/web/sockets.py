"""Ports bound before anything else, so that a taken one is told at once and workers can share them."""

import socket

from parvis.kernel.errors import ParvisError
from parvis.kernel.settings import InvalidSettings, MqttSettings, ServerSettings

_BACKLOG = 2048


class AddressTaken(ParvisError):
    title = "The address is taken"


def bind(settings: ServerSettings) -> socket.socket:
    """Raises AddressTaken."""
    try:
        return _listening(settings.host, settings.port)
    except OSError as error:
        raise AddressTaken(
            f"Cannot listen on {settings.host} port {settings.port} ({error.strerror}): choose another with --port."
        ) from error


def bind_mqtt(settings: MqttSettings) -> socket.socket:
    """Raises InvalidSettings."""
    try:
        return _listening(settings.host, settings.port)
    except OSError as error:
        raise InvalidSettings(
            f"Cannot listen on {settings.host} port {settings.port} for MQTT ({error.strerror}):"
            " choose another with --mqtt-port."
        ) from error


def _listening(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    listener.setblocking(False)
    return listener
