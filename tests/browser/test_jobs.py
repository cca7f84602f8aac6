"""Jobs in a browser: the page goes on telling how they stand, and works without scripts."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Visit

RUN_NOW = re.compile("Run now Clear up ended jobs")
PATIENCE_MS = 15_000


def test_a_job_is_started_and_followed_to_its_end(visit: Callable[..., Visit]) -> None:
    window = visit()
    page = window.open("/console/jobs")
    page.get_by_text("Start now", exact=True).click()
    page.get_by_role("button", name="Check the store", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Check the store")
    expect(page.locator(".job-done")).to_be_visible(timeout=PATIENCE_MS)
    expect(page.get_by_role("region", name="Result")).to_contain_text('"bytes"')
    assert window.list_axe_violations() == []

    page.get_by_role("link", name="Jobs").first.click()
    expect(page.locator("table").first).to_contain_text("Check the store")
    assert window.list_axe_violations() == []


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_needs_scripts(visit: Callable[..., Visit], width: int) -> None:
    window = visit(width, java_script_enabled=False)
    page = window.open("/console/jobs")
    page.get_by_role("button", name=RUN_NOW).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Clear up ended jobs")
    for _ in range(20):
        if page.locator(".job-done").count():
            break
        page.wait_for_timeout(300)
        page.reload()
    expect(page.locator(".job-done")).to_be_visible()
