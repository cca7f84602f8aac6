"""What a provider signs is judged claim by claim; the keys are real ones."""

from typing import Any

import msgspec
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OctKey, RSAKey

from parvis.access.identities.oidc.rules import find_rule, parse_rule, residents_only
from parvis.access.identities.oidc.sign_in import Terms, challenge_of, level_asked_for, name_of
from parvis.access.identities.oidc.tokens import TokenRefused, check_id_token, check_user_info, signed_claims
from parvis.kernel.errors import BadRequestData
from parvis.kernel.time import SECOND

ISSUER, CLIENT, NOW_S = "https://id.example", "parvis", 1_800_000_000
KEY = RSAKey.generate_key(2048, {"kid": "one"})
KEYS = KeySet([KEY])
CLAIMS: dict[str, Any] = {
    "iss": ISSUER,
    "aud": CLIENT,
    "sub": "abc",
    "exp": NOW_S + 60,
    "iat": NOW_S,
    "nonce": "n",
    "acr": "eidas2",
}


def check(**changed: Any) -> None:
    claims = {name: value for name, value in (CLAIMS | changed).items() if value is not None}
    check_id_token(
        claims, issuer=ISSUER, client_id=CLIENT, nonce="n", acr_values=("eidas2", "eidas3"), now=NOW_S * SECOND
    )


def test_a_token_as_it_should_be_is_taken() -> None:
    check()
    check(aud=["other", CLIENT], azp=CLIENT)
    check(acr="eidas3", exp=NOW_S - 60)


@pytest.mark.parametrize(
    "changed",
    [
        {"iss": "https://id.example/"},
        {"aud": "other"},
        {"aud": None},
        {"aud": [CLIENT, "other"], "azp": "other"},
        {"exp": NOW_S - 121},
        {"exp": None},
        {"exp": "tomorrow"},
        {"iat": NOW_S + 121},
        {"nonce": "m"},
        {"nonce": None},
        {"sub": None},
        {"sub": ""},
        {"sub": 7},
        {"acr": "eidas1"},
        {"acr": None},
    ],
)
def test_each_claim_that_is_wrong_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(TokenRefused):
        check(**changed)


def test_only_the_providers_own_keys_sign() -> None:
    assert signed_claims(jwt.encode({"alg": "RS256", "kid": "one"}, CLAIMS, KEY), KEYS)["sub"] == "abc"
    other = RSAKey.generate_key(2048, {"kid": "one"})
    secret = OctKey.import_key(b"the secret of the client, known to it too", {"kid": "one"})
    elliptic = ECKey.generate_key("P-256", {"kid": "two"})
    forged = [
        jwt.encode({"alg": "RS256", "kid": "one"}, CLAIMS, other),
        jwt.encode({"alg": "HS256", "kid": "one"}, CLAIMS, secret),
        jwt.encode({"alg": "ES256", "kid": "two"}, CLAIMS, elliptic),
        "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhYmMifQ.",
        "no token",
        "",
    ]
    for token in forged:
        with pytest.raises(TokenRefused):
            signed_claims(token, KEYS)


def test_user_info_is_of_the_same_person_and_signed_for_this_platform() -> None:
    """ProConnect's and FranceConnect's come as a signed JWT."""
    told = {"sub": "abc", "email": "odile@mairie.example"}
    same = {"subject": "abc", "issuer": ISSUER, "client_id": CLIENT}
    check_user_info(told, **same, is_signed=False)
    check_user_info(told | {"iss": ISSUER, "aud": CLIENT}, **same, is_signed=True)
    for changed in ({"sub": "xyz"}, {"iss": "https://evil.example"}, {"aud": "other"}):
        with pytest.raises(TokenRefused):
            check_user_info(told | changed, **same, is_signed=True)


def test_the_first_rule_that_fits_counts() -> None:
    lines = ("groups agents operator", "siret 21350288200018 reader port", "email *@mairie.example reader")
    rules = [parse_rule(line) for line in lines]
    found = [
        find_rule(rules, claims)
        for claims in (
            {"groups": ["x", "Agents"], "email": "a@mairie.example"},
            {"siret": "21350288200018"},
            {"email": "A@Mairie.Example"},
            {"email": "a@mairie.example.evil.example", "groups": ["agents-of-others"]},
            {"groups": None},
        )
    ]
    assert [rule and (rule.role, rule.tenant) for rule in found] == [
        ("operator", "default"),
        ("reader", "port"),
        ("reader", "default"),
        None,
        None,
    ]


@pytest.mark.parametrize(("verified", "fits"), [(True, True), ("true", True), (False, False), ("False", False)])
def test_an_address_that_is_not_verified_gives_no_role_and_no_name(verified: object, fits: bool) -> None:
    claims = {"sub": "1", "email": "maire@mairie.example", "email_verified": verified}
    rules = [parse_rule("email *@mairie.example administrator"), parse_rule("sub * resident")]
    found = find_rule(rules, claims)
    assert found is not None
    assert (found.role == "administrator") is fits
    assert (name_of(claims, "email", ISSUER) == "maire@mairie.example") is fits


@pytest.mark.parametrize(
    "line", ["", "groups agents", "groups agents device", "groups agents administrator *", "a b c d e"]
)
def test_a_rule_that_cannot_be_is_refused(line: str) -> None:
    with pytest.raises(BadRequestData):
        parse_rule(line)


def test_residents_get_nothing_but_their_role() -> None:
    assert residents_only([parse_rule("sub * resident")])
    with pytest.raises(BadRequestData):
        residents_only([parse_rule("sub * reader")])


def test_the_challenge_of_rfc_7636_appendix_b() -> None:
    assert challenge_of("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk") == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_a_name_is_what_the_provider_says_or_tells_nothing() -> None:
    assert name_of({"sub": "abc", "email": "o dile@mairie.example"}, "email", ISSUER) == "o-dile@mairie.example"
    for claims in ({"sub": "abc"}, {"sub": "abc", "email": ["x"]}, {"sub": "abc", "email": "x" * 101}):
        assert name_of(claims, "email", ISSUER) == name_of({"sub": "abc"}, "", ISSUER)
    assert "abc" not in name_of({"sub": "abc"}, "", ISSUER)


def test_a_level_is_asked_for_as_the_provider_wants_it() -> None:
    terms = Terms("staff", "ProConnect", ("openid",), ("eidas2", "eidas3"), "email", [])
    assert level_asked_for(terms) == {"acr_values": "eidas2 eidas3"}
    told = level_asked_for(msgspec.structs.replace(terms, asks_by_claims=True))
    assert msgspec.json.decode(told["claims"]) == {
        "id_token": {"acr": {"essential": True, "values": ["eidas2", "eidas3"]}}
    }
    assert level_asked_for(msgspec.structs.replace(terms, acr_values=())) == {}
