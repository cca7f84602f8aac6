"""The columns of a file of devices, in English and French, and what may be wrong with a cell."""

import re
import unicodedata
from collections.abc import Sequence
from enum import Enum

import msgspec

from parvis.fleet.devices.records import DeviceRecord

LONGEST_TEXT = 256
ATTRIBUTE = "attribute:"
"""Further columns that begin so give the asset a static attribute of that name."""


class Column(Enum):
    """A column of the file: what it is called in English and French, and other names of it."""

    HARDWARE_ID = ("hardware_id", "identifiant", "deveui", "dev_eui", "imei", "id_materiel", "identifiant_materiel")
    PROFILE = ("profile", "profil", "device_profile", "modele_de_decodage")
    ENTITY_ID = ("entity_id", "objet", "asset", "asset_id", "id_objet")
    ENTITY_TYPE = ("entity_type", "type_objet", "type", "type_d_objet")
    NAME = ("name", "nom", "label", "libelle")
    LATITUDE = ("latitude", "lat", "y")
    LONGITUDE = ("longitude", "lon", "lng", "long", "x")
    TECHNOLOGY = ("technology", "technologie", "reseau", "network")
    GROUPS = ("groups", "groupes", "group", "groupe")
    TAGS = ("tags", "etiquettes", "tag", "etiquette", "mots_cles", "mot_cle")
    EXPECTED_INTERVAL = ("expected_interval", "intervalle_attendu", "interval", "intervalle", "periode")
    SERIAL_NUMBER = ("serial_number", "numero_de_serie", "serial", "sn")
    MANUFACTURER = ("manufacturer", "fabricant", "vendor", "maker")
    MODEL = ("model", "modele")

    @property
    def english(self) -> str:
        names: tuple[str, ...] = self.value
        return names[0]

    @property
    def french(self) -> str:
        """As a person writes it."""
        names: tuple[str, ...] = self.value
        return _FRENCH.get(names[1], names[1])


_FRENCH = {
    "type_objet": "type d’objet",
    "etiquettes": "étiquettes",
    "intervalle_attendu": "intervalle attendu",
    "numero_de_serie": "numéro de série",
    "modele": "modèle",
    "lat": "latitude",
    "lon": "longitude",
}


class LineFault(Enum):
    MISSING = "missing"  # nothing in a column that is needed
    NO_HARDWARE_ID = "no-hardware-id"
    REPEATED = "repeated"  # the device stands in an earlier line
    UNKNOWN_PROFILE = "unknown-profile"
    NO_ENTITY_ID = "no-entity-id"
    NO_PLACE = "no-place"  # latitude and longitude in degrees, both or neither
    UNKNOWN_TECHNOLOGY = "unknown-technology"
    NO_INTERVAL = "no-interval"
    TOO_MUCH = "too-much"  # too many words, or a text that is too long
    TOO_MANY_CELLS = "too-many-cells"
    NOT_WRITTEN = "not-written"  # the broker refused it


class Fault(msgspec.Struct, frozen=True):
    """`line` counts as a text editor does, the header being 1. `detail` is what a program wrote, for experts."""

    line: int
    column: str
    fault: LineFault
    text: str = ""
    detail: str = ""


class Line(msgspec.Struct, frozen=True):
    """`record` is None where there are faults."""

    number: int
    record: DeviceRecord | None
    faults: tuple[Fault, ...] = ()


def find_columns(header: Sequence[str]) -> tuple[dict[int, Column | str], tuple[str, ...]]:
    """By place; a text is a static attribute's name."""
    known = {alias: column for column in Column for alias in column.value}
    columns: dict[int, Column | str] = {}
    left_out = []
    for index, name in enumerate(header):
        column = known.get(_plain(name))
        if column is not None and column not in columns.values():
            columns[index] = column
        elif name.startswith(ATTRIBUTE) and name.removeprefix(ATTRIBUTE).strip():
            columns[index] = name.removeprefix(ATTRIBUTE).strip()
        elif name:
            left_out.append(name[:LONGEST_TEXT])
    return columns, tuple(left_out)


def _plain(name: str) -> str:
    bare = unicodedata.normalize("NFKD", name.casefold())
    words = re.findall("[a-z0-9]+", "".join(one for one in bare if not unicodedata.combining(one)))
    return "_".join(words)
