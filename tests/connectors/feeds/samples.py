"""Answers as the documentation of the services describes them, with values of our own."""

from typing import Any

from parvis.kernel.time import HOUR, Instant, format_instant, parse_instant, to_datetime

NOW = parse_instant("2026-09-21T12:04:00Z")
GARONNE = "O972001001"
DORDOGNE = "P555001001"
TALENCE = "FR31002"
BORDEAUX = "33281001"
_E2_COLUMNS = (
    "Date de début;Date de fin;Organisme;code zas;Zas;code site;nom site;type d'implantation;Polluant;"
    "type d'influence;discriminant;Réglementaire;type d'évaluation;procédure de mesure;type de valeur;valeur;"
    "valeur brute;unité de mesure;taux de saisie;couverture temporelle;couverture de données;code qualité;validité"
)


def river(station: str, quantity: str, at: str, value: float | None) -> dict[str, Any]:
    """One record of Hub'Eau's observations_tr."""
    return {
        "code_site": station[:8],
        "code_station": station,
        "grandeur_hydro": quantity,
        "date_debut_serie": at,
        "date_fin_serie": at,
        "statut_serie": 4,
        "code_systeme_alti_serie": 31,
        "date_obs": at,
        "resultat_obs": value,
        "code_methode_obs": 0,
        "libelle_methode_obs": "Mesurée",
        "code_qualification_obs": 16,
        "libelle_qualification_obs": "Non qualifiée",
        "code_continuite": 0,
        "longitude": -0.5523,
        "latitude": 44.8301,
    }


def rivers(*records: dict[str, Any], following: str | None = None) -> dict[str, Any]:
    return {"count": len(records), "first": None, "last": None, "prev": None, "next": following, "data": list(records)}


def air(pollutant: str, end: Instant, value: str, validity: int = 1, site: str = TALENCE) -> str:
    """One line of a file FR_E2."""
    begin, until = (to_datetime(at).strftime("%Y/%m/%d %H:%M:%S") for at in (end - HOUR, end))
    unit = "mg/m3" if pollutant == "CO" else "µg-m3"
    return (
        f"{begin};{until};ATMO NOUVELLE-AQUITAINE;FR75ZAG01;ZAG BORDEAUX;{site};Talence;Urbaine;{pollutant};Fond;A;Oui;"
        f"mesures fixes;Auto {pollutant};moyenne horaire brute;{value};{value};{unit};;;;A;{validity}"
    )


def air_file(*lines: str) -> bytes:
    return ("﻿" + "\r\n".join([_E2_COLUMNS, *lines]) + "\r\n").encode()


def weather(at: Instant, kelvin: float, station: str = BORDEAUX) -> dict[str, Any]:
    """One record of Météo-France's DPObs, infrahoraire-6m."""
    return {
        "lat": 44.8307,
        "lon": -0.6913,
        "geo_id_insee": station,
        "reference_time": format_instant(at),
        "insert_time": format_instant(at),
        "validity_time": format_instant(at),
        "t": kelvin,
        "td": 285.15,
        "u": 63,
        "dd": 240,
        "ff": 3.4,
        "dxi10": 250,
        "fxi10": 6.1,
        "rr_per": 0.2,
        "t_10": None,
        "vv": 20000,
        "etat_sol": 0,
        "sss": None,
        "insolh": 6,
        "ray_glo01": None,
        "pres": 101320.0,
        "pmer": None,
    }
