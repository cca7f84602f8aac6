"""An identity provider as it describes itself (OpenID Connect Discovery 1.0), and what it is asked."""

from base64 import b64encode
from collections.abc import Mapping
from typing import Any, TypeVar
from urllib.parse import quote, urlencode, urlsplit

import msgspec
from joserfc.jwk import KeySet

from parvis.access.identities.oidc.faults import ProviderFailed
from parvis.access.identities.oidc.tokens import TokenRefused, signed_claims
from parvis.kernel.errors import ParvisError
from parvis.kernel.hosts import is_loopback
from parvis.kernel.outbound import OutboundHttp
from parvis.kernel.time import HOUR, MINUTE, Clock, Instant

DESCRIPTION_HOLDS = HOUR
NEW_KEYS_AFTER = MINUTE
"""So long at least between two looks for new keys, whatever tokens come."""
_JSON = ("application/json", "application/jwk-set+json")
_SIGNED = "application/jwt"
_Told = TypeVar("_Told")


class Description(msgspec.Struct, frozen=True):
    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str = ""
    end_session_endpoint: str = ""
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)


class Tokens(msgspec.Struct, frozen=True):
    id_token: str
    access_token: str = ""


class Provider:
    def __init__(self, issuer: str, client_id: str, client_secret: str, outbound: OutboundHttp, clock: Clock) -> None:
        self.issuer = issuer
        self.client_id = client_id
        self._client_secret = client_secret
        self._outbound = outbound
        self._clock = clock
        self._described: tuple[Description, Instant] | None = None
        self._keys: tuple[KeySet, Instant] | None = None

    async def describe(self) -> Description:
        """Raises ProviderFailed."""
        now = self._clock()
        if self._described is not None and now - self._described[1] < DESCRIPTION_HOLDS:
            return self._described[0]
        found = _read(Description, await self._get(f"{self.issuer.rstrip('/')}/.well-known/openid-configuration"))
        if found.issuer != self.issuer:
            raise ProviderFailed(f"The identity provider calls itself {found.issuer[:200]}, and not {self.issuer}.")
        for address in (found.authorization_endpoint, found.token_endpoint, found.jwks_uri):
            _check_address(address)
        self._described = (found, now)
        return found

    async def exchange(self, code: str, verifier: str, redirect_uri: str) -> Tokens:
        """Raises ProviderFailed."""
        described = await self.describe()
        fields = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
        }
        if verifier:
            fields["code_verifier"] = verifier
        headers = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}
        if "client_secret_basic" in described.token_endpoint_auth_methods_supported:
            pair = f"{quote(self.client_id, safe='')}:{quote(self._client_secret, safe='')}"
            headers["authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
        else:
            fields |= {"client_id": self.client_id, "client_secret": self._client_secret}
        try:
            answer = await self._outbound.post(described.token_endpoint, urlencode(fields).encode(), headers)
        except ParvisError as error:
            raise ProviderFailed("The identity provider cannot be reached.") from error
        if answer.status != 200:
            raise ProviderFailed(f"The identity provider did not take the code (status {answer.status}).")
        return _read(Tokens, answer.body)

    async def user_info(self, access_token: str) -> tuple[dict[str, Any], bool]:
        """And whether it was signed, as ProConnect's and FranceConnect's are. Raises ProviderFailed or TokenRefused."""
        described = await self.describe()
        if not described.userinfo_endpoint or not access_token:
            return {}, False
        try:
            answer = await self._outbound.get(
                described.userinfo_endpoint,
                accept=("application/json", _SIGNED),
                headers={"authorization": f"Bearer {access_token}"},
            )
        except ParvisError as error:
            raise ProviderFailed("The identity provider does not say who it is.") from error
        if answer.media_type == _SIGNED:
            return await self.claims_of(answer.body.decode("ascii", "replace").strip()), True
        return _read(dict[str, Any], answer.body), False

    async def claims_of(self, token: str) -> dict[str, Any]:
        """Of a token that it has signed; for a key that is not known yet its keys are asked for anew.

        Raises:
            ProviderFailed or TokenRefused
        """
        keys, read_at = await self._known_keys()
        try:
            return signed_claims(token, keys)
        except TokenRefused as refused:
            if not refused.is_key_unknown or self._clock() - read_at < NEW_KEYS_AFTER:
                raise
        return signed_claims(token, await self._read_keys())

    async def _known_keys(self) -> tuple[KeySet, Instant]:
        if self._keys is None or self._clock() - self._keys[1] >= DESCRIPTION_HOLDS:
            return await self._read_keys(), self._clock()
        return self._keys

    async def _read_keys(self) -> KeySet:
        document = await self._get((await self.describe()).jwks_uri)
        try:
            keys = KeySet.import_key_set(msgspec.json.decode(document))
        except Exception as error:
            raise ProviderFailed("The identity provider's keys cannot be read.") from error
        self._keys = (keys, self._clock())
        return keys

    async def _get(self, address: str) -> bytes:
        _check_address(address)
        try:
            return (await self._outbound.get(address, accept=_JSON)).body
        except ParvisError as error:
            raise ProviderFailed("The identity provider cannot be reached.") from error


def with_query(address: str, fields: Mapping[str, str]) -> str:
    return f"{address}{'&' if urlsplit(address).query else '?'}{urlencode(fields)}"


def _check_address(address: str) -> None:
    parts = urlsplit(address)
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname or "")):
        raise ProviderFailed(f"{address[:200]} is no address with https.")


def _read(kind: type[_Told], body: bytes) -> _Told:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ProviderFailed("The identity provider's answer cannot be read.") from error
