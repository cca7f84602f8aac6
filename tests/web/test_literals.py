"""No sentence outside the catalogues: what templates and scripts show is theirs, but for what is named here."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser

import pytest
from jinja2 import Environment, nodes

from parvis.web.assets import HERE

TEMPLATES = sorted(HERE.rglob("*.html"))
SCRIPTS = sorted(path for path in (HERE / "static/js").rglob("*.js") if "vendor" not in path.parts)
SHOWN = {
    "alt",
    "aria-description",
    "aria-label",
    "aria-roledescription",
    "aria-valuetext",
    "label",
    "placeholder",
    "title",
}
ALLOWED = {
    "parvis import osm region.osm.pbf --data data": "a line for the shell",
    "parvis backup take /mnt/disk/parvis-backups": "a line for the shell",
    "01 ff": "bytes",
    "CSV": "a format's own name",
    "PNG": "a format's own name",
    "Parquet": "a format's own name",
    "SF": "the spreading factor of LoRa, with its number, in every language",
    "/metrics": "an address",
    "[connectors.]": "a table of territory.toml",
}
"""What is shown as it stands, with why."""

WORD = re.compile(r"[^\W\d_]{2,}")
FILLED = "\ufffc"
"""In place of what Jinja puts there."""
PUNCTUATION = re.compile(rf"{FILLED}\s?[:;!?](?!\d)")
"""What French writes with a space before it and English without."""
CLASS_BLOCK = re.compile(r"{% block \w+_class %}[^{]*{% endblock %}")
"""Of a class attribute that stands in another template."""
ADDRESS = re.compile(r"/\S+")
JINJA = re.compile(r"{#.*?#}|{%.*?%}|({{.*?}})", re.DOTALL)


def test_templates_say_nothing_of_their_own() -> None:
    assert len(TEMPLATES) > 50, "the search finds what there is"
    found = {f"{path.relative_to(HERE)}: {text}" for path in TEMPLATES for text in list_shown(path.read_text("utf-8"))}
    assert found == set()


def test_expressions_of_templates_hold_no_sentence() -> None:
    found = {
        f"{path.relative_to(HERE)}: {text}" for path in TEMPLATES for text in list_constants(path.read_text("utf-8"))
    }
    assert found == set()


def test_scripts_say_nothing_of_their_own() -> None:
    assert len(SCRIPTS) > 30, "the search finds what there is"
    found = {f"{path.relative_to(HERE)}: {text}" for path in SCRIPTS for text in list_spoken(path.read_text("utf-8"))}
    assert found == set()


def test_what_the_map_library_says_of_its_controls_comes_from_the_catalogue() -> None:
    library = (HERE / "static/vendor/maplibre-gl/maplibre-gl.mjs").read_text("utf-8")
    used = {name for path in SCRIPTS for name in re.findall(r"new library\.(\w+)", path.read_text("utf-8"))}
    spoken = {key for key in re.findall(r'"(\w+\.\w+)":`', library) if key.split(".")[0] in used}
    own = set(re.findall(r'"(\w+\.\w+)": say\(', (HERE / "static/js/map/ground.js").read_text("utf-8")))
    assert "NavigationControl.ZoomIn" in spoken, "the search finds what there is"
    unheard = {"NavigationControl.ResetBearing"}
    units = {key for key in spoken if key.startswith("ScaleControl.")}
    assert spoken - own - units - unheard == set(), "no map has a compass; units are the same in every language"


@pytest.mark.parametrize(
    "template",
    [
        "<p>Hello</p>", '<p title="Close">{{ x }}</p>', "<p>{{ name }}: {{ x }}</p>", "<p>{{ a }} : {{ b }}</p>",
        '<input placeholder="Name{{ x }}">', "{% if x %}<b>Not yet</b>{% endif %}",
    ],
)  # fmt: skip
def test_a_word_in_a_template_is_found(template: str) -> None:
    assert list(list_shown(template)) != []


def test_a_sentence_in_an_expression_is_found() -> None:
    assert list(list_constants("{{ notice('Nothing here yet', t('board.empty')) }}")) == ["Nothing here yet"]


@pytest.mark.parametrize(
    "script",
    [
        'one.textContent = "Loading";', "note.title = `${name}: ${value}`;",
        'one.setAttribute("aria-label", "Close it");',
        "told.textContent = 'no value';", "`${moment(x)} : ${each}`;", 'place.append("done");',
    ],
)  # fmt: skip
def test_a_word_in_a_script_is_found(script: str) -> None:
    assert list(list_spoken(script)) != []


class Shown(HTMLParser):
    """Collects what a reader sees or hears."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._unseen = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._unseen += tag in ("script", "style")
        self.texts += [value for name, value in attrs if name in SHOWN and value]

    def handle_endtag(self, tag: str) -> None:
        self._unseen -= tag in ("script", "style")

    def handle_data(self, data: str) -> None:
        if not self._unseen:
            self.texts.append(data)


def list_shown(template: str) -> Iterator[str]:
    shown = Shown()
    shown.feed(JINJA.sub(lambda found: FILLED if found[1] else "", CLASS_BLOCK.sub("", template)))
    shown.close()
    for text in (" ".join(one.split()) for one in shown.texts):
        if text.replace(FILLED, "") in ALLOWED or ADDRESS.fullmatch(text):
            continue
        if WORD.search(text) or PUNCTUATION.search(text):
            yield text


SENTENCE = re.compile(r"[^\W\d_]{2,}[ ’'\u00a0][^\W\d_]{2,}|^[A-ZÀ-Ý][a-zà-ÿ]{2,}")


def list_constants(template: str) -> Iterator[str]:
    """Strings in expressions that read like words to be shown; not classes, nor what something is compared with."""
    tree = Environment(autoescape=True).parse(template)
    passed = [*tree.find_all(nodes.Compare), *(one for one in tree.find_all(nodes.Keyword) if one.key == "class")]
    unseen = {id(const) for one in passed for const in one.find_all(nodes.Const)}
    for one in tree.find_all(nodes.Const):
        if (
            isinstance(one.value, str)
            and SENTENCE.search(one.value)
            and one.value not in NAMES
            and id(one) not in unseen
        ):
            yield one.value


NAMES = {
    "Parvis": "the platform's own name",
    "Windows-1252": "an encoding's own name",
}
CODE = {
    **dict.fromkeys(("Feature", "FeatureCollection", "LineString", "MultiPolygon", "Point", "Polygon"), "GeoJSON"),
    **dict.fromkeys(("ArrowDown", "ArrowUp", "End", "Enter", "Escape", "Home"), "names of keys"),
    **dict.fromkeys(("AbortError", "BarcodeDetector"), "names of the browser"),
    "id": "a member of GeoJSON",
}
"""Of scripts: what another program reads."""
STRING = re.compile(r"//[^\n]*|/\*.*?\*/|(\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\.)*`)", re.DOTALL)
FILLING = re.compile(r"\$\{(?:[^{}]|\{[^{}]*\})*\}")
DOTTED = re.compile(r"[A-Z]\w+\.[A-Z]\w+")
"""A key of the map library's own catalogue, which is given our sentence."""
SELECTOR = re.compile(r"[.#[]\w.*")
CLASSES = re.compile(r"(?:className\s*=|class:)\s*$")
SAYING = re.compile(
    r"(?:\.(?:textContent|innerText|title|placeholder|alt|ariaLabel)\s*=|createTextNode\(|append\(|prepend\(|"
    r"replaceChildren\(|[\"'](?:aria-label|title|placeholder|alt)[\"'],)\s*$"
)


def list_spoken(script: str) -> Iterator[str]:
    for found in STRING.finditer(script):
        before = script[max(0, found.start() - 60) : found.start()]
        if found[1] and is_spoken(text := FILLING.sub(FILLED, found[1][1:-1]), before):
            yield text


def is_spoken(text: str, before: str) -> bool:
    if text in CODE or DOTTED.fullmatch(text) or SELECTOR.fullmatch(text) or CLASSES.search(before):
        return False
    if SAYING.search(before) and WORD.search(text):
        return True
    return SENTENCE.search(text) is not None or re.search(rf"{FILLED}\s?[:;!?] ", text) is not None
