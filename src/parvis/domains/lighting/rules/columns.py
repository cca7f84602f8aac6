"""What files of inventories call the things that we ask of them.

The first names are those of the CNIG's Géostandard Éclairage extérieur 1.1; then come Smart Data Models, then what
operators and towns write. Case, accents and punctuation do not count.
"""

import unicodedata

from parvis.domains.lighting.model.inventory import Technology

NAMES: dict[str, tuple[str, ...]] = {
    "name": ("idpointlumineux", "identifiant", "id", "name", "numero", "num", "matricule", "reference", "code", "idpl"),
    "street": ("streetaddress", "rue", "voie", "nomvoie", "adresse", "street"),
    "cabinet": ("armoire", "armoiredecommande", "idarmoire", "numarmoire", "refstreetlightcontrolcabinet", "cabinet"),
    "circuit": ("depart", "departarmoire", "circuit", "iddepart", "numdepart"),
    "group": ("groupe", "secteur", "refstreetlightgroup", "group"),
    "technology": ("typesource", "lamptechnology", "source", "typelampe", "lampe", "technologie"),
    "power_w": ("puissance", "powerrating", "powerconsumption", "puissancew", "puissancelampe"),
    "is_dimmable": ("isdimmable", "gradable", "gradation", "dimmable"),
    "luminous_flux_lm": ("fluxluminaire", "fluxsource", "luminousflux", "flux"),
    "color_temperature_k": (
        "temperaturecouleur",
        "temperaturedecouleur",
        "colortemperature",
        "tempcouleur",
        "temperature",
    ),
    "upward_light_ratio": ("ulrinstalle", "ulrnominal", "upwardlightratio", "ulr"),
    "height_m": ("hauteurfeu", "hauteurdefeu", "lanternheight", "hauteur", "hauteurmat"),
    "usage": ("usage", "lightingusage", "categorie"),
    "installed": (
        "datepremiereinstallation",
        "dateinstalled",
        "datepose",
        "datedepose",
        "dateinstallation",
        "anneepose",
        "anneedepose",
        "annee",
    ),
    "latitude": ("latitude", "lat"),
    "longitude": ("longitude", "lon", "lng", "long"),
    "x": ("x", "xl93", "xlambert93", "coordx"),
    "y": ("y", "yl93", "ylambert93", "coordy"),
    "point": ("geopoint2d", "geopoint", "geolocalisation", "coordonnees"),
}
UNKNOWN = frozenset({"", "xx", "nr", "nc", "nd", "na", "null", "none", "inconnu", "inconnue", "?", "-"})
TECHNOLOGIES: dict[str, Technology] = {
    **{one.value.lower(): one for one in Technology},
    "shp": Technology.SODIUM,
    "sodiumhautepression": Technology.SODIUM,
    "sbp": Technology.LOW_PRESSURE_SODIUM,
    "sodiumbassepression": Technology.LOW_PRESSURE_SODIUM,
    "im": Technology.METAL_HALIDE,
    "iodure": Technology.METAL_HALIDE,
    "iodures": Technology.METAL_HALIDE,
    "ioduremetallique": Technology.METAL_HALIDE,
    "ioduresmetalliques": Technology.METAL_HALIDE,
    "vm": Technology.MERCURY,
    "bf": Technology.MERCURY,
    "ballonfluorescent": Technology.MERCURY,
    "fluo": Technology.FLUORESCENT,
    "halogene": Technology.HALOGEN,
}
"""By plain word; the French ones first stand in the standard's list of `typeSource`."""


def plain(text: str) -> str:
    """Small letters and digits alone."""
    parted = unicodedata.normalize("NFD", text.casefold())
    return "".join(one for one in parted if one.isalnum())


def find_columns(header: list[str]) -> dict[str, int]:
    """Where each of the NAMES stands; of several the first that NAMES has."""
    standing: dict[str, int] = {}
    for index, title in enumerate(header):
        standing.setdefault(plain(title), index)
    found = {field: [standing[name] for name in names if name in standing] for field, names in NAMES.items()}
    return {field: indices[0] for field, indices in found.items() if indices}
