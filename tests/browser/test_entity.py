import csv
import io
from collections.abc import Callable

from playwright.sync_api import expect

from tests.browser.conftest import Town, Visit, container, container_id


def test_the_chart_draws_zooms_and_returns(visit: Callable[..., Visit]) -> None:
    page = visit().open(f"/console/entities/{container_id(2)}")
    expect(page.locator("figure[data-drawn='fillingLevel 24h']")).to_be_visible()
    plot = page.locator(".u-over")
    box = plot.bounding_box()
    assert box is not None
    before = page.locator(".plot canvas").screenshot()
    page.mouse.move(box["x"] + box["width"] * 0.9, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.98, box["y"] + 60, steps=4)
    page.mouse.up()
    page.mouse.move(5, 5)
    zoomed = page.locator(".plot canvas").screenshot()
    assert zoomed != before
    plot.dblclick()
    page.mouse.move(5, 5)
    assert page.locator(".plot canvas").screenshot() == before


def test_longer_ranges_are_averages_and_the_table_says_the_same(visit: Callable[..., Visit]) -> None:
    page = visit().open(f"/console/entities/{container_id(2)}")
    page.get_by_role("button", name="30 d").click()
    expect(page.locator("figure[data-drawn='fillingLevel 30d']")).to_be_visible()
    expect(page.get_by_text("Averages per hour, with lowest and highest.")).to_be_visible()
    page.get_by_text("The same values as a table").click()
    assert page.locator("[data-rows] tr").count() >= 1
    expect(page.locator("[data-rows] tr").first.locator("td").nth(1)).to_have_text("50")


def test_the_times_of_a_chart_are_the_territorys_wherever_one_looks_from(visit: Callable[..., Visit]) -> None:
    told = set()
    for zone in ("Asia/Tokyo", "America/Lima"):
        page = visit(timezone_id=zone).open(f"/console/entities/{container_id(2)}")
        expect(page.locator("figure[data-drawn]")).to_be_visible()
        page.get_by_text("The same values as a table").click()
        told.add(page.locator("[data-rows] td").first.inner_text())
    assert len(told) == 1


def test_values_change_while_one_looks(visit: Callable[..., Visit], town: Town) -> None:
    page = visit().open(f"/console/entities/{container_id(5)}")
    expect(page.locator("figure[data-drawn]")).to_be_visible()
    page.wait_for_timeout(500)
    town.fill(5, 0.83)
    value = page.locator("tr[data-attribute=fillingLevel] [data-value]")
    expect(value).to_have_text("83%", timeout=2_000)
    expect(page.locator("[data-sentence]")).to_contain_text("Watch threshold")
    expect(page.locator("[data-live-state]")).to_contain_text("To watch")
    town.fill(5, 0.2)
    expect(value).to_have_text("20%", timeout=2_000)


def test_the_chart_is_taken_home_as_csv_and_png(visit: Callable[..., Visit]) -> None:
    page = visit().open(f"/console/entities/{container_id(2)}")
    expect(page.locator("figure[data-drawn]")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").click()
    table = list(csv.DictReader(io.StringIO(download.value.path().read_text())))
    assert len(table) >= 12
    assert {row["value"] for row in table} == {"0.5"}
    with page.expect_download() as download:
        page.get_by_role("button", name="PNG").click()
    assert download.value.suggested_filename == "fillingLevel.png"
    assert download.value.path().read_bytes().startswith(b"\x89PNG")


def test_an_entity_is_at_home_on_a_phone(visit: Callable[..., Visit]) -> None:
    page = visit(390).open(f"/console/entities/{container_id(2)}")
    expect(page.locator("figure[data-drawn]")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_another_object_and_another_time_lie_in_the_same_chart(visit: Callable[..., Visit]) -> None:
    page = visit().open(f"/console/entities/{container_id(2)}")
    expect(page.locator("figure[data-drawn]")).to_be_visible()
    page.get_by_text("Compare with another time, object or attribute").click()
    page.get_by_label("Of which object").select_option(label="Point 05")
    page.get_by_label("When").select_option(label="At the same time")
    page.get_by_role("button", name="Add to the chart").click()
    expect(page.locator("[data-legend]")).to_have_text(["Fill level", "Fill level, Point 05"])
    expect(page.locator("figure[data-drawn]")).to_be_visible()
    page.get_by_text("The same values as a table").click()
    expect(page.locator("[data-value-title]")).to_have_text(["Fill level (%)", "Fill level, Point 05 (%)"])
    page.get_by_role("button", name="7 d").click()
    page.get_by_role("link", name="Leave out: Fill level, 05").click()
    expect(page.locator("figure[data-drawn='fillingLevel 7d']")).to_be_visible()
    expect(page.locator("[data-legend]")).to_have_count(0)


def test_objects_of_one_name_are_told_apart_in_the_legend(visit: Callable[..., Visit], town: Town) -> None:
    twins = [{**container(number, 0.3), "name": {"type": "Property", "value": "Twin"}} for number in (30, 31, 33)]
    town.write(*twins)
    chosen = "&".join(f"with=fillingLevel~{container_id(number)}~" for number in (30, 31))
    page = visit().open(f"/console/entities/{container_id(2)}?attr=fillingLevel&range=24h&{chosen}")
    expect(page.locator("[data-legend]")).to_have_text(
        ["Fill level", "Fill level, Twin (Trevalan)", "Fill level, Twin (Port)"]
    )
    page.goto(page.url.replace(f"{container_id(30)}~", f"{container_id(33)}~"))
    expect(page.locator("[data-legend]")).to_have_text(["Fill level", "Fill level, Twin (33)", "Fill level, Twin (31)"])
