"""People: accounts, signing in and out, and the links by which somebody comes in for the first time."""

import re
from collections.abc import Callable, Sequence

import msgspec

from parvis.access.administrators import ADMINISTRATOR, is_last_administrator
from parvis.access.identities.halfway import HALFWAY, HALFWAY_HOLDS, SecondFactorNeeded, SignInTooOld
from parvis.access.identities.home import home_of
from parvis.access.identities.model import Begun
from parvis.access.identities.second_factor import Need, SecondFactors
from parvis.access.identities.sessions import SeenFrom, Sessions, SignedIn
from parvis.access.lasting import check_lasts
from parvis.access.model import (
    EVERY_TENANT,
    NO_PASSWORD,
    ROLES,
    Account,
    AccountLink,
    AuditRecord,
    Bound,
    OneTimeLink,
    Session,
    TooManyAttempts,
)
from parvis.access.passwords import Passwords
from parvis.access.ports import AccessStore
from parvis.access.throttle import subscriber_of
from parvis.access.tokens import digest_of, new_token
from parvis.kernel.errors import BadRequestData, Forbidden, ResourceNotFound, Unauthenticated
from parvis.kernel.identity import ANONYMOUS, DEFAULT_TENANT, Caller, Right
from parvis.kernel.time import DAY, Clock, Instant, system_clock

LINK_HOLDS = DAY
ALLOWED_OF_PAIR = 5
"""Attempts to sign in to one account from one address."""
ALLOWED_OF_ADDRESS = 100
ALLOWED_OF_ACCOUNT = 200
_LINK_CLOSED = "This link opens no longer. Ask an administrator for another; while there is none, start Parvis again."
_NAME = re.compile(r"[\w.@+-]{1,100}")


class Accounts:
    """Every change is in the audit trail, in the same transaction. `on_change` runs after each."""

    def __init__(
        self,
        store: AccessStore,
        passwords: Passwords,
        on_change: Callable[[], None],
        sessions: Sessions,
        second_factors: SecondFactors,
        clock: Clock = system_clock,
        names: Sequence[str] = (),
    ) -> None:
        """`names` are known to everybody here, the territory's for one: no password is made of them."""
        self._names = tuple(names)
        self._store = store
        self._passwords = passwords
        self._on_change = on_change
        self._sessions = sessions
        self._second_factors = second_factors
        self._clock = clock

    async def sign_in(self, name: str, password: str, seen: SeenFrom, replaces: str = "") -> SignedIn:
        """A new session; the one of the token `replaces` ends.

        Raises:
            Unauthenticated: wrong name or password; it does not say which.
            SecondFactorNeeded: right so far; `finish_sign_in` goes on.
            TooManyAttempts: too many failures from this address or for this account.
        """
        now = self._clock()
        self._count_attempt(name, seen.address, now)
        account = self._store.find_account(name)
        known = account.password_hash if account is not None and account.has_password else None
        fits = await self._passwords.matches(known, password)
        if not fits or account is None or account != self._store.find_account(name):
            self._audit(ANONYMOUS, "sign-in-failed", name[:100], home_of(self._store, name), address=seen.address)
            raise Unauthenticated("The name or the password is wrong.")
        self._store.forget_attempts(_pair(name, seen.address).subject)
        return self._let_in(account, seen, replaces)

    def find_halfway(self, token: str) -> Account | None:
        """The account of a sign-in that lacks its second factor; `token` is that of SecondFactorNeeded. None, too, once
        its password is another one."""
        begun = self._store.identities.find_begun(digest_of(token), HALFWAY, self._clock())
        account = self._store.find_account(begun.account) if begun is not None else None
        if begun is None or account is None or account.disabled or begun.facts != _proven_by(account):
            return None
        return account

    async def finish_sign_in(self, token: str, code: str, seen: SeenFrom, replaces: str = "") -> SignedIn:
        """With a code of the authenticator application, or one on paper.

        Raises:
            Unauthenticated: the code does not fit; or, as SignInTooOld, the password is to be given again.
            TooManyAttempts
        """
        account = self._halfway(token)
        proven = await self._second_factors.check(account.name, code)
        if not proven:
            self._audit(ANONYMOUS, "sign-in-failed", account.name, account.tenant, address=seen.address, by="code")
            raise Unauthenticated("This code does not fit.")
        return self._finish(token, seen, replaces, f"password-{proven}")

    async def set_up_and_sign_in(
        self, token: str, setting_up: str, code: str, seen: SeenFrom, replaces: str = ""
    ) -> tuple[SignedIn, list[str]]:
        """For who needs a second factor and has none yet: the session, and the codes to print.

        Raises:
            SignInTooOld, BadRequestData, TooManyAttempts
        """
        account = self._halfway(token)
        if self._second_factors.needed_of(account) is not Need.SET_UP:
            raise SignInTooOld("This sign-in is too old: begin again.")
        codes = await self._second_factors.finish(account.name, setting_up, code)
        return self._finish(token, seen, replaces, "password-code"), codes

    def _halfway(self, token: str) -> Account:
        if (account := self.find_halfway(token)) is None:
            raise SignInTooOld("This sign-in is too old: begin again.")
        return account

    def _finish(self, token: str, seen: SeenFrom, replaces: str, method: str) -> SignedIn:
        with self._store.transaction():
            account = self._halfway(token)
            self._store.identities.finish(digest_of(token), HALFWAY, self._clock())
            self._sessions.end_by_token(replaces)
            return self._sessions.begin(account, seen, method)

    def _let_in(self, account: Account, seen: SeenFrom, replaces: str = "") -> SignedIn:
        """Whose password was right, or new. Raises SecondFactorNeeded."""
        need = self._second_factors.needed_of(account)
        if need is Need.NOTHING:
            with self._store.transaction():
                self._sessions.end_by_token(replaces)
                return self._sessions.begin(account, seen)
        token, now = new_token(), self._clock()
        begun = Begun(digest_of(token), HALFWAY, account.name, _proven_by(account), now + HALFWAY_HOLDS)
        self._store.identities.begin(begun, now)
        raise SecondFactorNeeded(token, must_set_up=need is Need.SET_UP)

    def offer_first_link(self) -> str | None:
        """The token of a fresh one-time link while nobody can administer; None once somebody can."""
        if any(one.role == ADMINISTRATOR and one.can_sign_in for one in self._store.list_accounts()):
            return None
        return self.offer_link(ADMINISTRATOR)

    def offer_link(self, role: str) -> str:
        """The token of a one-time link to make an account of `role`; a link offered before opens no longer."""
        check_role(role)
        token = new_token()
        with self._store.transaction():
            self._store.replace_link(OneTimeLink(digest_of(token), role, self._clock() + LINK_HOLDS))
            self._audit("system:command-line", "one-time-link-offered", role)
        return token

    def invite(self, caller: Caller, name: str, role: str, tenant: str = DEFAULT_TENANT) -> str:
        """Make an account that has no password yet; the token of the link by which its holder chooses one.

        Raises:
            Forbidden, BadRequestData or AlreadyExists.
        """
        require_administrator(caller, tenant)
        check_lasts(caller)
        _check_tenant(tenant)
        _check_name(name)
        check_role(role)
        with self._store.transaction():
            self._store.add_account(Account(name, NO_PASSWORD, role, tenant, self._clock()))
            self._audit(caller.subject, "account-created", name, tenant=tenant, role=role)
            return self.offer_password(caller, name)

    def offer_password(self, caller: Caller, name: str) -> str:
        """The token of a one-time link to choose the account's password; one offered to it before opens no longer.

        Raises:
            Forbidden, ResourceNotFound, or BadRequestData for an account that is disabled.
        """
        account = self._get(name)
        require_administrator(caller, account.tenant)
        check_lasts(caller)
        if account.disabled:
            raise BadRequestData(f"The account {name} is disabled.")
        token = new_token()
        with self._store.transaction():
            self._store.replace_account_link(AccountLink(digest_of(token), name, self._clock() + LINK_HOLDS))
            self._audit(caller.subject, "password-link-offered", name, tenant=account.tenant)
        return token

    def find_linked_account(self, token: str) -> str | None:
        """The account whose password the link lets choose."""
        link = self._store.find_account_link(digest_of(token), self._clock())
        if link is None or self._get(link.account).disabled:
            return None
        return link.account

    def is_link_open(self, token: str) -> bool:
        if self.find_linked_account(token) is not None:
            return True
        link = self._store.find_link(digest_of(token))
        return link is not None and link.used_at is None and self._clock() < link.expires_at

    async def redeem_link(self, token: str, name: str, password: str, seen: SeenFrom) -> SignedIn:
        """Make the account the link allows, or give it its password, and sign it in.

        Raises:
            Unauthenticated: the link was used, has expired or never was.
            SecondFactorNeeded: the password is chosen; `finish_sign_in` goes on.
            BadRequestData, AlreadyExists: the link stays open.
        """
        _check_name(name)
        if not self.is_link_open(token):
            raise Unauthenticated(_LINK_CLOSED)
        linked = self.find_linked_account(token)
        if linked is not None and name != linked:
            raise BadRequestData(f"This link is for the account {linked}.")
        password_hash = await self._hash(name, password)
        with self._store.transaction():
            if linked is not None:
                account = self._give_password(token, password_hash)
            else:
                account = self._make_account(token, name, password_hash)
        self._on_change()
        return self._let_in(account, seen)

    async def prove(self, token: str, password: str, seen: SeenFrom) -> tuple[Session, Account]:
        """Who is signed in with `token`, where they know their password. Raises Unauthenticated or TooManyAttempts."""
        session = self._sessions.find_by_token(token)
        account = self._store.find_account(session.account) if session is not None else None
        if session is None or account is None:
            raise Unauthenticated("The name or the password is wrong.")
        name = account.name
        self._count_attempt(name, seen.address, self._clock())
        if not await self._passwords.matches(account.password_hash if account.has_password else None, password):
            self._audit(f"user:{name}", "sign-in-failed", name, account.tenant, address=seen.address, by="own page")
            raise Unauthenticated("The name or the password is wrong.")
        self._store.forget_attempts(_pair(name, seen.address).subject)
        return session, account

    async def change_password(self, token: str, current: str, password: str, seen: SeenFrom) -> None:
        """Of the account that is signed in with `token`; its other sessions end.

        Raises:
            Unauthenticated: the current one is wrong, or nobody is signed in.
            BadRequestData, TooManyAttempts
        """
        session, account = await self.prove(token, current, seen)
        password_hash = await self._hash(account.name, password)
        with self._store.transaction():
            present = self._store.find_account(account.name)
            if present is None or present.disabled or present.password_hash != account.password_hash:
                raise Unauthenticated("The name or the password is wrong.")
            self._store.replace_account(msgspec.structs.replace(present, password_hash=password_hash))
            for other in self._store.list_sessions(account.name):
                if other.digest != session.digest:
                    self._store.end_session(other.digest)
            self._store.rotate_soon(account.name)
            self._store.end_account_links(account.name)
            self._audit(f"user:{account.name}", "password-changed", account.name, account.tenant)
        self._on_change()

    @property
    def shortest_password(self) -> int:
        return self._passwords.shortest

    async def _hash(self, name: str, password: str) -> str:
        await self._passwords.check(password, (name, *self._names))
        return await self._passwords.hash(password)

    def _make_account(self, token: str, name: str, password_hash: str) -> Account:
        link = self._store.use_link(digest_of(token), self._clock())
        if link is None:
            raise Unauthenticated(_LINK_CLOSED)
        account = Account(name, password_hash, link.role, DEFAULT_TENANT, self._clock())
        self._store.add_account(account)
        self._audit(f"user:{name}", "account-created", name, role=link.role, by="one-time link")
        return account

    def _give_password(self, token: str, password_hash: str) -> Account:
        name = self.find_linked_account(token)
        if name is None:
            raise Unauthenticated(_LINK_CLOSED)
        changed = msgspec.structs.replace(self._get(name), password_hash=password_hash)
        self._store.replace_account(changed)
        self._store.end_account_links(name)
        self._store.end_sessions_of(name)
        self._audit(f"user:{name}", "password-changed", name, home_of(self._store, name), by="one-time link")
        return changed

    async def add_account(
        self, caller: Caller, name: str, password: str, role: str, tenant: str = DEFAULT_TENANT
    ) -> Account:
        """Raises Forbidden, BadRequestData or AlreadyExists."""
        require_administrator(caller, tenant)
        check_lasts(caller)
        _check_tenant(tenant)
        _check_name(name)
        check_role(role)
        account = Account(name, await self._hash(name, password), role, tenant, self._clock())
        with self._store.transaction():
            self._store.add_account(account)
            self._audit(caller.subject, "account-created", name, tenant=tenant, role=role)
        return account

    def bring_home(self) -> None:
        """Accounts that an older Parvis made for every tenant become ones of the pool: in a member's tenant it takes a
        mandate."""
        for account in self._store.list_accounts():
            if account.tenant == EVERY_TENANT:
                with self._store.transaction():
                    self._store.replace_account(msgspec.structs.replace(account, tenant=DEFAULT_TENANT))
                    self._audit("system:access", "account-changed", account.name, by="upgrade")

    def disable_account(self, caller: Caller, name: str) -> None:
        """Its sessions end, its links open no longer.

        Raises:
            Forbidden, ResourceNotFound, or BadRequestData (rule `last-administrator`) where nobody could administer its
            tenant any more: on the server alone that is done.
        """
        self._change_standing(caller, name, disabled=True)

    def enable_account(self, caller: Caller, name: str) -> None:
        """With the password it had. Raises Forbidden or ResourceNotFound."""
        check_lasts(caller)
        self._change_standing(caller, name, disabled=False)

    def list_accounts(self, caller: Caller) -> list[Account]:
        require_administrator(caller, caller.tenant)
        return [one for one in self._store.list_accounts() if caller.tenant in (one.tenant, EVERY_TENANT)]

    def list_administrators(self, tenant: str) -> list[str]:
        """The names of those who can give rights there, those of this tenant alone first."""
        able = [one for one in self._store.list_accounts() if one.role == ADMINISTRATOR and one.can_sign_in]
        near = [one for one in able if one.tenant in (tenant, EVERY_TENANT)]
        return [one.name for one in sorted(near, key=lambda one: (one.tenant != tenant, one.name))]

    def _get(self, name: str) -> Account:
        if (account := self._store.find_account(name)) is None:
            raise ResourceNotFound(f"There is no account {name}.")
        return account

    def _change_standing(self, caller: Caller, name: str, *, disabled: bool) -> None:
        with self._store.transaction():
            account = self._get(name)
            require_administrator(caller, account.tenant)
            if disabled and caller.tenant != EVERY_TENANT and is_last_administrator(self._store, account):
                raise BadRequestData(
                    f"{name} is the last who can administer here: name somebody else first.", rule="last-administrator"
                )
            self._store.replace_account(msgspec.structs.replace(account, disabled=disabled))
            self._store.end_sessions_of(name)
            self._store.end_account_links(name)
            action = "account-disabled" if disabled else "account-enabled"
            self._audit(caller.subject, action, name, tenant=account.tenant)
        self._on_change()

    def _count_attempt(self, name: str, address: str, now: Instant) -> None:
        """Counted before the password is checked, so that many at once get no further than one after the other."""
        by_address = Bound(digest_of(f"address {subscriber_of(address)}"), ALLOWED_OF_ADDRESS)
        by_account = Bound(digest_of(f"account {name}"), ALLOWED_OF_ACCOUNT)
        wait_s = self._store.count_attempt((_pair(name, address), by_address, by_account), now)
        if wait_s:
            raise TooManyAttempts(f"Too many attempts. Try again in {-(-wait_s // 60)} minutes.", wait_s)

    def _audit(self, subject: str, action: str, what: str, tenant: str = DEFAULT_TENANT, **facts: str) -> None:
        self._store.append_audit(AuditRecord(self._clock(), tenant, subject, action, what, dict(facts)))


def _proven_by(account: Account) -> dict[str, str]:
    """Which password it was: a sign-in that lacks its second factor does not outlive it."""
    return {"password": digest_of(account.password_hash).hex()}


def _pair(name: str, address: str) -> Bound:
    return Bound(digest_of(f"pair {name} {subscriber_of(address)}"), ALLOWED_OF_PAIR)


def require_administrator(caller: Caller, tenant: str) -> None:
    if not caller.may(Right.ADMINISTER) or caller.tenant not in (tenant, EVERY_TENANT):
        raise Forbidden(f"{caller.subject} may not administer tenant {tenant}.")


def check_role(role: str) -> None:
    if role not in ROLES:
        raise BadRequestData(f"There is no role {role!r}: choose one of {', '.join(ROLES)}.")


def _check_tenant(tenant: str) -> None:
    if tenant == EVERY_TENANT:
        raise BadRequestData("An account is one of a tenant: in a member's tenant the pool's act by a mandate.")


def _check_name(name: str) -> None:
    if _NAME.fullmatch(name) is None:
        raise BadRequestData("A name has 1 to 100 letters, digits or . _ @ + - and no spaces.", rule="account-name")
