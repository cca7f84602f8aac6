"""The second checks see what agrees and what does not, on examples of our own."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.second_checks import answers, models, tutorials
from tests.second_checks.curl import steps

CORE = "https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context.jsonld"
OF_BINS = "https://raw.githubusercontent.com/smart-data-models/dataModel.Bins/master/context.jsonld"
PAGE = """
```bash
curl -iX POST 'http://localhost:1026/ngsi-ld/v1/entities/' \\
-H 'Content-Type: application/json' \\
--data-raw '{"id": "urn:ngsi-ld:Bin:1", "type": "Bin", "level": {"value": 0.5}}'
```

```bash
curl -G -X GET 'http://localhost:1026/ngsi-ld/v1/entities/' -d 'type=Bin' -d 'format=concise'
```

```json
[{"id": "urn:ngsi-ld:Bin:1", "type": "Bin", "level": %s}]
```

```bash
curl -X GET 'http://localhost:3000/somewhere/else'
```

```bash
curl -iX DELETE --url 'http://localhost:1026/ngsi-ld/v1/entities/urn:ngsi-ld:Bin:2'
```

```text
HTTP/1.1 404 Not Found
```
"""


def example(folder: Path, name: str, entity: dict[str, Any]) -> None:
    path = folder / "dataModel.Bins" / name / "examples/example-normalized.jsonld"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"id": "urn:ngsi-ld:Bin:1", "type": "Bin", "@context": [CORE, OF_BINS], **entity}))


@pytest.mark.parametrize(
    ("attribute", "difference"),
    [
        ({"type": "Property", "value": [1, 2.0], "observedAt": "2026-01-01T00:00:00.000Z"}, ""),
        (
            [{"type": "Property", "value": 2, "datasetId": "urn:ngsi-ld:Dataset:b"}, {"type": "Property", "value": 1}],
            "",
        ),
        ({"type": "Propety", "value": 1}, "400: level has the type 'Propety'"),
    ],
)
def test_an_example_that_comes_out_equal_agrees(tmp_path: Path, attribute: Any, difference: str) -> None:
    example(tmp_path, "Bin", {"level": attribute})
    (tmp_path / "dataModel.Bins/context.jsonld").write_text('{"@context": {"level": "https://example.org/level"}}')
    [told] = models.check(tmp_path)
    assert told.name == "dataModel.Bins/Bin"
    assert told.difference.startswith(difference)
    assert bool(told.difference) is bool(difference)


def test_a_context_that_is_not_there_is_told(tmp_path: Path) -> None:
    example(tmp_path, "Bin", {})
    [told] = models.check(tmp_path)
    assert told.difference.startswith("504")


@pytest.mark.parametrize(("shown", "agreeing"), [("0.5", 3), ("0.6", 2)])
def test_a_page_is_carried_out_in_its_order(tmp_path: Path, shown: str, agreeing: int) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/bins.md").write_text(PAGE % shown)
    (tmp_path / "app/public/data-models").mkdir(parents=True)
    (tmp_path / "app/public/data-models/ngsi-context.jsonld").write_text('{"@context": {}}')
    told = tutorials.check(tmp_path)
    assert len(told) == 3
    assert sum(not one.difference for one in told) == agreeing


def test_commands_of_others_are_passed_over() -> None:
    read = list(steps(PAGE % "1", 1026))
    assert [(one.command.method, one.command.path, one.status) for one in read] == [
        ("POST", "/ngsi-ld/v1/entities/", None),
        ("GET", "/ngsi-ld/v1/entities/?type=Bin&format=concise", None),
        ("DELETE", "/ngsi-ld/v1/entities/urn:ngsi-ld:Bin:2", 404),
    ]


DESCRIBED = """
paths:
  /types:
    get:
      responses:
        '200':
          $ref: '#/components/responses/Types'
        '400': {}
  /entities/{entityId}:
    get:
      responses:
        '200':
          content:
            application/json:
              schema: {type: object, required: [id, %s]}
components:
  responses:
    Types:
      content:
        application/json:
          schema: {type: object, properties: {typeList: {oneOf: [{type: array}, {type: [array, 'null']}]}}}
"""


@pytest.mark.parametrize(
    ("member", "expected"),
    [("type", set()), ("kind", {"GET /entities/urn:ngsi-ld:Bin:1: 'kind' is a required property"})],
)
def test_answers_are_held_against_their_schema(tmp_path: Path, member: str, expected: set[str]) -> None:
    path = tmp_path / "openapi.yaml"
    path.write_text(DESCRIBED % member)
    told = [
        one for one in answers.check(path) if one.name.startswith(("GET /types", "GET /entities/urn:ngsi-ld:Bin:1 "))
    ]
    found = {one.difference for one in told if "required" in one.difference}
    assert found == {one.partition(": ")[2].replace("'kind'", "$: 'kind'") for one in expected}
    assert "application/ld+json is not described for 200" in {one.difference for one in told}
