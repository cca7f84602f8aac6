"""Who is signed in where: beginning, listing, renewing and ending sessions."""

from collections.abc import Callable

import msgspec

from parvis.access.identities.agents import address_prefix, agent_words
from parvis.access.identities.home import home_of
from parvis.access.identities.rotation import Shown, is_due, new_session_token, parts_of, rotated, what_is_shown
from parvis.access.model import EVERY_TENANT, Account, AuditRecord, Session
from parvis.access.ports import AccessStore
from parvis.kernel.errors import Forbidden, ResourceNotFound
from parvis.kernel.identity import Caller, Right
from parvis.kernel.time import HOUR, MINUTE, Clock, Instant, system_clock

FRESH_FOR = 10 * MINUTE


class SeenFrom(msgspec.Struct, frozen=True):
    """Where a request came from: its address, and what its browser calls itself."""

    address: str
    user_agent: str = ""


class SignedIn(msgspec.Struct, frozen=True):
    """`token` goes into the session cookie and is kept nowhere."""

    account: str
    token: str
    expires_at: Instant


class Sessions:
    def __init__(
        self,
        store: AccessStore,
        on_change: Callable[[], None],
        length: Instant = 12 * HOUR,
        idle: Instant = 120 * MINUTE,
        clock: Clock = system_clock,
    ) -> None:
        self._store = store
        self._on_change = on_change
        self._length = length
        self._idle = idle
        self._clock = clock

    def begin(self, account: Account, seen: SeenFrom, method: str = "password", hint: str = "") -> SignedIn:
        """Inside the transaction of what proved who it is."""
        token, now = new_session_token(), self._clock()
        digest, secret = parts_of(token)
        session = Session(
            digest,
            account.name,
            now,
            now,
            now + self._length,
            agent_words(seen.user_agent),
            address_prefix(seen.address),
            method,
            hint,
            secret,
            rotated_at=now,
        )
        self._store.forget_sessions(now)
        self._store.add_session(session)
        self._audit(f"user:{account.name}", "signed-in", account.name, address=seen.address, method=method)
        return SignedIn(account.name, token, session.expires_at)

    def find_by_token(self, token: str) -> Session | None:
        return self._store.find_session(parts_of(token)[0]) if token else None

    def is_fresh(self, token: str) -> bool:
        """Whether its holder has just shown who they are."""
        session = self.find_by_token(token)
        return session is not None and self._clock() - session.created_at < FRESH_FOR

    def end_by_token(self, token: str) -> Session | None:
        """The one that has ended."""
        session = self.find_by_token(token)
        if session is not None:
            self._store.end_session(session.digest)
        return session

    def sign_out(self, token: str) -> Session | None:
        with self._store.transaction():
            session = self.end_by_token(token)
            if session is not None:
                self._audit(f"user:{session.account}", "signed-out", session.account)
        self._on_change()
        return session

    def renew(self, token: str) -> SignedIn | None:
        """The session with its next token, where it is time for one."""
        digest, secret = parts_of(token)
        session, now = self._store.find_session(digest), self._clock()
        if session is None or what_is_shown(session, secret, now) is not Shown.CURRENT or not is_due(session, now):
            return None
        following = rotated(token)
        self._store.offer_secret(digest, parts_of(following)[1], now)
        return SignedIn(session.account, following, session.expires_at)

    def list_of(self, caller: Caller, account: str) -> list[Session]:
        """Those that are open, the one used last first. Raises Forbidden or ResourceNotFound."""
        self._check(caller, account)
        now = self._clock()
        return [one for one in self._store.list_sessions(account) if is_open(one, now, self._idle)]

    def end(self, caller: Caller, account: str, session_id: str) -> None:
        """Raises Forbidden or ResourceNotFound."""
        mine = next((one for one in self.list_of(caller, account) if one.id == session_id), None)
        if mine is None:
            raise ResourceNotFound(f"There is no session {session_id}.")
        self._end(caller, [mine])

    def end_others(self, caller: Caller, account: str, kept_token: str = "") -> int:
        """All but the one of the token; how many."""
        kept = parts_of(kept_token)[0]
        others = [one for one in self.list_of(caller, account) if one.digest != kept]
        self._end(caller, others)
        return len(others)

    def _end(self, caller: Caller, sessions: list[Session]) -> None:
        with self._store.transaction():
            for one in sessions:
                self._store.end_session(one.digest)
                facts = {"session": one.id, "agent": one.agent, "address": one.address}
                self._audit(caller.subject, "session-revoked", one.account, **facts)
        self._on_change()

    def _check(self, caller: Caller, name: str) -> None:
        if caller.subject == f"user:{name}":
            return
        account = self._store.find_account(name)
        if not caller.may(Right.ADMINISTER):
            raise Forbidden(f"{caller.subject} may not administer tenant {caller.tenant}.")
        if account is None or caller.tenant not in (account.tenant, EVERY_TENANT):
            raise ResourceNotFound(f"There is no account {name}.")

    def _audit(self, subject: str, action: str, what: str, **facts: str) -> None:
        told = {key: value for key, value in facts.items() if value}
        self._store.append_audit(AuditRecord(self._clock(), home_of(self._store, what), subject, action, what, told))


def is_open(session: Session, now: Instant, idle: Instant) -> bool:
    return now < session.expires_at and now - session.last_seen_at < idle


def find_shown(store: AccessStore, token: bytes, now: Instant) -> Session | None:
    """The session of a token in force; showing the next secret turns it, showing one long spent ends the session."""
    digest, secret = parts_of(token)
    session = store.find_session(digest)
    if session is None:
        return None
    match what_is_shown(session, secret, now):
        case Shown.CURRENT | Shown.JUST_BEFORE:
            return session
        case Shown.NEXT:
            store.turn_secret(digest, secret, now)
            return session
        case Shown.LONG_SPENT:
            _end_copied(store, session, now)
        case Shown.UNKNOWN:
            pass
    return None


def _end_copied(store: AccessStore, session: Session, now: Instant) -> None:
    facts = {"session": session.id, "agent": session.agent, "address": session.address}
    with store.transaction():
        store.end_session(session.digest)
        store.append_audit(
            AuditRecord(
                now,
                home_of(store, session.account),
                f"user:{session.account}",
                "session-token-copied",
                session.account,
                facts,
            )
        )
