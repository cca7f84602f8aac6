"""Who may come in: how many connections there may be, and whom a CONNECT makes of them."""

from collections import Counter
from collections.abc import Callable, Iterable
from secrets import token_hex

from parvis.access.certificates.model import Shown
from parvis.connectors.mqtt.config import ListenerConfig
from parvis.connectors.mqtt.connection import Connection
from parvis.connectors.mqtt.shares import Shares
from parvis.kernel.errors import Forbidden, Overloaded
from parvis.kernel.identity import Caller
from parvis.mqttwire.packets import Connect, Reason, Version

Authenticate = Callable[[str, str | None, bytes | None], Caller | None]
"""(client identifier, user name, password) to the caller they open, or None."""
AuthenticateCertificate = Callable[[Shown], Caller | None]
"""A verified certificate to the caller it opens, or None."""
KeepsCertificate = Callable[[Shown], bool]
"""Whether one that has opened still does."""


class Admission:
    def __init__(
        self,
        config: ListenerConfig,
        shares: Shares,
        authenticate: Authenticate,
        authenticate_certificate: AuthenticateCertificate,
        keeps_certificate: KeepsCertificate,
    ) -> None:
        self.connections: set[Connection] = set()
        self.of_address: Counter[str] = Counter()
        self.authenticate_certificate = authenticate_certificate
        self._keeps_certificate = keeps_certificate
        self._config = config
        self._share = shares.connections
        self._of_tenant: dict[Connection, str] = {}
        self._authenticate = authenticate

    def enter(self, connection: Connection) -> bool:
        """Whether there is room for one more."""
        if len(self.connections) >= self._config.max_connections:
            return False
        if self.of_address[connection.address] >= self._config.max_connections_of_address:
            return False
        self.connections.add(connection)
        self.of_address[connection.address] += 1
        return True

    def leave(self, connection: Connection) -> None:
        if connection in self.connections:
            self.connections.discard(connection)
            if (tenant := self._of_tenant.pop(connection, None)) is not None:
                self._share.occupy(tenant, -1)
            self.of_address[connection.address] -= 1
            if not self.of_address[connection.address]:
                del self.of_address[connection.address]

    def judge(self, connection: Connection, connect: Connect) -> Caller | Reason:
        """Who it is, or why it is refused. A client without an identifier gets one (3.1.3.1)."""
        try:
            caller = self._identify(connection, connect)
        except Overloaded:
            return Reason.SERVER_UNAVAILABLE
        if caller is None:
            return Reason.BAD_USER_NAME_OR_PASSWORD if connect.password is not None else Reason.NOT_AUTHORIZED
        if len(connect.client_id.encode()) > self._config.max_client_id_bytes:
            return Reason.CLIENT_IDENTIFIER_NOT_VALID
        if not connect.client_id:
            if connect.version is Version.V311 and not connect.clean_start:
                return Reason.CLIENT_IDENTIFIER_NOT_VALID
            connection.client_id = f"parvis-{token_hex(8)}"
        if not self._share.admits(caller.tenant):
            return Reason.QUOTA_EXCEEDED
        self._of_tenant[connection] = caller.tenant
        self._share.occupy(caller.tenant)
        return caller

    def close_revoked(self, lines: Iterable[object]) -> None:
        """Those that came in with a certificate which opens no longer. The session stays: what waits for the device
        may be fetched with another one."""
        for line in lines:
            if isinstance(line, Connection) and line.proof and not self._keeps_certificate(line.proof):
                line.close(Reason.NOT_AUTHORIZED)

    def _identify(self, connection: Connection, connect: Connect) -> Caller | None:
        """By its password, or where it gives none by its certificate."""
        if connect.password is None and (shown := connection.find_certificate()) is not None:
            connection.proof = shown
            return self.authenticate_certificate(shown)
        try:
            caller = self._authenticate(connect.client_id, connect.username, connect.password)
        except Forbidden:
            return None
        is_unnamed = connect.username is None and connect.password is None
        if caller is None and is_unnamed and connection.is_loopback:
            return self._config.anonymous
        return caller
