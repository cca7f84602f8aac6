"""What was found of a person, as one file for them: open formats, and a page that says what is what."""

import csv
import io
import zipfile
from collections.abc import Callable, Iterable
from datetime import date
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from parvis.access.privacy.person.found import Found, Place
from parvis.kernel.durable import writing_whole
from parvis.kernel.spreadsheet import inert
from parvis.kernel.time import format_instant

README: Final = "README.md"
COLUMNS: Final = ("object", "attribute", "dataset", "time", "value")
_ENCODER = msgspec.json.Encoder()
_ENTRY_MODE = 0o600 << 16

ListFound = Callable[[], Iterable[Found]]


class Heading(NamedTuple):
    """Who gives the copy, by the name that residents know, and on which day of theirs."""

    title: str
    day: date


def write_copy(path: Path, list_found: ListFound, heading: Heading) -> int:
    """How many things are in it."""
    told = 0
    with writing_whole(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as bundle:
        bundle.writestr(_entry(README), _readme(heading))
        for name, places in _FILES.items():
            told += _write(bundle, name, (one for one in list_found() if one.is_theirs and one.place in places))
    path.chmod(0o600)
    return told


def _write(bundle: zipfile.ZipFile, name: str, found: Iterable[Found]) -> int:
    """A file that would be empty is left out."""
    count, entry = 0, None
    for one in found:
        count += 1
        if entry is None:
            entry = bundle.open(_entry(name), "w", force_zip64=True)
            if name.endswith(".csv"):
                entry.write(_row(COLUMNS))
        entry.write(_row(_cells(one)) if name.endswith(".csv") else _line(name, one))
    if entry is not None:
        entry.close()
    return count


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name)
    entry.external_attr = _ENTRY_MODE
    entry.compress_type = zipfile.ZIP_DEFLATED
    return entry


def _line(name: str, found: Found) -> bytes:
    if name == OBJECTS:
        return _ENCODER.encode(found.content) + b"\n"
    told = {"place": found.place.value, "id": found.id, "content": found.content}
    if found.at is not None:
        told["time"] = format_instant(found.at)
    return _ENCODER.encode(told) + b"\n"


def _cells(found: Found) -> tuple[str, ...]:
    value = inert(found.content) if isinstance(found.content, str) else _ENCODER.encode(found.content).decode()
    at = "" if found.at is None else format_instant(found.at)
    return found.id, found.attribute, found.dataset, at, value


def _row(cells: Iterable[str]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(list(cells))
    return text.getvalue().encode()


OBJECTS: Final = "objects.ndjson"
_FILES: Final = {
    "account.ndjson": frozenset({Place.ACCOUNT, Place.KEY}),
    OBJECTS: frozenset({Place.OBJECT}),
    "values.csv": frozenset({Place.VALUE}),
    "history.csv": frozenset({Place.PAST}),
    "subscriptions.ndjson": frozenset({Place.SUBSCRIPTION, Place.REGISTRATION}),
    "records.ndjson": frozenset(
        {Place.REFUSED_FRAME, Place.FRAME, Place.UNDELIVERED, Place.COMMAND, Place.RECORD, Place.JOB}
    ),
    "files.ndjson": frozenset({Place.FILE}),
    "audit.ndjson": frozenset({Place.AUDIT}),
}


def _readme(heading: Heading) -> str:
    day = heading.day
    number = "1er" if day.day == 1 else day.day
    return _README.format(
        title=" ".join(heading.title.split()),
        day_fr=f"{number} {_MONTHS_FR[day.month - 1]} {day.year}",
        day_en=f"{day.day} {_MONTHS_EN[day.month - 1]} {day.year}",
    )


_MONTHS_FR: Final = (
    *("janvier", "février", "mars", "avril", "mai", "juin"),
    *("juillet", "août", "septembre", "octobre", "novembre", "décembre"),
)
_MONTHS_EN: Final = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)


_README: Final = """\
# Vos données · Your data

{title}, le {day_fr} · {day_en}

## Français

Voici ce que cette plateforme détient à votre sujet (RGPD, articles 15 et 20), trouvé d’après les identifiants que vous
avez donnés. Un fichier qui serait vide n’y est pas.

| fichier | contenu |
|---|---|
| account.ndjson | votre compte, ses sessions et ses clés, sans mots de passe ni secrets |
| objects.ndjson | les objets qui vous concernent en entier, NGSI-LD (JSON-LD), un par ligne |
| values.csv | vos données dans d’autres objets, telles qu’elles sont aujourd’hui |
| history.csv | les mêmes dans le passé, et tout l’historique de vos objets |
| subscriptions.ndjson | les abonnements et sources qui vous nomment |
| records.ndjson | trames, notifications non remises, commandes et notes de la plateforme qui vous nomment |
| files.ndjson | les fichiers de la plateforme qui vous nomment : demandez-les |
| audit.ndjson | ce que le journal dit de vous : qui a fait quoi, et quand |

Les heures sont en UTC. Vous pouvez demander une rectification, un effacement, une limitation, ou vous opposer ; et
saisir la CNIL (cnil.fr). Conservez ce fichier comme une lettre personnelle.

## English

This is what this platform holds about you (GDPR, Articles 15 and 20), found by what you said you are known by. A file
that would be empty is not there.

| file | what is in it |
|---|---|
| account.ndjson | your account, its sessions and keys, without passwords and secrets |
| objects.ndjson | objects that are about you as a whole, NGSI-LD (JSON-LD), one a line |
| values.csv | your data in other objects, as they stand today |
| history.csv | the same in the past, and the whole history of your objects |
| subscriptions.ndjson | subscriptions and sources that name you |
| records.ndjson | frames, notifications that were not delivered, commands and notes of the platform that name you |
| files.ndjson | files on the platform that name you: ask for them |
| audit.ndjson | what the audit trail tells of you: who did what, and when |

Times are in UTC. You may ask for rectification, erasure or restriction, or object; and complain to your data protection
authority. Keep this file like a personal letter.
"""
