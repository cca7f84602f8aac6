"""Who is calling: the question put to every request, so the answer is kept for a moment."""

from collections.abc import Callable
from contextlib import suppress
from time import monotonic

import msgspec

from parvis.access.identities.rotation import parts_of
from parvis.access.identities.sessions import find_shown, is_open
from parvis.access.members.pool import Pool
from parvis.access.members.standing import by_mandate
from parvis.access.model import EVERY_TENANT, ROLES, Digest, Session
from parvis.access.ports import AccessStore
from parvis.access.tokens import digest_of
from parvis.kernel.errors import Forbidden, Unauthenticated
from parvis.kernel.identity import ADMINISTRATOR, ANONYMOUS, DEFAULT_TENANT, NOBODY, Caller, Right
from parvis.kernel.time import MINUTE, Clock, Instant, system_clock

ANSWER_HOLDS_S = 5.0
"""So long an answer is good by itself. What another process revokes is forgotten sooner (`Access.follow`)."""
_MOST_ANSWERS = 20_000
_NOTE_USE_EVERY = MINUTE
_BEARER = b"Bearer "
_HINT = "Send an API key in force as 'Authorization: Bearer parvis_...', or sign in."


class Grant(msgspec.Struct, frozen=True):
    """What a proof gives: a subject, its rights, and the tenant (or every tenant) it holds in."""

    subject: str
    rights: Right
    tenant: str
    device: str = ""


class Gate:
    """Maps the proofs that come with a request to a Caller."""

    def __init__(
        self,
        store: AccessStore,
        *,
        auth: bool = True,
        public: bool = False,
        idle: Instant = 120 * MINUTE,
        clock: Clock = system_clock,
        ticks_s: Callable[[], float] = monotonic,
    ) -> None:
        self.auth = auth
        self._store = store
        self._public = public
        self._idle = idle
        self._clock = clock
        self._ticks_s = ticks_s
        self.version = 0
        """Another one whenever rights may have changed."""
        self.pool = Pool(store.members, clock, ticks_s)
        self._answers: dict[tuple[Digest, str | None], tuple[Caller, float]] = {}
        self._anonymous = {DEFAULT_TENANT: self._nobody_known(DEFAULT_TENANT)}

    def authenticate(
        self, authorization: bytes | None, session: bytes | None, tenant: str | None = DEFAULT_TENANT
    ) -> Caller:
        """The caller behind an Authorization header or a session's token, acting in `tenant`; in None people act in
        their own.

        Raises:
            Unauthenticated: an Authorization header that opens nothing. A session that has ended is as if none.
            Forbidden: the proof holds, but not in that tenant.
        """
        if not self.auth:
            return Caller(tenant or DEFAULT_TENANT, "everyone", ADMINISTRATOR)
        if authorization is not None:
            if not authorization.startswith(_BEARER):
                raise Unauthenticated(_HINT)
            return self._known(authorization[7:], tenant or DEFAULT_TENANT, self._grant_of_key) or _refuse()
        if session and (caller := self._known(session, tenant, lambda _: self._grant_of_session(session))):
            return caller
        tenant = tenant or DEFAULT_TENANT
        return self._anonymous.get(tenant) or self._nobody_known(tenant)

    def authenticate_device(self, password: bytes) -> Caller | None:
        """The caller behind an MQTT password, which is an API key; it acts in the tenant of its key."""
        if not self.auth:
            return Caller(DEFAULT_TENANT, "everyone", ADMINISTRATOR)
        grant = self._grant_of_key(digest_of(password))
        if grant is None:
            return None
        tenant = DEFAULT_TENANT if grant.tenant == EVERY_TENANT else grant.tenant
        return Caller(tenant, grant.subject, grant.rights, grant.device)

    def is_in_force(self, caller: Caller) -> bool:
        """Whether the API key that a caller once showed still opens; callers without one stay."""
        scheme, _, key_id = caller.subject.partition(":")
        if not self.auth or scheme != "key":
            return True
        key = self._store.find_key_by_id(key_id)
        return key is not None and key.opens_at(self._clock())

    def forget(self) -> None:
        """Ask the store anew: a proof has just been revoked or changed."""
        self._answers.clear()
        self.pool.forget()
        self.version += 1

    def _known(self, token: bytes, tenant: str | None, grant_of: Callable[[Digest], Grant | None]) -> Caller | None:
        digest = digest_of(token)
        held = self._answers.get((digest, tenant))
        now_s = self._ticks_s()
        if held is not None and now_s < held[1]:
            return held[0]
        grant = grant_of(digest)
        if grant is None:
            return None
        caller = self._acting(grant, _own_tenant(grant) if tenant is None else tenant)
        if len(self._answers) >= _MOST_ANSWERS:
            self._answers.clear()
        self._answers[digest, tenant] = (caller, now_s + self._holds_s(caller))
        return caller

    def _acting(self, grant: Grant, tenant: str) -> Caller:
        """In a member's tenant people of the pool, and keys for every tenant, do what its mandates let them. Such keys
        deliver frames without any: the pool's network servers bring those of all members. Raises Forbidden."""
        own = Caller(tenant, grant.subject, grant.rights, grant.device)
        member = self.pool.find(tenant)
        if grant.tenant == tenant or (grant.tenant == EVERY_TENANT and member is None):
            return own
        is_of_pool = grant.tenant == EVERY_TENANT or (grant.tenant == DEFAULT_TENANT and not _is_key(grant))
        if member is None or not is_of_pool:
            raise Forbidden(f"{grant.subject} has no rights in tenant {tenant}.")
        mandates = self.pool.mandates_of(tenant)
        if not mandates and _is_key(grant) and Right.INGEST in grant.rights:
            return Caller(tenant, grant.subject, Right.INGEST, grant.device)
        return by_mandate(own, mandates)

    def _holds_s(self, caller: Caller) -> float:
        return self.pool.holds_s(caller.tenant) if caller.mandate else ANSWER_HOLDS_S

    def _grant_of_key(self, digest: Digest) -> Grant | None:
        key = self._store.find_key(digest)
        now = self._clock()
        if key is None or not key.opens_at(now):
            return None
        if key.last_used_at is None or now - key.last_used_at >= _NOTE_USE_EVERY:
            self._store.touch_key(digest, now)
        return Grant(f"key:{key.id}", ROLES[key.role], key.tenant, key.device)

    def authenticate_again(self, session: bytes, tenant: str) -> Caller | None:
        """The caller of an answer that is still being given: its token may have been followed by another meanwhile."""
        grant = self._grant_of(self._store.find_session(parts_of(session)[0]))
        if grant is None:
            return None
        with suppress(Forbidden):
            return self._acting(grant, tenant)
        return None

    def _grant_of_session(self, token: bytes) -> Grant | None:
        return self._grant_of(find_shown(self._store, token, self._clock()))

    def _grant_of(self, session: Session | None) -> Grant | None:
        now = self._clock()
        if session is None or not is_open(session, now, self._idle):
            return None
        account = self._store.find_account(session.account)
        if account is None or account.disabled:
            return None
        if now - session.last_seen_at >= _NOTE_USE_EVERY:
            self._store.touch_session(session.digest, now)
        return Grant(f"user:{account.name}", ROLES[account.role], account.tenant)

    def _nobody_known(self, tenant: str) -> Caller:
        """What is public each tenant chooses: the pool in its settings, a member in the console."""
        public = self._public if tenant == DEFAULT_TENANT else bool(self.pool.public_types(tenant))
        return Caller(tenant, ANONYMOUS, Right.READ_PUBLIC if public else NOBODY)


def _is_key(grant: Grant) -> bool:
    return grant.subject.startswith("key:")


def _own_tenant(grant: Grant) -> str:
    return DEFAULT_TENANT if grant.tenant == EVERY_TENANT else grant.tenant


def _refuse() -> Caller:
    raise Unauthenticated(_HINT)
