"""What a bundle tells of people, keys and settings, for those who make them anew: no secret is in it."""

import json
import re
from collections.abc import Iterator, Mapping
from importlib.resources import files
from typing import Any

import msgspec

from parvis import __version__
from parvis.access.model import Account, ApiKey
from parvis.kernel.settings import Settings
from parvis.kernel.time import Instant, format_instant

_SECTIONS = ("territory", "map", "history", "access", "contexts", "subscriptions", "federation", "fleet")
_SECRET = re.compile(r"pass|secret|token|key|credential|authorization", re.IGNORECASE)
_FROM_ENVIRONMENT = re.compile(r"\$\{\w+\}")
_MASKED = ""
LEFT_OUT = (
    "Commands to devices, the last frames of devices, and frames that were refused: kept for a while only.",
    "Jobs and their results; sessions of MQTT clients; what people had open.",
    "Contexts that were fetched from elsewhere: they are fetched again.",
    "Accounts, roles and privacy classes of others, such as people of a pool who act here by a mandate.",
    "Passwords, second factors and the secrets of keys: nobody has them.",
)
_LEFT_OUT_FR = (
    "Les commandes aux appareils, leurs dernières trames et les trames refusées : gardées un temps seulement.",
    "Les tâches et leurs résultats ; les sessions des clients MQTT ; ce que chacun avait ouvert.",
    "Les contextes repris d'ailleurs : ils seront relus.",
    "Les comptes, rôles et classes des autres, comme les agents d'un groupement qui agissent ici par mandat.",
    "Mots de passe, seconds facteurs et secrets des clés : personne ne les a.",
)


def readme(settings: Settings, tenant: str, made_at: str) -> bytes:
    text = files(__package__).joinpath("readme.md").read_text("utf-8")
    values = {
        "territory": " ".join(settings.territory.name.split()),
        "tenant": tenant,
        "made_by": f"Parvis {__version__}",
        "made_at": made_at,
        "left_out": "\n".join(f"* {one}" for one in LEFT_OUT),
        "left_out_fr": "\n".join(f"* {one}" for one in _LEFT_OUT_FR),
    }
    return re.sub(r"\{(\w+)\}", lambda found: values.get(found[1], found[0]), text).encode()


def person_line(account: Account) -> bytes:
    told = {"name": account.name, "role": account.role, "createdAt": format_instant(account.created_at)}
    return msgspec.json.encode({**told, "disabled": account.disabled}) + b"\n"


def key_line(key: ApiKey) -> bytes:
    times = {
        "createdAt": key.created_at,
        "expiresAt": key.expires_at,
        "lastUsedAt": key.last_used_at,
        "revokedAt": key.revoked_at,
    }
    told = {"id": key.id, "label": key.label, "role": key.role, "device": key.device}
    return msgspec.json.encode({**told, **{name: _time(at) for name, at in times.items()}}) + b"\n"


def configuration(settings: Settings, tenant: str, default_tenant: str) -> bytes:
    """In the form of territory.toml."""
    return "\n".join(_lines(settings, tenant, default_tenant)).encode() + b"\n"


def _lines(settings: Settings, tenant: str, default_tenant: str) -> Iterator[str]:
    yield "# Settings that were about this territory. What held a secret is empty."
    for section in _SECTIONS:
        yield from ("", f"[{section}]", *_pairs(msgspec.to_builtins(getattr(settings, section))))
    for name, table in sorted(settings.connectors.items()):
        if table.get("tenant", default_tenant) == tenant:
            yield from ("", f"[connectors.{_key(name)}]", *_pairs(table))


def _pairs(table: Mapping[str, Any]) -> Iterator[str]:
    for name, value in table.items():
        yield f"{_key(name)} = {_toml(_without_secrets(name, value))}"


def _without_secrets(name: str, value: Any) -> Any:
    if isinstance(value, Mapping):
        return {inner: _without_secrets(inner, one) for inner, one in value.items()}
    if isinstance(value, list | tuple):
        return [_without_secrets(name, one) for one in value]
    if _SECRET.search(name) and isinstance(value, str) and not _FROM_ENVIRONMENT.fullmatch(value):
        return _MASKED
    return re.sub(r"//[^/@\s]+@", "//", value) if isinstance(value, str) else value


def _toml(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(name)} = {_toml(one)}" for name, one in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value, ensure_ascii=False, default=str).replace("\x7f", "\\u007f")


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else json.dumps(name)


def _time(at: Instant | None) -> str | None:
    return None if at is None else format_instant(at)
