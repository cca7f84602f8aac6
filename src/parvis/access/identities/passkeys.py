"""Passkeys (WebAuthn Level 3) by Yubico's fido2: registered while signed in, and then a way in without a password.

The device checks its holder (finger, face, PIN), so that a passkey is two factors in one. What a browser sends is
judged by the library; which challenge was given to whom, and that it is answered once and soon, by what was begun.
"""

import json
import secrets
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from parvis.access.identities.halfway import HALFWAY
from parvis.access.identities.home import home_of
from parvis.access.identities.model import Begun, Passkey
from parvis.access.identities.sessions import SeenFrom, Sessions, SignedIn
from parvis.access.model import EVERY_TENANT, AuditRecord, Bound, TooManyAttempts
from parvis.access.ports import AccessStore
from parvis.access.throttle import subscriber_of
from parvis.access.tokens import digest_of, new_token
from parvis.kernel.errors import BadRequestData, Forbidden, ResourceNotFound, Unauthenticated
from parvis.kernel.identity import ANONYMOUS, Caller, Right
from parvis.kernel.time import MINUTE, Clock, system_clock

if TYPE_CHECKING:
    from fido2.server import Fido2Server
    from fido2.webauthn import AttestedCredentialData

ANSWERED_WITHIN = 5 * MINUTE
MOST_PASSKEYS = 20
LONGEST_NAME = 60
ALLOWED_OF_ADDRESS = 200
_REGISTERING, _SIGNING_IN = "register passkey", "sign in by passkey"
_Answer = TypeVar("_Answer")
_REFUSED = "This passkey was not taken."


class Relying(msgspec.Struct, frozen=True):
    """Whom a passkey is for: browsers use it at this host alone, and say at which origin they did."""

    host: str
    origin: str
    title: str


class Asked(msgspec.Struct, frozen=True):
    """`options` are for the browser, `token` names the challenge when its answer comes."""

    token: str
    options: dict[str, Any]


class Passkeys:
    def __init__(
        self, store: AccessStore, sessions: Sessions, on_change: Callable[[], None], clock: Clock = system_clock
    ) -> None:
        self._store = store
        self._sessions = sessions
        self._on_change = on_change
        self._clock = clock

    def list_of(self, name: str) -> list[Passkey]:
        return self._store.identities.list_passkeys(name)

    def begin_registering(self, name: str, relying: Relying) -> Asked:
        """Raises BadRequestData where there are many already."""
        from fido2.webauthn import PublicKeyCredentialUserEntity, ResidentKeyRequirement, UserVerificationRequirement

        known = self.list_of(name)
        if len(known) >= MOST_PASSKEYS:
            raise BadRequestData(f"An account has at most {MOST_PASSKEYS} passkeys.")
        handle = known[0].handle if known else secrets.token_bytes(32)
        user = PublicKeyCredentialUserEntity(id=handle, name=name, display_name=name)
        options, state = _server(relying).register_begin(
            user,
            credentials=_credentials(known),
            resident_key_requirement=ResidentKeyRequirement.REQUIRED,
            user_verification=UserVerificationRequirement.REQUIRED,
        )
        return self._begin(_REGISTERING, name, dict(options), state | {"handle": handle.hex()})

    def finish_registering(self, name: str, token: str, answer: str, label: str, relying: Relying) -> Passkey:
        """Raises BadRequestData or AlreadyExists."""
        begun = self._store.identities.finish(digest_of(token), _REGISTERING, self._clock())
        if begun is None or begun.account != name:
            raise BadRequestData("This took too long: begin again.")
        data = _judged(lambda: _server(relying).register_complete(begun.facts, _json(answer)))
        if data is None or data.credential_data is None:
            raise BadRequestData(_REFUSED)
        held = data.credential_data
        passkey = Passkey(
            held.credential_id,
            name,
            bytes.fromhex(begun.facts["handle"]),
            label.strip()[:LONGEST_NAME] or "Passkey",
            bytes(held),
            data.counter,
            self._clock(),
        )
        with self._store.transaction():
            self._store.identities.add_passkey(passkey)
            self._store.rotate_soon(name)
            self._audit(f"user:{name}", "passkey-registered", name, label=passkey.name)
        return passkey

    def begin_signing_in(self, relying: Relying, seen: SeenFrom, halfway: str = "") -> Asked:
        """For whoever has a passkey of this host; after a right password, for those of its account, older keys that do
        not name their holder included. Without one nobody learns which accounts there are. Raises TooManyAttempts."""
        from fido2.webauthn import UserVerificationRequirement

        self._count_attempt(seen)
        name = self._account_halfway(halfway)
        options, state = _server(relying).authenticate_begin(
            credentials=_credentials(self.list_of(name)) if name else None,
            user_verification=UserVerificationRequirement.REQUIRED,
        )
        return self._begin(_SIGNING_IN, name, dict(options), state)

    def sign_in(self, token: str, answer: str, relying: Relying, seen: SeenFrom, replaces: str = "") -> SignedIn:
        """Raises Unauthenticated, which does not say why, or TooManyAttempts."""
        self._count_attempt(seen)
        begun = self._store.identities.finish(digest_of(token), _SIGNING_IN, self._clock())
        passkey = self._proven(begun, answer, relying) if begun is not None else None
        account = self._store.find_account(passkey.account) if passkey is not None else None
        if passkey is None or account is None or account.disabled:
            self._audit(
                ANONYMOUS, "sign-in-failed", account.name if account else "?", address=seen.address, by="passkey"
            )
            raise Unauthenticated(_REFUSED)
        with self._store.transaction():
            self._sessions.end_by_token(replaces)
            return self._sessions.begin(account, seen, "passkey")

    def remove(self, name: str, passkey_id: str) -> None:
        """One's own. Raises ResourceNotFound."""
        self._remove(f"user:{name}", name, passkey_id)

    def remove_of(self, caller: Caller, name: str, passkey_id: str) -> None:
        """Somebody's. Raises Forbidden or ResourceNotFound."""
        account = self._store.find_account(name)
        if not caller.may(Right.ADMINISTER):
            raise Forbidden(f"{caller.subject} may not administer tenant {caller.tenant}.")
        if account is None or caller.tenant not in (account.tenant, EVERY_TENANT):
            raise ResourceNotFound(f"There is no account {name}.")
        self._remove(caller.subject, name, passkey_id)

    def _remove(self, subject: str, name: str, passkey_id: str) -> None:
        mine = next((one for one in self.list_of(name) if one.id.hex() == passkey_id), None)
        if mine is None:
            raise ResourceNotFound("There is no such passkey.")
        with self._store.transaction():
            self._store.identities.drop_passkey(name, mine.id)
            self._store.rotate_soon(name)
            self._audit(subject, "passkey-removed", name, label=mine.name)
        self._on_change()

    def _proven(self, begun: Begun, answer: str, relying: Relying) -> Passkey | None:
        from fido2.webauthn import AuthenticationResponse

        shown = _judged(lambda: AuthenticationResponse.from_dict(_json(answer)))
        passkey = self._store.identities.find_passkey(shown.raw_id) if shown is not None else None
        if shown is None or passkey is None or begun.account not in ("", passkey.account):
            return None
        if shown.response.user_handle not in (None, b"", passkey.handle):
            return None
        held = _credentials([passkey])
        if _judged(lambda: _server(relying).authenticate_complete(begun.facts, held, shown)) is None:
            return None
        return self._counted(passkey, shown.response.authenticator_data.counter)

    def _counted(self, passkey: Passkey, count: int) -> Passkey | None:
        """A key that counts and does not count on is a copy (WebAuthn, 6.1.1); those that are synchronised say 0."""
        if (count or passkey.sign_count) and count <= passkey.sign_count:
            self._audit(f"user:{passkey.account}", "passkey-copied", passkey.account, label=passkey.name)
            return None
        self._store.identities.note_passkey_use(passkey.id, count, self._clock())
        return passkey

    def _account_halfway(self, token: str) -> str:
        begun = self._store.identities.find_begun(digest_of(token), HALFWAY, self._clock()) if token else None
        return begun.account if begun is not None else ""

    def _begin(self, purpose: str, name: str, options: dict[str, Any], state: dict[str, Any]) -> Asked:
        token, now = new_token(), self._clock()
        self._store.identities.begin(Begun(digest_of(token), purpose, name, state, now + ANSWERED_WITHIN), now)
        return Asked(token, options)

    def _count_attempt(self, seen: SeenFrom) -> None:
        bound = Bound(digest_of(f"passkey {subscriber_of(seen.address)}"), ALLOWED_OF_ADDRESS)
        if wait_s := self._store.count_attempt((bound,), self._clock()):
            raise TooManyAttempts(f"Too many attempts. Try again in {-(-wait_s // 60)} minutes.", wait_s)

    def _audit(self, subject: str, action: str, what: str, **facts: str) -> None:
        self._store.append_audit(
            AuditRecord(self._clock(), home_of(self._store, what), subject, action, what, dict(facts))
        )


def _server(relying: Relying) -> "Fido2Server":
    """The library reads the list of public suffixes when it is imported: once somebody uses a passkey, not before."""
    from fido2.server import Fido2Server
    from fido2.webauthn import PublicKeyCredentialRpEntity

    entity = PublicKeyCredentialRpEntity(id=relying.host, name=relying.title)
    return Fido2Server(entity, verify_origin=lambda origin: origin == relying.origin)


def _credentials(passkeys: Sequence[Passkey]) -> "list[AttestedCredentialData]":
    from fido2.webauthn import AttestedCredentialData

    return [AttestedCredentialData(one.credential) for one in passkeys]


def _json(answer: str) -> dict[str, Any]:
    found = json.loads(answer)
    if not isinstance(found, dict):
        raise ValueError("no object")
    return found


def _judged(judge: Callable[[], _Answer]) -> _Answer | None:
    """What a browser sends may be anything: whatever the library says of it, it is refused."""
    try:
        return judge()
    except Exception:
        return None
