import json
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
DECISIONS = ROOT / "docs/decisions"


def python_dependencies() -> list[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = project["project"]["dependencies"] + project["build-system"]["requires"]
    for extra in project["project"]["optional-dependencies"].values():
        wanted += extra
    return sorted({re.split(r"[<>=!~\[; ]", requirement)[0] for requirement in wanted})


def front_end_dependencies() -> list[str]:
    package = json.loads((ROOT / "frontend/package.json").read_text(encoding="utf-8"))
    return sorted([*package["dependencies"], *package["devDependencies"]])


@pytest.mark.parametrize("name", [*python_dependencies(), *front_end_dependencies()])
def test_every_direct_dependency_has_its_reason(name: str) -> None:
    reasons = "\n".join(path.read_text(encoding="utf-8") for path in DECISIONS.glob("[0-9]*.md"))
    assert re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", reasons, re.IGNORECASE)


def test_the_index_lists_every_decision() -> None:
    index = (DECISIONS / "README.md").read_text(encoding="utf-8")
    pages = sorted(path.name for path in DECISIONS.glob("[0-9]*.md"))
    assert re.findall(r"\((\d{4}-[a-z0-9-]+\.md)\)", index) == pages
