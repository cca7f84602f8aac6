"""What an installation can set: one documented tree, from file, environment and command line."""

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from pathlib import Path
from typing import Any, get_type_hints

from parvis.kernel.backup_settings import NO_BACKUPS, BackupSettings
from parvis.kernel.errors import ParvisError
from parvis.kernel.provider_settings import NO_RESIDENTS, NO_STAFF, ResidentIdentitySettings, StaffIdentitySettings
from parvis.kernel.setting import Documentation as Documentation
from parvis.kernel.setting import setting as _setting

TERRITORY_FILE = "territory.toml"
ENVIRONMENT_PREFIX = "PARVIS_"
DATA_VARIABLE = "PARVIS_DATA"
"""Where the installation is: it says where its settings are, so it is none of them."""
CONNECTORS = "connectors"


class InvalidSettings(ParvisError):
    title = "The settings cannot be used"


@dataclass(frozen=True, slots=True)
class TerritorySettings:
    """The place and its people."""

    name: str = _setting("My territory", "The territory's name, as residents read it.")
    languages: tuple[str, ...] = _setting(
        ("fr", "en"), "Languages of the pages, the first one where a visitor states none.", choices=("fr", "en")
    )
    time_zone: str = _setting("Europe/Paris", "IANA time zone in which dates are shown.")
    centre: tuple[float, ...] = _setting((2.35, 46.6), "Where the map opens: longitude, latitude (WGS 84).")
    zoom: float = _setting(5.5, "The map's zoom at the start.", minimum=0, maximum=22)
    code: str = _setting("", "Its official code: in France INSEE's of a commune, the SIREN of a group of communes.")
    communes: tuple[str, ...] = _setting((), 'The communes it is made of: official code and name, "56121 Lorient".')


@dataclass(frozen=True, slots=True)
class MapSettings:
    """The ground under the map."""

    ground: str = _setting(
        "",
        "A PMTiles file with vector tiles, or a GeoJSON file with outlines, in the data directory or by its whole path;"
        " empty: base-map.pmtiles in the data directory, where it is there.",
    )
    style_url: str = _setting(
        "",
        "Address of a MapLibre style of your own server instead. Visitors' browsers then ask that server.",
    )
    style_origins: tuple[str, ...] = _setting(
        (), "Further origins that the style's tiles, fonts and pictures come from, such as https://tiles.town.example."
    )


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """The way in over HTTP."""

    host: str = _setting("127.0.0.1", "Address to listen on.", environment="PARVIS_HOST")
    port: int = _setting(8080, "Port to listen on.", environment="PARVIS_PORT", minimum=0, maximum=65535)
    public_url: str = _setting("", "The address people type, such as https://data.town.example; empty: as bound.")
    trusted_proxies: tuple[str, ...] = _setting(
        (), "Addresses of reverse proxies whose X-Forwarded-* headers are believed."
    )
    body_limit_bytes: int = _setting(16_777_216, "The largest request body taken.", minimum=1024)
    workers: int = _setting(
        1, "Processes that serve; more than one needs a store on PostgreSQL.", minimum=1, maximum=64
    )
    tls_subdomains: bool = _setting(
        False, "Behind TLS: browsers reach the names below this one by TLS only, too (Strict-Transport-Security)."
    )
    stop_timeout_s: float = _setting(5.0, "How long open requests may take to end when stopping.", minimum=0)


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """Where state and history are kept."""

    url: str = _setting(
        "",
        "Empty: the file parvis.db in the data directory. sqlite:///PATH names another;"
        " postgresql://USER@HOST/DATABASE keeps everything on PostgreSQL, for several processes.",
        secret=True,
    )


@dataclass(frozen=True, slots=True)
class HistorySettings:
    """How long the past stays at hand, and how long it is kept."""

    archive_after_days: int = _setting(
        31, "Days that ended so long ago move into the archive, by night; 0: none does, and nothing expires.", minimum=0
    )
    keep: tuple[str, ...] = _setting(
        (),
        'How many days the past of a type, or of one of its attributes, is kept: "WasteContainer 730",'
        ' "WasteContainer batteryLevel 90". What no line names is kept for ever.',
    )
    most_instances: int = _setting(
        1000,
        "So many instances of each attribute one answer tells; of the rest it says where it begins (206).",
        minimum=1,
    )


@dataclass(frozen=True, slots=True)
class ArchiveSettings:
    """The files that history of closed days is moved to, and the engine that reads them."""

    url: str = _setting(
        "", "Empty: the folder archive in the data directory. Another folder, or s3://BUCKET/PREFIX (parvis[s3])."
    )
    threads: int = _setting(2, "Threads of one read.", minimum=1)
    memory_mib: int = _setting(256, "What reads may hold in memory, together; the rest goes to disk.", minimum=64)
    spill_mib: int = _setting(4096, "What reads, or a file being made, may put on the disk beside it.", minimum=0)


@dataclass(frozen=True, slots=True)
class AccessSettings:
    """Who may do what."""

    auth: bool = _setting(
        True, "Off: everyone may do everything. Only possible on a loopback address.", environment="PARVIS_AUTH"
    )
    public_types: tuple[str, ...] = _setting(
        (), "Entity types (short names or IRIs) that everyone may read without signing in."
    )
    session_hours: float = _setting(12.0, "A session ends so long after signing in.", minimum=0.1)
    idle_minutes: float = _setting(120.0, "A session ends after so long without a request.", minimum=1)
    shortest_password: int = _setting(12, "How many characters a new password has at least.", minimum=8, maximum=64)
    breached_passwords: str = _setting(
        "",
        "A file of stolen passwords that are refused: their SHA-1 hashes in order, one a line, as Have I Been Pwned has"
        " them; empty: the common ones that Parvis knows by itself.",
    )
    second_factor_roles: tuple[str, ...] = _setting(
        (), "Roles that nobody signs in to by a password alone; who has no second factor yet sets one up then."
    )


@dataclass(frozen=True, slots=True)
class LimitSettings:
    """How much one caller may ask for, in each process that serves; 0: any. Who asks for more gets 429 for a while."""

    address_per_s: float = _setting(
        30.0,
        "Requests a second of those who are not signed in, together from one network (IPv4 /24, IPv6 /64).",
        minimum=0,
    )
    address_burst: float = _setting(600.0, "So many of them at once.", minimum=1)
    identity_per_s: float = _setting(1000.0, "Requests a second of one account or API key.", minimum=0)
    identity_burst: float = _setting(10_000.0, "So many of them at once.", minimum=1)
    costly_per_min: float = _setting(
        600.0,
        "Of these, what costs much: searches, downloads, charts, history, live lines and forms, a minute, of one"
        " account, key or network.",
        minimum=0,
    )
    costly_burst: float = _setting(300.0, "So many of them at once.", minimum=1)


@dataclass(frozen=True, slots=True)
class AuditSettings:
    """Where the audit trail goes as well: a server of your own shows when its end was cut off here."""

    forward: str = _setting("", 'A syslog server: "tls://host:6514", or "tcp://host:601" within a network of your own.')
    format: str = _setting("ocsf", "How each entry is written.", choices=("ocsf", "cef", "json"))


@dataclass(frozen=True, slots=True)
class MqttSettings:
    """The way in over MQTT."""

    enabled: bool = _setting(True, "Whether the MQTT listener runs.")
    host: str = _setting("127.0.0.1", "Address to listen on.")
    port: int = _setting(1883, "Port to listen on; 0 takes a free one.", minimum=0, maximum=65535)
    anonymous: bool = _setting(
        False, "Whether clients from a loopback address may publish without a password (an API key)."
    )
    rules: tuple[str, ...] = _setting(
        (),
        "What a key may publish and subscribe to instead of what its role gives: lines SUBJECT publish|subscribe|both"
        ' FILTER, such as "key:1a2b3c4d publish gateways/north/#". {hardware_id} and {client_id} stand for those of the'
        " client; the subject device is every key or certificate of one device.",
    )
    session_days: float = _setting(
        7.0, "How long a client's subscriptions and messages wait for it to come back.", minimum=0, maximum=365
    )
    connections_of_address: int = _setting(5000, "How many clients may be connected from one address.", minimum=1)
    tls_certificate: str = _setting("", "PEM file with the server's certificate and its chain; empty: no TLS.")
    tls_key: str = _setting("", "PEM file with the key of that certificate. Renewed files are noticed.")
    tls_host: str = _setting("127.0.0.1", "Address to listen on with TLS.")
    tls_port: int = _setting(8883, "Port to listen on with TLS; 0 takes a free one.", minimum=0, maximum=65535)
    tls_client_ca: str = _setting(
        "", "PEM file with the authority whose certificates open for the devices they name; empty: none is asked for."
    )
    tls_clients: str = _setting(
        "may", "Whether clients may or must show a certificate of that authority.", choices=("may", "must")
    )


@dataclass(frozen=True, slots=True)
class FleetSettings:
    """What devices send."""

    future_limit_h: float = _setting(
        24.0, "A frame dated further ahead of the clock, in hours, is refused; 0 takes any.", minimum=0
    )
    device_frames_per_s: float = _setting(
        20.0, "So many frames a second one device may send for long; further ones are refused; 0: any.", minimum=0
    )
    device_frames_burst: float = _setting(
        20_000.0, "So many it may send at once, such as what a gateway has buffered for days.", minimum=1
    )
    quarantine_frames: int = _setting(
        50_000, "Frames of unknown devices that wait, of each tenant; more are refused and counted.", minimum=0
    )
    quarantine_frames_of_device: int = _setting(
        1_000, "Frames that wait of one unknown device; more are refused and counted.", minimum=0
    )
    quarantine_days: int = _setting(90, "How long frames of unknown devices wait; 0: for ever.", minimum=0)
    last_frames: int = _setting(50, "The last frames of each device that can be looked at.", minimum=1, maximum=1_000)
    codecs_apart: str = _setting(
        "brought",
        "Which codecs run in processes of their own: none, those of profiles that a tenant brought, or all.",
        choices=("none", "brought", "all"),
    )


@dataclass(frozen=True, slots=True)
class JobsSettings:
    """Work that runs later."""

    worker_processes: int = _setting(
        1, "Heavy jobs at once, each in a process of its own; 0 leaves them to other platforms on the store.", minimum=0
    )
    keep_days: float = _setting(30.0, "How long jobs that have ended can be looked at.", minimum=0)


@dataclass(frozen=True, slots=True)
class OutboundSettings:
    """Requests of the platform to addresses that users gave."""

    allow: tuple[str, ...] = _setting(
        (),
        "Private networks (CIDR), or single ports of addresses, that such requests may reach, for instance 10.1.0.0/16"
        " or 10.1.0.7:8080.",
    )
    timeout_s: float = _setting(10.0, "The longest such a request may take, redirects included.", minimum=0.1)
    limit_bytes: int = _setting(2_097_152, "The largest answer read.", minimum=1024)


@dataclass(frozen=True, slots=True)
class ContextSettings:
    """Where @contexts are read."""

    files: tuple[str, ...] = _setting(
        (),
        "@contexts that are read from a file instead of their address, for an installation without network:"
        ' lines URL PATH, such as "https://data.town.example/context.jsonld /etc/parvis/context.jsonld".',
    )


@dataclass(frozen=True, slots=True)
class SubscriptionSettings:
    """Who wants to be told of changes."""

    max_per_tenant: int = _setting(
        1000, "So many subscriptions a tenant may have; a further one is refused.", minimum=0, maximum=100_000
    )


@dataclass(frozen=True, slots=True)
class FederationSettings:
    """Other brokers that answer for a part of the territory."""

    max_registrations: int = _setting(
        1000, "So many context sources a tenant may register; a further one is refused.", minimum=0, maximum=10_000
    )
    timeout_s: float = _setting(
        5.0, "How long a source may take that says nothing else in its registration.", minimum=0.1, maximum=60
    )
    limit_bytes: int = _setting(16_777_216, "The largest answer of a source that is read.", minimum=1024)
    at_once: int = _setting(64, "So many calls to sources are under way at once.", minimum=1, maximum=1000)


@dataclass(frozen=True, slots=True)
class NotificationSettings:
    """Notifications of subscriptions."""

    enabled: bool = _setting(True, "Whether this process may notify; off: another one does, or events wait.")
    give_up_after_h: float = _setting(
        24.0, "A notification that its receiver did not take for so long, in hours, becomes a dead letter.", minimum=0
    )
    backlog_events: int = _setting(
        1_000_000, "So does one that this many events have followed: no receiver keeps more of them.", minimum=1000
    )
    dead_letters: int = _setting(
        1000, "Dead letters kept for each subscription; the oldest go for newer ones.", minimum=1, maximum=100_000
    )


@dataclass(frozen=True, slots=True)
class LogSettings:
    """What is told while running."""

    level: str = _setting("info", "How much.", choices=("debug", "info", "warning", "error"))
    format: str = _setting("readable", "For people, or one JSON object a line.", choices=("readable", "json"))


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of an installation; `data_dir` is where everything it keeps lies."""

    data_dir: Path
    territory: TerritorySettings = TerritorySettings()
    map: MapSettings = MapSettings()
    server: ServerSettings = ServerSettings()
    store: StoreSettings = StoreSettings()
    history: HistorySettings = HistorySettings()
    archive: ArchiveSettings = ArchiveSettings()
    access: AccessSettings = AccessSettings()
    limits: LimitSettings = LimitSettings()
    staff_identity: StaffIdentitySettings = NO_STAFF
    resident_identity: ResidentIdentitySettings = NO_RESIDENTS
    audit: AuditSettings = AuditSettings()
    backup: BackupSettings = NO_BACKUPS
    mqtt: MqttSettings = MqttSettings()
    fleet: FleetSettings = FleetSettings()
    jobs: JobsSettings = JobsSettings()
    outbound: OutboundSettings = OutboundSettings()
    contexts: ContextSettings = ContextSettings()
    subscriptions: SubscriptionSettings = SubscriptionSettings()
    federation: FederationSettings = FederationSettings()
    notifications: NotificationSettings = NotificationSettings()
    log: LogSettings = LogSettings()
    connectors: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """`[connectors.<name>]` of the file, as each connector reads it."""

    @property
    def public(self) -> bool:
        return bool(self.access.public_types)


@dataclass(frozen=True, slots=True)
class SettingInfo:
    """One setting as the reference page, `territory.toml` and the checks see it."""

    section: str
    name: str
    type: Any
    default: Any
    documentation: Documentation

    @property
    def key(self) -> str:
        return f"{self.section}.{self.name}"

    @property
    def environment(self) -> str:
        return self.documentation.environment or f"{ENVIRONMENT_PREFIX}{self.section}_{self.name}".upper()


def sections() -> Mapping[str, type[Any]]:
    hints = get_type_hints(Settings)
    return {one.name: hints[one.name] for one in fields(Settings) if one.name not in ("data_dir", CONNECTORS)}


def list_settings() -> list[SettingInfo]:
    return list(SETTINGS.values())


def _describe() -> Iterator[SettingInfo]:
    for section, owner in sections().items():
        hints = get_type_hints(owner)
        for one in fields(owner):
            yield SettingInfo(section, one.name, hints[one.name], _default(one), one.metadata["documentation"])


def _default(one: Field[Any]) -> Any:
    assert one.default is not MISSING
    return one.default


SETTINGS = {info.key: info for info in _describe()}
