"""What the national services answer: the shapes of their documentation, with values of an invented nature.

Hub'Eau, API Hydrométrie v2 (https://hubeau.eaufrance.fr/page/api-hydrometrie); LCSQA, flux E2 (on data.gouv.fr); Météo-
France, DPObs (https://portail-api.meteofrance.fr/). What each measures is there some minutes later.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

import msgspec
import numpy as np

from parvis.demo.readings.scene import Scene
from parvis.demo.services.measured import is_up, measure
from parvis.demo.services.stations import PATHS, Service, Station, stations_of

RIVERS_EVERY_S, RIVERS_LATER_S, RIVERS_HELD_S = 600, 180, 24 * 3600
AIR_LATER_S = 1500
WEATHER_EVERY_S, WEATHER_LATER_S = 360, 120
AGAIN_AFTER_S = 60
KELVIN = 273.15
POLLUTANTS = {"NO2": "no2", "O3": "o3", "PM10": "pm10", "PM2.5": "pm25"}
E2_COLUMNS = (
    "Date de début;Date de fin;Organisme;code zas;Zas;code site;nom site;type d'implantation;Polluant;"
    "type d'influence;discriminant;Réglementaire;type d'évaluation;procédure de mesure;type de valeur;valeur;"
    "valeur brute;unité de mesure;taux de saisie;couverture temporelle;couverture de données;code qualité;validité"
)
_E2_FILE = re.compile(r"/lcsqa/temps-reel/\d{4}/FR_E2_(\d{4}-\d\d-\d\d)\.csv")


class Asked(NamedTuple):
    """`headers` by their names in lower case."""

    target: str
    headers: Mapping[str, str]


class Answer(NamedTuple):
    status: int
    body: bytes = b""
    media_type: str = "text/plain"
    headers: Mapping[str, str] = {}


class Moment(NamedTuple):
    """The services at an instant of the devices' time; `places` are longitude and latitude by station."""

    scene: Scene
    places: Mapping[str, tuple[float, float]]
    now_s: float


def answer(asked: Asked, at: Moment) -> Answer:
    """A service that the story has taken down says when to ask again; what has not changed is not told again."""
    parts = urlsplit(asked.target)
    query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    service = _service(parts.path)
    if service is None:
        return Answer(404)
    if not is_up(service, at.scene, at.now_s):
        return Answer(503, headers={"retry-after": str(AGAIN_AFTER_S)})
    told = _ANSWERS[service](parts.path, query, asked.headers, at)
    if told.status != 200:
        return told
    tag = f'"{hashlib.sha256(told.body).hexdigest()[:16]}"'
    if asked.headers.get("if-none-match") == tag:
        return Answer(304, headers={"etag": tag})
    return told._replace(headers={"etag": tag})


def _service(path: str) -> Service | None:
    if _E2_FILE.fullmatch(path):
        return Service.AIR
    return next((service for service, own in PATHS.items() if own == path), None)


def _json(document: Any) -> Answer:
    return Answer(200, msgspec.json.encode(document), "application/json")


def _rivers(path: str, query: Mapping[str, str], headers: Mapping[str, str], at: Moment) -> Answer:
    """The newest first."""
    wanted = query.get("code_entite", "").split(",")
    since_s = max(_seconds(query.get("date_debut_obs", "")), at.now_s - RIVERS_HELD_S)
    until_s = (at.now_s - RIVERS_LATER_S) // RIVERS_EVERY_S * RIVERS_EVERY_S
    first_s = -(-since_s // RIVERS_EVERY_S) * RIVERS_EVERY_S
    times = np.arange(first_s, until_s + 1, RIVERS_EVERY_S)[::-1]
    stations = [one for one in stations_of(Service.RIVERS) if one.code in wanted]
    data = [record for one in stations for record in _river(one, at, times)]
    return _json({"count": len(data), "first": None, "last": None, "prev": None, "next": None, "data": data})


def _river(station: Station, at: Moment, times: Any) -> Iterator[dict[str, Any]]:
    lon, lat = at.places[station.code]
    columns = measure(station, at.scene, times)
    for quantity, field in (("H", "height_m"), ("Q", "flow_m3_per_s")):
        for time_s, value in zip(times.tolist(), columns[field].tolist(), strict=True):
            yield {
                "code_site": station.code[:8],
                "code_station": station.code,
                "grandeur_hydro": quantity,
                "date_debut_serie": _iso(float(times[-1])),
                "date_fin_serie": _iso(float(times[0])),
                "statut_serie": 4,
                "date_obs": _iso(time_s),
                "resultat_obs": round(1000 * value, 1),
                "code_methode_obs": 0,
                "libelle_methode_obs": "Mesurée",
                "code_qualification_obs": 16,
                "libelle_qualification_obs": "Non qualifiée",
                "longitude": lon,
                "latitude": lat,
            }


def _air(path: str, query: Mapping[str, str], headers: Mapping[str, str], at: Moment) -> Answer:
    """The hours of a day as far as they are there."""
    found = _E2_FILE.fullmatch(path)
    begins_s = _seconds(f"{found[1]}T00:00:00Z" if found else "")
    ends_s = begins_s + np.arange(3600.0, 86_401, 3600)
    ends_s = ends_s[ends_s + AIR_LATER_S <= at.now_s]
    if not begins_s or not len(ends_s):
        return Answer(404)
    lines = [line for one in stations_of(Service.AIR) for line in _hours(one, at, ends_s)]
    return Answer(200, ("\ufeff" + "\r\n".join([E2_COLUMNS, *lines]) + "\r\n").encode(), "text/csv")


def _hours(station: Station, at: Moment, ends_s: Any) -> Iterator[str]:
    columns = measure(station, at.scene, ends_s)
    for name, field in POLLUTANTS.items():
        for end_s, value in zip(ends_s.tolist(), columns[f"{field}_ug_per_m3"].tolist(), strict=True):
            yield (
                f"{_e2_time(end_s - 3600)};{_e2_time(end_s)};AIR TREVALAN;TV75ZAG01;ZAG TREVALAN;{station.code};"
                f"{station.name};Urbaine;{name};Fond;A;Oui;mesures fixes;Auto {name};moyenne horaire brute;"
                f"{value};{value};µg-m3;;;;A;1"
            )


def _e2_time(time_s: float) -> str:
    return datetime.fromtimestamp(time_s, UTC).strftime("%Y/%m/%d %H:%M:%S")


def _weather(path: str, query: Mapping[str, str], headers: Mapping[str, str], at: Moment) -> Answer:
    """The newest of one station."""
    if "apikey" not in headers:
        return Answer(401)
    station = next((one for one in stations_of(Service.WEATHER) if one.code == query.get("id_station")), None)
    if station is None:
        return Answer(404)
    time_s = (at.now_s - WEATHER_LATER_S) // WEATHER_EVERY_S * WEATHER_EVERY_S
    told = {name: float(column[0]) for name, column in measure(station, at.scene, np.array([time_s])).items()}
    lon, lat = at.places[station.code]
    return _json([_observation(station, time_s, told) | {"lon": lon, "lat": lat}])


def _observation(station: Station, time_s: float, told: Mapping[str, float]) -> dict[str, Any]:
    celsius, humidity = told["temperature_c"], told["humidity_percent"]
    return {
        "geo_id_insee": station.code,
        "reference_time": _iso(time_s),
        "insert_time": _iso(time_s + WEATHER_LATER_S),
        "validity_time": _iso(time_s),
        "t": round(celsius + KELVIN, 2),
        "td": round(celsius - (100 - humidity) / 5 + KELVIN, 2),
        "u": round(humidity),
        "dd": round(told["wind_from_deg"]),
        "ff": told["wind_m_per_s"],
        "fxi10": told["gust_m_per_s"],
        "rr_per": round(told["rain_mm_per_h"] * WEATHER_EVERY_S / 3600, 1),
        "pres": round(100 * told["pressure_hpa"]),
        "pmer": None,
    }


def _iso(time_s: float) -> str:
    return datetime.fromtimestamp(time_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _seconds(text: str) -> float:
    """Where no zone is named it is UTC, as Hub'Eau says, wherever this runs. 0 where it is no moment."""
    try:
        told = datetime.fromisoformat(text)
    except ValueError:
        return 0.0
    return (told if told.tzinfo else told.replace(tzinfo=UTC)).timestamp()


_ANSWERS = {Service.RIVERS: _rivers, Service.AIR: _air, Service.WEATHER: _weather}
