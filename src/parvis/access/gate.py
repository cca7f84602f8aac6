"""Who is calling: the question put to every request, so the answer is kept for a moment."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from time import monotonic

import msgspec

from parvis.access.identities.rotation import parts_of
from parvis.access.identities.sessions import find_shown, is_open
from parvis.access.members.model import Mandate
from parvis.access.members.pool import Pool
from parvis.access.members.standing import in_member
from parvis.access.model import EVERY_TENANT, Digest, Session
from parvis.access.ports import AccessStore
from parvis.access.roles.roles import Roles
from parvis.access.tokens import digest_of
from parvis.kernel.errors import Forbidden, Unauthenticated
from parvis.kernel.identity import ADMINISTRATOR, ANONYMOUS, DEFAULT_TENANT, NOBODY, Caller, Right, system_caller
from parvis.kernel.reach import PrivacyClass
from parvis.kernel.time import MINUTE, SECOND, Clock, Instant, system_clock

ANSWER_HOLDS_S = 5.0
"""So long an answer is good by itself. What another process revokes is forgotten sooner (`Access.follow`)."""
_MOST_ANSWERS = 20_000
_MOST_TENANTS = 1_000
_NOTE_USE_EVERY = MINUTE
_BEARER = b"Bearer "
_SYSTEM = "system:"
_HINT = "Send an API key in force as 'Authorization: Bearer parvis_...', or sign in."


class Grant(msgspec.Struct, frozen=True):
    """What a proof gives: a subject, its role, and the tenant (or every tenant) it holds in."""

    subject: str
    role: str
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
        self.roles = Roles(store, self.forget, clock, ticks_s)
        self._answers: dict[tuple[Digest, str | None], tuple[Caller, float]] = {}
        self._owners: dict[tuple[str, str], tuple[Caller | None, float]] = {}
        self._anonymous: dict[str, tuple[Caller, float]] = {}

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
        return self.nobody(tenant)

    def authenticate_device(self, password: bytes) -> Caller | None:
        """The caller behind an MQTT password, which is an API key; it acts in the tenant of its key."""
        if not self.auth:
            return Caller(DEFAULT_TENANT, "everyone", ADMINISTRATOR)
        grant = self._grant_of_key(digest_of(password))
        if grant is None:
            return None
        return self._standing(grant, _own_tenant(grant), grant.role)

    def is_in_force(self, caller: Caller) -> bool:
        """Whether the API key that a caller once showed still opens; callers without one stay."""
        scheme, _, key_id = caller.subject.partition(":")
        if not self.auth or scheme != "key":
            return True
        key = self._store.find_key_by_id(key_id)
        return key is not None and key.opens_at(self._clock())

    def forget(self) -> None:
        """Ask the store anew: a proof has just been revoked or changed."""
        for held in (self._answers, self._owners, self._anonymous):
            held.clear()
        self.pool.forget()
        self.roles.forget()
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
        member = self.pool.find(tenant)
        if grant.tenant == tenant or (grant.tenant == EVERY_TENANT and member is None):
            return self._standing(grant, tenant, grant.role)
        is_of_pool = grant.tenant in (DEFAULT_TENANT, EVERY_TENANT)
        if not (member and is_of_pool) and self.roles.in_force(grant.subject, tenant):
            return self._standing(grant, tenant, None)
        if member is None or not is_of_pool or (_is_key(grant) and grant.tenant == DEFAULT_TENANT):
            raise Forbidden(f"{grant.subject} has no rights in tenant {tenant}.")
        return self._by_mandate(grant, tenant, self.pool.mandates_of(tenant))

    def _by_mandate(self, grant: Grant, tenant: str, mandates: Sequence[Mandate]) -> Caller:
        """Raises NoMandate."""
        if not mandates and _is_key(grant) and Right.INGEST in self._standing(grant, DEFAULT_TENANT, grant.role).rights:
            return Caller(tenant, grant.subject, Right.INGEST, grant.device)
        own = Caller(DEFAULT_TENANT, grant.subject, NOBODY, grant.device)
        return in_member(own, grant.role, self.roles, tenant, mandates)

    def _standing(self, grant: Grant, tenant: str, home: str | None) -> Caller:
        """As the roles there have it."""
        has = self.roles.standing(grant.subject, tenant, home)
        return Caller(tenant, grant.subject, has.rights, grant.device, has.reads, has.writes, has.commands, has.hides)

    def _holds_s(self, caller: Caller) -> float:
        """Until the next mandate or assignment begins or ends, at most."""
        holds_s = self.pool.holds_s(caller.tenant) if caller.mandate else ANSWER_HOLDS_S
        turns_at = self.roles.next_date(caller.subject)
        return holds_s if turns_at is None else min(holds_s, (turns_at - self._clock()) / SECOND)

    def find_owner(self, subject: str, tenant: str) -> Caller | None:
        """Who acts without a proof, for it asked for something to go on (a subscription), with the rights it has by
        now; None where it is gone."""
        if subject.startswith(_SYSTEM):
            return system_caller(subject.removeprefix(_SYSTEM), tenant)
        if not self.auth:
            return Caller(tenant, "everyone", ADMINISTRATOR)
        held, now_s = self._owners.get((subject, tenant)), self._ticks_s()
        if held is None or now_s >= held[1]:
            grant, caller = self._grant_without_proof(subject), None
            if grant is not None:
                with suppress(Forbidden):
                    caller = self._acting(grant, tenant)
            if len(self._owners) >= _MOST_ANSWERS:
                self._owners.clear()
            held = caller, now_s + (ANSWER_HOLDS_S if caller is None else self._holds_s(caller))
            self._owners[subject, tenant] = held
        return held[0]

    def find_role(self, subject: str, tenant: str) -> str | None:
        """The role of the account or key itself, where that holds in the tenant."""
        grant = self._grant_without_proof(subject)
        return grant.role if grant is not None and grant.tenant in (tenant, EVERY_TENANT) else None

    def _grant_without_proof(self, subject: str) -> Grant | None:
        kind, _, name = subject.partition(":")
        if kind == "key":
            key = self._store.find_key_by_id(name)
            return Grant(subject, key.role, key.tenant, key.device) if key and key.opens_at(self._clock()) else None
        account = self._store.find_account(name) if kind == "user" else None
        return Grant(subject, account.role, account.tenant) if account and not account.disabled else None

    def nobody(self, tenant: str) -> Caller:
        """Who has shown no proof there."""
        held, now_s = self._anonymous.get(tenant), self._ticks_s()
        if held is None or now_s >= held[1]:
            if len(self._anonymous) >= _MOST_TENANTS:
                self._anonymous.clear()
            held = self._anonymous[tenant] = self._nobody_known(tenant), now_s + ANSWER_HOLDS_S
        return held[0]

    def _grant_of_key(self, digest: Digest) -> Grant | None:
        key = self._store.find_key(digest)
        now = self._clock()
        if key is None or not key.opens_at(now):
            return None
        if key.last_used_at is None or now - key.last_used_at >= _NOTE_USE_EVERY:
            self._store.touch_key(digest, now)
        return Grant(f"key:{key.id}", key.role, key.tenant, key.device)

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
        return Grant(f"user:{account.name}", account.role, account.tenant)

    def _nobody_known(self, tenant: str) -> Caller:
        """What is public each tenant chooses: the pool in its settings, a member in the console."""
        public = self._public if tenant == DEFAULT_TENANT else bool(self.pool.public_types(tenant))
        hides = self.roles.hidden_of(tenant, PrivacyClass.PUBLIC)
        return Caller(tenant, ANONYMOUS, Right.READ_PUBLIC if public else NOBODY, hides=hides)


def _is_key(grant: Grant) -> bool:
    return grant.subject.startswith("key:")


def _own_tenant(grant: Grant) -> str:
    return DEFAULT_TENANT if grant.tenant == EVERY_TENANT else grant.tenant


def _refuse() -> Caller:
    raise Unauthenticated(_HINT)
