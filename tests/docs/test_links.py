import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("src/**/*.md")])
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)


def anchors(page: Path) -> set[str]:
    """Anchors as GitHub and Forgejo make them from headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    broken = []
    for link in LINK.findall(CODE.sub("", page.read_text(encoding="utf-8"))):
        target, _, anchor = link.partition("#")
        if re.match(r"[a-z]+:", target):
            continue
        file = (page.parent / target).resolve() if target else page
        known = file.exists() and (not anchor or file.suffix != ".md" or anchor in anchors(file))
        if not known:
            broken.append(link)
    assert broken == []


def test_every_documentation_page_is_linked() -> None:
    links = ((page, link) for page in PAGES for link in LINK.findall(page.read_text(encoding="utf-8")))
    linked = {(page.parent / link.partition("#")[0]).resolve() for page, link in links}
    pages = {page for page in PAGES if page.is_relative_to(ROOT / "docs") and page != ROOT / "docs/README.md"}
    assert {str(page.relative_to(ROOT)) for page in pages - linked} == set()
