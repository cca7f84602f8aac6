"""API keys: for devices and programs. Shown once; only a hash is kept."""

import secrets
from collections.abc import Callable

from parvis.access.accounts import check_role, require_administrator
from parvis.access.lasting import check_lasts
from parvis.access.model import DEVICE_ROLE, EVERY_TENANT, ApiKey, AuditRecord
from parvis.access.ports import AccessStore
from parvis.access.tokens import digest_of, new_api_key
from parvis.kernel.errors import BadRequestData, ResourceNotFound
from parvis.kernel.identity import DEFAULT_TENANT, Caller
from parvis.kernel.time import Clock, Instant, system_clock

_LONGEST_LABEL = 200


class Keys:
    def __init__(self, store: AccessStore, on_change: Callable[[], None], clock: Clock = system_clock) -> None:
        self._store = store
        self._on_change = on_change
        self._clock = clock

    def create(
        self,
        caller: Caller,
        label: str,
        role: str,
        tenant: str = DEFAULT_TENANT,
        expires_at: Instant | None = None,
        device: str = "",
    ) -> tuple[ApiKey, str]:
        """The key's record, and the key itself, which cannot be had again. With `device`, a hardware id, it may deliver
        for that one alone. Raises Forbidden or BadRequestData."""
        require_administrator(caller, tenant)
        if role != DEVICE_ROLE:
            check_lasts(caller)
        check_role(role)
        if device and (role != DEVICE_ROLE or tenant == EVERY_TENANT):
            raise BadRequestData(f"A key of one device has the role {DEVICE_ROLE}, in one tenant.")
        if not label.strip() or len(label) > _LONGEST_LABEL:
            raise BadRequestData(f"A label of 1 to {_LONGEST_LABEL} characters says what the key is for.")
        now = self._clock()
        if expires_at is not None and expires_at <= now:
            raise BadRequestData("The key would have expired already.")
        token = new_api_key()
        key = ApiKey(
            secrets.token_hex(4), digest_of(token), label, role, tenant, now, expires_at, device=device.lower()
        )
        with self._store.transaction():
            self._store.add_key(key)
            self._store.append_audit(AuditRecord(now, tenant, caller.subject, "key-created", key.id, _told(key)))
        return key, token

    def list_keys(self, caller: Caller) -> list[ApiKey]:
        require_administrator(caller, caller.tenant)
        return [one for one in self._store.list_keys() if caller.tenant in (one.tenant, EVERY_TENANT)]

    def list_device_keys(self, caller: Caller, hardware_id: str) -> list[ApiKey]:
        """Those that may deliver for this device alone and are in force."""
        now = self._clock()
        return [one for one in self.list_keys(caller) if one.device == hardware_id.lower() and one.opens_at(now)]

    def end_device(self, caller: Caller, hardware_id: str) -> None:
        """The keys of a device that a caller who may do that has replaced or removed, administrator or not."""
        now = self._clock()
        mine = [
            one
            for one in self._store.list_keys()
            if one.device == hardware_id.lower() and one.tenant == caller.tenant and one.opens_at(now)
        ]
        with self._store.transaction():
            for key in mine:
                self._store.revoke_key(key.id, now)
                self._store.append_audit(AuditRecord(now, key.tenant, caller.subject, "key-revoked", key.id))
        if mine:
            self._on_change()

    def revoke(self, caller: Caller, key_id: str) -> None:
        """Raises Forbidden, or ResourceNotFound where the caller's tenant has no such key in force."""
        mine = next((one for one in self.list_keys(caller) if one.id == key_id), None)
        if mine is None:
            raise ResourceNotFound(f"There is no key {key_id}.")
        now = self._clock()
        with self._store.transaction():
            if not self._store.revoke_key(key_id, now):
                raise ResourceNotFound(f"The key {key_id} is revoked already.")
            self._store.append_audit(AuditRecord(now, mine.tenant, caller.subject, "key-revoked", key_id))
        self._on_change()


def _told(key: ApiKey) -> dict[str, str]:
    told = {"label": key.label, "role": key.role}
    return told | {"device": key.device} if key.device else told
