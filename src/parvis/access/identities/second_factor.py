"""What is asked for beside a password: a code of an authenticator application, or one of the codes on paper."""

from base64 import b64decode, b64encode
from collections.abc import Callable, Collection, Sequence
from enum import Enum, auto

import msgspec

from parvis.access.identities.home import home_of
from parvis.access.identities.model import Authenticator, Begun
from parvis.access.identities.recovery import find_hash, hashes_of, new_codes
from parvis.access.identities.totp import DIGITS, find_step, new_secret
from parvis.access.model import EVERY_TENANT, Account, AuditRecord, Bound, Digest, TooManyAttempts
from parvis.access.passwords import Passwords
from parvis.access.ports import AccessStore
from parvis.access.tokens import digest_of, new_token
from parvis.kernel.errors import BadRequestData, Forbidden, ResourceNotFound
from parvis.kernel.identity import Caller, Right
from parvis.kernel.time import MINUTE, Clock, system_clock

SET_UP_WITHIN = 15 * MINUTE
ALLOWED_CODES = 10
"""Codes that are tried of one account within the throttle's window."""
_SET_UP = "set up authenticator"


class Need(Enum):
    NOTHING = auto()
    CODE = auto()
    SET_UP = auto()


class SettingUp(msgspec.Struct, frozen=True):
    """A secret that counts once a code of it was shown; `token` names it until then."""

    token: str
    secret: bytes


class SecondFactors:
    """Every change is in the audit trail, in the same transaction."""

    def __init__(
        self,
        store: AccessStore,
        passwords: Passwords,
        on_change: Callable[[], None],
        required_roles: Collection[str] = (),
        clock: Clock = system_clock,
    ) -> None:
        self._store = store
        self._passwords = passwords
        self._on_change = on_change
        self._required_roles = frozenset(required_roles)
        self._clock = clock

    def needed_of(self, account: Account) -> Need:
        """A passkey does where a second factor is needed: it is asked for in place of a code."""
        if self.has(account.name):
            return Need.CODE
        if not self.is_required(account):
            return Need.NOTHING
        return Need.CODE if self._store.identities.list_passkeys(account.name) else Need.SET_UP

    def has(self, name: str) -> bool:
        return self._store.identities.find_authenticator(name) is not None

    def is_required(self, account: Account) -> bool:
        """By the account's own role, or one that it is assigned today."""
        if not self._required_roles:
            return False
        now, subject = self._clock(), f"user:{account.name}"
        given = {
            one.role
            for one in self._store.roles.list_assignments()
            if one.subject == subject and (one.until is None or now < one.until)
        }
        return not self._required_roles.isdisjoint({account.role, *given})

    def count_recovery_codes(self, name: str) -> int:
        return len(self._store.identities.list_recovery_codes(name))

    def begin(self, name: str) -> SettingUp:
        setting_up, now = SettingUp(new_token(), new_secret()), self._clock()
        facts = {"secret": b64encode(setting_up.secret).decode()}
        begun = Begun(digest_of(setting_up.token), _SET_UP, name, facts, now + SET_UP_WITHIN)
        self._store.identities.begin(begun, now)
        return setting_up

    def find_begun(self, name: str, token: str) -> SettingUp | None:
        begun = self._store.identities.find_begun(digest_of(token), _SET_UP, self._clock())
        if begun is None or begun.account != name:
            return None
        return SettingUp(token, b64decode(begun.facts["secret"]))

    async def finish(self, name: str, token: str, code: str) -> list[str]:
        """The codes to print, which cannot be had again.

        Raises:
            BadRequestData: the code does not fit (rule `code`), or it took too long (rule `begun`).
            TooManyAttempts
        """
        begun = self.find_begun(name, token)
        if begun is None:
            raise BadRequestData("This took too long: begin again.", rule="begun")
        self._count_attempt(name)
        step = find_step(begun.secret, plain_code(code), self._clock())
        if step is None:
            raise BadRequestData("This code does not fit.", rule="code")
        codes = new_codes()
        hashes = await hashes_of(codes, self._passwords)
        with self._store.transaction():
            if self._store.identities.finish(digest_of(token), _SET_UP, self._clock()) is None:
                raise BadRequestData("This took too long: begin again.", rule="begun")
            self._store.identities.keep_authenticator(Authenticator(name, begun.secret, self._clock(), step))
            self._audit(f"user:{name}", "second-factor-set-up", name)
            self._keep_codes(name, hashes)
        self._forget_attempts(name)
        return codes

    async def check(self, name: str, code: str) -> str:
        """By what it was proven: `code`, or `recovery-code`, which then is used up; empty where it does not fit.

        Raises:
            TooManyAttempts
        """
        self._count_attempt(name)
        proven = await self._fits(name, code)
        if proven:
            self._forget_attempts(name)
        return proven

    async def remove(self, name: str, code: str) -> None:
        """Raises BadRequestData (rule `code`, or `required`) or TooManyAttempts."""
        account = self._store.find_account(name)
        if account is not None and self.is_required(account):
            raise BadRequestData("Your role needs a second factor.", rule="required")
        await self._prove(name, code)
        with self._store.transaction():
            self._drop(name)
            self._audit(f"user:{name}", "second-factor-removed", name)

    async def renew_codes(self, name: str, code: str) -> list[str]:
        """Raises BadRequestData (rule `code`) or TooManyAttempts."""
        await self._prove(name, code)
        codes = new_codes()
        hashes = await hashes_of(codes, self._passwords)
        with self._store.transaction():
            self._keep_codes(name, hashes)
        return codes

    def reset(self, caller: Caller, name: str) -> None:
        """For somebody who has lost all: the password alone counts again, and passkeys do no longer. Sessions end.

        Raises:
            Forbidden or ResourceNotFound
        """
        account = self._store.find_account(name)
        if not caller.may(Right.ADMINISTER):
            raise Forbidden(f"{caller.subject} may not administer tenant {caller.tenant}.")
        if account is None or caller.tenant not in (account.tenant, EVERY_TENANT):
            raise ResourceNotFound(f"There is no account {name}.")
        with self._store.transaction():
            self._drop(name)
            for passkey in self._store.identities.list_passkeys(name):
                self._store.identities.drop_passkey(name, passkey.id)
            self._store.end_sessions_of(name)
            self._audit(caller.subject, "second-factor-reset", name)
        self._on_change()

    async def _prove(self, name: str, code: str) -> None:
        if not await self.check(name, code):
            raise BadRequestData("This code does not fit.", rule="code")

    async def _fits(self, name: str, code: str) -> str:
        known = self._store.identities.find_authenticator(name)
        if known is None:
            return ""
        step = find_step(known.secret, plain_code(code), self._clock())
        if step is not None:
            return "code" if self._store.identities.take_step(name, step) else ""
        kept = self._store.identities.list_recovery_codes(name)
        used = await find_hash(code, kept, self._passwords)
        with self._store.transaction():
            if used is None or not self._store.identities.use_recovery_code(name, used):
                return ""
            self._audit(f"user:{name}", "recovery-code-used", name, left=str(self.count_recovery_codes(name)))
        return "recovery-code"

    def _keep_codes(self, name: str, hashes: Sequence[Digest]) -> None:
        self._store.identities.replace_recovery_codes(name, hashes)
        self._store.rotate_soon(name)
        self._audit(f"user:{name}", "recovery-codes-printed", name)

    def _drop(self, name: str) -> None:
        self._store.identities.drop_authenticator(name)
        self._store.identities.replace_recovery_codes(name, [])
        self._store.rotate_soon(name)

    def _count_attempt(self, name: str) -> None:
        wait_s = self._store.count_attempt((_bound(name),), self._clock())
        if wait_s:
            raise TooManyAttempts(f"Too many attempts. Try again in {-(-wait_s // 60)} minutes.", wait_s)

    def _forget_attempts(self, name: str) -> None:
        self._store.forget_attempts(_bound(name).subject)

    def _audit(self, subject: str, action: str, what: str, **facts: str) -> None:
        self._store.append_audit(
            AuditRecord(self._clock(), home_of(self._store, what), subject, action, what, dict(facts))
        )


def plain_code(typed: str) -> str:
    """As applications show it in groups; what is no code of an application is empty."""
    plain = "".join(typed.split())
    return plain if len(plain) == DIGITS and plain.isascii() and plain.isdigit() else ""


def _bound(name: str) -> Bound:
    return Bound(digest_of(f"code {name}"), ALLOWED_CODES)
