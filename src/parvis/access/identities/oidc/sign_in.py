"""Signing in through an identity provider: authorization code flow (OpenID Connect Core 1.0, 3.1), PKCE (RFC 7636)."""

import hashlib
import hmac
import re
from base64 import urlsafe_b64encode
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from parvis.access.identities.home import home_of
from parvis.access.identities.model import Begun, ForeignIdentity
from parvis.access.identities.oidc.faults import ProviderFailed
from parvis.access.identities.oidc.provider import Provider, with_query
from parvis.access.identities.oidc.rules import Rule, find_rule, vouched
from parvis.access.identities.oidc.tokens import TokenRefused, check_id_token, check_user_info
from parvis.access.identities.sessions import SeenFrom, Sessions, SignedIn
from parvis.access.model import ELSEWHERE, Account, AuditRecord, Bound, Session, TooManyAttempts
from parvis.access.ports import AccessStore
from parvis.access.throttle import subscriber_of
from parvis.access.tokens import digest_of, new_token
from parvis.kernel.errors import Unauthenticated
from parvis.kernel.identity import ANONYMOUS
from parvis.kernel.time import MINUTE, Clock, system_clock

WITHIN = 10 * MINUTE
ALLOWED_OF_ADDRESS = 200
_NOT_IN_NAMES = re.compile(r"[^\w.@+-]")
_REFUSED = "The identity provider's answer does not let you in."


class Terms(msgspec.Struct, frozen=True):
    """What is asked of a provider, and what its answer is worth here. `key` is `staff` or `residents`."""

    key: str
    title: str
    scopes: tuple[str, ...]
    acr_values: tuple[str, ...]
    name_claim: str
    rules: Sequence[Rule]
    uses_pkce: bool = True
    asks_by_claims: bool = False


class Leaving(msgspec.Struct, frozen=True):
    """`state` goes into a cookie: only the browser that has begun may come back."""

    address: str
    state: str


class Returned(msgspec.Struct, frozen=True):
    signed_in: SignedIn
    wanted: str


class ForeignSignIn:
    def __init__(
        self,
        terms: Terms,
        provider: Provider,
        store: AccessStore,
        sessions: Sessions,
        on_change: Callable[[], None],
        clock: Clock = system_clock,
    ) -> None:
        self.terms = terms
        self._provider = provider
        self._store = store
        self._sessions = sessions
        self._on_change = on_change
        self._clock = clock

    async def begin(self, redirect_uri: str, wanted: str, seen: SeenFrom) -> Leaving:
        """Raises ProviderFailed or TooManyAttempts."""
        bound = Bound(digest_of(f"provider {subscriber_of(seen.address)}"), ALLOWED_OF_ADDRESS)
        if wait_s := self._store.count_attempt((bound,), self._clock()):
            raise TooManyAttempts(f"Too many attempts. Try again in {-(-wait_s // 60)} minutes.", wait_s)
        described = await self._provider.describe()
        state, nonce, verifier, now = new_token(), new_token(), new_token(), self._clock()
        facts = {"nonce": nonce, "verifier": verifier, "wanted": wanted, "redirect_uri": redirect_uri}
        self._store.identities.begin(Begun(digest_of(state), self._purpose, "", facts, now + WITHIN), now)
        fields = {
            "response_type": "code",
            "client_id": self._provider.client_id,
            "redirect_uri": redirect_uri,
            "scope": " ".join(self.terms.scopes),
            "state": state,
            "nonce": nonce,
            **level_asked_for(self.terms),
        }
        if self.terms.uses_pkce:
            fields |= {"code_challenge": challenge_of(verifier), "code_challenge_method": "S256"}
        return Leaving(with_query(described.authorization_endpoint, fields), state)

    async def finish(self, state: str, held: str, code: str, issuer: str, seen: SeenFrom, replaces: str) -> Returned:
        """`held` is the state in the browser's cookie, `issuer` what RFC 9207 adds to the answer, where it does.

        Raises:
            Unauthenticated: it does not say why; the audit trail does.
            ProviderFailed
        """
        try:
            return await self._finish(state, held, code, issuer, seen, replaces)
        except RefusedByTerms as refused:
            facts = {"address": seen.address, "by": self._purpose, "why": refused.why}
            self._audit(home_of(self._store, refused.who), ANONYMOUS, "sign-in-failed", refused.who[:100], **facts)
            raise

    async def _finish(self, state: str, held: str, code: str, issuer: str, seen: SeenFrom, replaces: str) -> Returned:
        begun = None
        if state and hmac.compare_digest(state.encode(), held.encode()) and issuer in ("", self._provider.issuer):
            begun = self._store.identities.finish(digest_of(state), self._purpose, self._clock())
        if begun is None or not code:
            raise RefusedByTerms("?", "state")
        try:
            claims, id_token = await self._claims(begun.facts, code)
        except TokenRefused as refused:
            raise RefusedByTerms("?", str(refused)[:200]) from refused
        rule = find_rule(self.terms.rules, claims)
        if rule is None:
            raise RefusedByTerms(claims["sub"], "no rule")
        account = self._account(claims, rule)
        with self._store.transaction():
            self._sessions.end_by_token(replaces)
            signed_in = self._sessions.begin(account, seen, self._purpose, hint=id_token)
        return Returned(signed_in, begun.facts["wanted"])

    async def find_way_out(self, session: Session, back: str) -> str | None:
        """Where the browser goes to sign out at the provider too (OpenID Connect RP-Initiated Logout 1.0)."""
        if session.method != self._purpose or not session.hint:
            return None
        try:
            described = await self._provider.describe()
        except ProviderFailed:
            return None
        if not described.end_session_endpoint:
            return None
        fields = {"id_token_hint": session.hint, "post_logout_redirect_uri": back, "state": new_token()}
        return with_query(described.end_session_endpoint, fields)

    @property
    def _purpose(self) -> str:
        return f"{self.terms.key}-provider"

    async def _claims(self, facts: dict[str, Any], code: str) -> tuple[dict[str, Any], str]:
        verifier = facts["verifier"] if self.terms.uses_pkce else ""
        tokens = await self._provider.exchange(code, verifier, facts["redirect_uri"])
        claims = await self._provider.claims_of(tokens.id_token)
        issuer, client_id = self._provider.issuer, self._provider.client_id
        check_id_token(
            claims,
            issuer=issuer,
            client_id=client_id,
            nonce=facts["nonce"],
            acr_values=self.terms.acr_values,
            now=self._clock(),
        )
        told, is_signed = await self._provider.user_info(tokens.access_token)
        if told:
            check_user_info(told, subject=claims["sub"], issuer=issuer, client_id=client_id, is_signed=is_signed)
        return told | claims, tokens.id_token

    def _account(self, claims: dict[str, Any], rule: Rule) -> Account:
        """The one that this identity has made, with the role it has today. An account of the same name that was made
        otherwise is never taken over."""
        issuer, subject, now = self._provider.issuer, claims["sub"], self._clock()
        known = self._store.identities.find_foreign(issuer, subject)
        with self._store.transaction():
            if known is None:
                account = self._new_account(claims, rule)
                known = ForeignIdentity(issuer, subject, account.name, now)
            else:
                account = self._changed(known.account, rule)
            self._store.identities.keep_foreign(msgspec.structs.replace(known, last_used_at=now))
        return account

    def _new_account(self, claims: dict[str, Any], rule: Rule) -> Account:
        name = name_of(claims, self.terms.name_claim, self._provider.issuer)
        if self._store.find_account(name) is not None:
            raise RefusedByTerms(name, "name taken")
        account = Account(name, ELSEWHERE, rule.role, rule.tenant, self._clock())
        self._store.add_account(account)
        self._note_rule(rule.tenant, "account-created", name, rule)
        return account

    def _changed(self, name: str, rule: Rule) -> Account:
        account = self._store.find_account(name)
        if account is None or account.disabled:
            raise RefusedByTerms(name, "disabled")
        if (account.role, account.tenant) == (rule.role, rule.tenant):
            return account
        changed = msgspec.structs.replace(account, role=rule.role, tenant=rule.tenant)
        self._store.replace_account(changed)
        self._store.end_sessions_of(name)
        for tenant in dict.fromkeys((account.tenant, rule.tenant)):
            self._note_rule(tenant, "account-role-changed", name, rule)
        self._on_change()
        return changed

    def _note_rule(self, there: str, action: str, name: str, rule: Rule) -> None:
        """Whoever administers the tenant sees who comes in, and who leaves it."""
        self._audit(there, f"user:{name}", action, name, role=rule.role, tenant=rule.tenant, by=self._purpose)

    def _audit(self, there: str, subject: str, action: str, what: str, **facts: str) -> None:
        self._store.append_audit(AuditRecord(self._clock(), there, subject, action, what, dict(facts)))


class RefusedByTerms(Unauthenticated):
    """`why` is told to nobody but the audit trail."""

    def __init__(self, who: str, why: str) -> None:
        super().__init__(_REFUSED)
        self.who, self.why = who, why


def level_asked_for(terms: Terms) -> dict[str, str]:
    """By the parameter, or as an essential claim of the ID token (OpenID Connect Core 1.0, 5.5.1.1)."""
    if not terms.acr_values:
        return {}
    if not terms.asks_by_claims:
        return {"acr_values": " ".join(terms.acr_values)}
    wanted = {"id_token": {"acr": {"essential": True, "values": list(terms.acr_values)}}}
    return {"claims": msgspec.json.encode(wanted).decode()}


def challenge_of(verifier: str) -> str:
    """RFC 7636, 4.2."""
    return urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


def name_of(claims: dict[str, Any], claim: str, issuer: str) -> str:
    """What the account is called; where the provider says nothing fit for it, something that tells nothing."""
    said = vouched(claims).get(claim)
    if isinstance(said, str) and said and len(said) <= 100:
        return _NOT_IN_NAMES.sub("-", said)
    mark = hashlib.sha256(f"{issuer} {claims['sub']}".encode()).hexdigest()
    return f"person-{mark[:12]}"
