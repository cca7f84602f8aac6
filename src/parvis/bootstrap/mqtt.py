"""The MQTT listener as the settings want it, and who may connect to it."""

import socket
from collections.abc import Sequence
from contextlib import AsyncExitStack

from parvis.access.access import Access
from parvis.access.certificates.model import Shown
from parvis.broker.ports.store import Store
from parvis.connectors.mqtt.config import find_tls_files, listener_config
from parvis.connectors.mqtt.listener import MqttListener
from parvis.connectors.mqtt.tls import TlsListener, bind
from parvis.fleet.devices.device import Standing
from parvis.fleet.devices.registry import Registry
from parvis.fleet.model.delivery import Route
from parvis.kernel.bus import Bus
from parvis.kernel.identity import DEFAULT_TENANT, Caller, Right
from parvis.kernel.settings import InvalidSettings, Settings

_CERTIFIED = "device:"
_LONGEST_ID = 64


class Doorkeeper:
    """Knows clients by an API key, or by a certificate that names a device."""

    def __init__(self, access: Access, registry: Registry) -> None:
        self._gate = access.gate
        self._certificates = access.certificates
        self._registry = registry

    def by_password(self, _client_id: str, _username: str | None, password: bytes | None) -> Caller | None:
        caller = self._gate.authenticate_device(password or b"")
        return caller if caller is not None and self._is_in_use(caller) else None

    def by_certificate(self, shown: Shown) -> Caller | None:
        """It delivers for that device; one that is not registered yet has its frames waiting in quarantine."""
        hardware_id = next((one for one in shown.names if _may_be_device(one)), None)
        if hardware_id is None:
            return None
        caller = Caller(DEFAULT_TENANT, _CERTIFIED + hardware_id, Right.INGEST, hardware_id)
        return caller if self.is_in_force(caller) and self._certificates.use(shown, hardware_id) else None

    def keeps_certificate(self, shown: Shown) -> bool:
        return self._certificates.is_in_force(shown.fingerprint)

    def is_in_force(self, caller: Caller) -> bool:
        if not self._is_in_use(caller):
            return False
        return caller.subject.startswith(_CERTIFIED) or self._gate.is_in_force(caller)

    def _is_in_use(self, caller: Caller) -> bool:
        """Whether the device it speaks for, where it is one, may be heard at all."""
        device = self._registry.find(caller.tenant, caller.device) if caller.device else None
        return device is None or device.standing is Standing.ACTIVE


def _may_be_device(name: str) -> bool:
    return 0 < len(name) <= _LONGEST_ID and name.isprintable() and not set(name) & set("+#/ ")


async def open_mqtt(
    settings: Settings,
    routes: Sequence[Route],
    doorkeeper: Doorkeeper,
    bus: Bus | None,
    store: Store,
    bound: socket.socket | None,
    stack: AsyncExitStack,
) -> MqttListener:
    """Raises InvalidSettings."""
    listener = MqttListener(
        listener_config(settings.mqtt),
        routes,
        doorkeeper.by_password,
        doorkeeper.is_in_force,
        bus=bus,
        shelf=store.shelf,
        list_tenants=store.list_tenants,
        authenticate_certificate=doorkeeper.by_certificate,
        keeps_certificate=doorkeeper.keeps_certificate,
    )
    try:
        await listener.start(bound=bound)
    except OSError as error:
        raise _cannot_listen(settings.mqtt.host, settings.mqtt.port, error, "--mqtt-port") from error
    stack.push_async_callback(listener.stop)
    await _listen_with_tls(settings, listener)
    return listener


async def _listen_with_tls(settings: Settings, listener: MqttListener) -> None:
    files = find_tls_files(settings.mqtt)
    if files is None:
        return
    host, port = settings.mqtt.tls_host, settings.mqtt.tls_port
    try:
        await listener.start_tls(TlsListener(files, bind(host, port, is_shared=settings.server.workers > 1)))
    except OSError as error:
        raise _cannot_listen(host, port, error, "mqtt.tls_port") from error


def _cannot_listen(host: str, port: int, error: OSError, choice: str) -> InvalidSettings:
    return InvalidSettings(
        f"Cannot listen on {host} port {port} for MQTT ({error.strerror}): choose another with {choice}."
    )
