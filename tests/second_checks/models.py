"""Each `example-normalized.jsonld` of the Smart Data Models goes in, and comes out equal."""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec

from tests.second_checks.instance import Result, fresh_instance

_EXAMPLES = "**/examples/example-normalized.jsonld"
_OF_REPOSITORY = re.compile(
    r"https?://(?:raw\.githubusercontent\.com/smart-data-models|smart-data-models\.github\.io|fiware\.github\.io)"
    r"/(dataModel\.\w+|data-models)/"
)
_ALL_MODELS = ("https://smartdatamodels.org/context.jsonld", "https://fiware.github.io/data-models/context.jsonld")
_ASIDE = "https://example.org/contexts/"
"""Below it stands, by a number, the @context of each example: one that is no URL cannot be in a Link header."""
_ZERO_FRACTION = re.compile(r"(T\d\d:\d\d:\d\d)\.0+Z$")
_TOLD = 5
"""So many differences of one example."""


class Checkouts:
    """The contexts that the checkouts hold, by URL."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._aside: dict[str, bytes] = {}

    def examples(self) -> Iterator[Path]:
        yield from sorted(self._folder.glob(_EXAMPLES))

    def set_aside(self, context: Any) -> str:
        url = f"{_ASIDE}{len(self._aside)}"
        self._aside[url] = msgspec.json.encode({"@context": context})
        return url

    def read(self, url: str) -> bytes:
        if url in self._aside:
            return self._aside[url]
        found = _OF_REPOSITORY.search(url)
        if found is None and url not in _ALL_MODELS:
            raise LookupError(url)
        repository = "data-models" if found is None else found[1]
        return (self._folder / repository / "context.jsonld").read_bytes()


def check(folder: Path) -> list[Result]:
    checkouts = Checkouts(folder)
    return [
        Result(f"{path.relative_to(folder).parent.parent}", _difference(path.read_bytes(), checkouts))
        for path in checkouts.examples()
    ]


def _difference(example: bytes, checkouts: Checkouts) -> str:
    try:
        given = msgspec.json.decode(example)
    except msgspec.MsgspecError as failure:
        return f"the example is no JSON: {failure}"
    if not isinstance(given, dict):
        return f"the example is no entity but a {type(given).__name__}"
    return asyncio.run(_told(given, checkouts))


async def _told(given: dict[str, Any], checkouts: Checkouts) -> str:
    if "@context" not in given:
        return "the example has no @context"
    link = f'<{checkouts.set_aside(given["@context"])}>; rel="http://www.w3.org/ns/json-ld#context"'
    async with fresh_instance(checkouts.read) as api:
        created = await api.post("/ngsi-ld/v1/entities", json=given, headers={"Content-Type": "application/ld+json"})
        if created.status_code != httpx.codes.CREATED:
            return f"{created.status_code}: {created.json().get('detail')}"
        told = await api.get(created.headers["Location"], headers={"Link": link})
    return ", ".join(list(_differences(_comparable(given), _comparable(told.json()), ""))[:_TOLD])


def _comparable(value: Any, name: str = "") -> Any:
    """Without what may be written in two ways: the order of a set, a set of one member, and .000 of a second."""
    if isinstance(value, dict):
        return {key: _comparable(inner, key) for key, inner in value.items() if key != "@context"}
    if isinstance(value, list):
        members = [_comparable(inner) for inner in value]
        is_set = name in {"type", "scope"} or all(isinstance(one, dict) and one.keys() > {"type"} for one in members)
        if is_set and name not in {"value", "json", "valueList"}:
            return members[0] if len(members) == 1 else sorted(members, key=msgspec.json.encode)
        return members
    return _ZERO_FRACTION.sub(r"\1Z", value) if name.endswith("At") and isinstance(value, str) else value


def _differences(given: Any, told: Any, path: str) -> list[str]:
    if isinstance(given, dict) and isinstance(told, dict):
        return [
            difference
            for key in sorted(given.keys() | told.keys())
            for difference in _differences(given.get(key), told.get(key), f"{path}.{key}" if path else key)
        ]
    return [] if given == told and type(given) is type(told) else [f"{path}: {given!r:.100} became {told!r:.100}"]
