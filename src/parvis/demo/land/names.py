"""Invented names in the manner of the country: hamlets from Breton stems, streets in French."""

import random
from collections.abc import Iterator

HAMLET_HEADS = (
    "Ker", "Ker", "Ker", "Ker", "Ker", "Lez", "Pen", "Coat ", "Goaz ", "Roz", "Mez", "Traon ", "Stang ", "Ty ",
    "Bot", "Poull ", "Toull ", "Creac’h ", "Run ", "Guern ",
)  # fmt: skip
HAMLET_TAILS = (
    "voalc’h", "huelan", "gwennec", "dreven", "madec", "anguen", "avel", "bihan", "veur", "glaz", "du", "izel",
    "loarn", "vran", "gouled", "zaled", "mellec", "ouzern", "jeguel", "drouz", "vilin", "feunteun", "radenec",
    "balanec", "spern", "haleg", "derven", "bleiz", "gavr", "morvez", "lanneg", "stivel", "naouen", "faoued",
    "groaz", "hent", "logod", "c’hoad", "louet", "wern",
)  # fmt: skip
STREET_PLAIN = (
    "des Ajoncs", "des Bruyères", "du Lavoir", "de la Fontaine", "des Sauniers", "des Cordiers", "du Four à Chaux",
    "des Goémoniers", "de l’Estran", "du Moulin à Marée", "des Sternes", "des Courlis", "des Cormorans",
    "des Avocettes",    "des Tadornes", "des Hirondelles", "des Mésanges", "du Pressoir", "du Verger",
    "des Pommiers", "des Châtaigniers",
    "des Chênes", "des Hêtres", "des Ormes", "des Saules", "des Noisetiers", "des Camélias", "des Hortensias",
    "des Genêts", "des Fougères", "du Menhir", "du Dolmen", "de la Lande", "du Bocage", "du Ruisseau", "de la Vallée",
    "du Coteau", "de la Source", "du Puits", "de la Croix Neuve", "de la Forge", "des Tisserands", "des Potiers",
    "des Tanneurs", "des Charpentiers", "des Forgerons", "des Meuniers", "des Lavandières", "des Dentellières",
    "des Brodeuses", "du Tumulus", "de la Grève", "des Dunes", "du Phare", "du Sémaphore", "de la Balise",
    "du Cabestan",    "de la Misaine", "du Foc", "des Voiliers", "des Chaloupes", "des Sardiniers",
    "des Thoniers", "des Langoustiers",
    "des Régates", "de la Cale", "du Passeur", "du Bac", "de la Marée", "du Jusant", "du Large", "des Embruns",
    "du Noroît", "du Suroît", "des Alizés", "de la Brise", "des Galets", "des Ostréiculteurs", "des Paludiers",
    "de la Liberté", "de l’Égalité", "de la Fraternité", "de la République", "de la Paix", "des Écoles", "du Stade",
    "de la Poste", "de la Mairie", "du Champ de Foire", "du Marché", "des Halles", "du Vieux Bourg", "du Calvaire",
    "de la Chapelle", "du Presbytère", "du Manoir", "du Colombier", "de la Métairie", "du Haut Bourg", "du Bas Bourg",
    "du Pont Neuf", "du Vieux Pont", "de la Passerelle", "des Remparts", "de la Porte Haute", "de la Tour", "du Guet",
    "des Cordeliers", "des Jardins", "du Potager", "des Maraîchers", "des Abeilles", "du Rucher", "des Moissons",
    "du Blé Noir", "de la Grange", "du Talus", "du Chemin Creux", "des Korrigans", "de la Vouivre", "des Légendes",
)  # fmt: skip
STREET_FIRST = (
    "Anna", "Yvonne", "Gwenola", "Soazig", "Marie-Jeanne", "Rozenn", "Corentin", "Youenn", "Alan", "Tanguy", "Gildas",
    "Ronan", "Hervé", "Perrine", "Louise", "Jeanne", "Malo", "Erwan", "Aziliz", "Nolwenn",
)  # fmt: skip
STREET_LAST = (
    "Kervella", "Le Gozdern", "Trémeur", "Madezo", "Guivarn", "Le Brezel", "Penvern", "Kerdavid", "Quéméran",
    "Stervinou", "Le Dantrec", "Gourvennic", "Hascouat", "Lozeven", "Morvanic", "Riouallec",
)  # fmt: skip
CORE_KINDS = ("Rue", "Rue", "Rue", "Venelle", "Ruelle", "Passage", "Rue")
SUBURB_KINDS = ("Rue", "Rue", "Allée", "Allée", "Impasse", "Chemin", "Clos", "Avenue")


def hamlet_names(rng: random.Random) -> Iterator[str]:
    pairs = [
        head + (tail.capitalize() if head.endswith(" ") else tail)
        for head in dict.fromkeys(HAMLET_HEADS)
        for tail in HAMLET_TAILS
    ]
    weights = [HAMLET_HEADS.count(head) for head in dict.fromkeys(HAMLET_HEADS) for _ in HAMLET_TAILS]
    order = sorted(range(len(pairs)), key=lambda index: rng.random() ** (1 / weights[index]), reverse=True)
    for index in order:
        yield pairs[index]


class StreetNames:
    """Names for one commune, none given twice."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        people = [f"{first} {last}" for first in STREET_FIRST for last in STREET_LAST]
        self._left = [*STREET_PLAIN, *rng.sample(people, len(people))]
        plain = rng.sample(STREET_PLAIN, len(STREET_PLAIN))
        self._left[: len(plain)] = plain
        self._next = 0

    def draw(self, *, core: bool) -> str:
        rest = self._left[self._next % len(self._left)]
        again = self._next // len(self._left)
        self._next += 1
        kinds = CORE_KINDS if core else SUBURB_KINDS
        kind = kinds[self._rng.randrange(len(kinds))]
        return f"{kind} {rest}" + (f" prolongée {again}" if again else "")
