"""An entity's page: where its values come from, what it is bound to, who reads it, who did what to it."""

from html import unescape
from pathlib import Path
from typing import Any

import duckdb
import httpx
import pytest

from parvis.access.model import AuditRecord
from parvis.bootstrap import Platform
from parvis.broker.model.change import Change, EventKind, Mode
from parvis.broker.model.entity import Instance, Kind
from parvis.broker.temporal.erasure import Erasure
from parvis.fleet.devices.records import DeviceRecord
from parvis.fleet.model.uplink import Uplink
from parvis.fleet.profiles.mapping import AttributeRule
from parvis.kernel.identity import Caller
from parvis.kernel.time import DAY, HOUR, MINUTE, Instant
from parvis.web.app import create_app
from parvis.web.changes import ChangeRenderer
from parvis.web.console.dashboards.layout import Layout, Widget, WidgetKind
from parvis.web.console.dashboards.records import Dashboards
from parvis.web.console.entity_relations import MOST_NODES
from parvis.web.console.entity_sources import formula_of
from parvis.web.live import Listener, Pending
from parvis.web.site import Site
from parvis.web.wording import wording
from tests.fakes.town import DEVICE, FULL_BIN, HALF_BIN, LEAKING_METER
from tests.web.conftest import plain


@pytest.fixture(autouse=True)
async def known_by_their_bonds(platform: Platform) -> None:
    await platform.broker.take_in_words()


async def page(client: httpx.AsyncClient, entity_id: str, query: str = "") -> str:
    answer = await client.get(f"/console/entities/{entity_id}{query}")
    assert answer.status_code == 200, answer.text
    return answer.text


@pytest.fixture
async def metered(platform: Platform, caller: Caller, now: Instant) -> str:
    """A room that one device measures, by one frame; the room's id."""
    record = DeviceRecord("0011223344556677", "cayenne-lpp", "urn:ngsi-ld:IndoorEnvironmentObserved:room")
    await platform.fleet.register(caller, [record])
    frame = Uplink("0011223344556677", bytes.fromhex("016700e1"), 1, 42, now - MINUTE)
    await platform.fleet.take(caller, [frame])
    await platform.broker.take_in_words()
    return record.entity_id


async def test_a_value_leads_to_the_frame_the_codec_and_the_rule_that_made_it(
    platform: Platform, operator: httpx.AsyncClient, metered: str, now: Instant
) -> None:
    shown = await page(operator, metered)
    assert f'href="/console/devices/0011223344556677?frames=all#frame-{now - MINUTE}"' in shown
    assert 'href="/console/codecs/cayenne-lpp"' in shown
    assert "frame 42" in plain(shown)
    assert f'id="frame-{now - MINUTE}"' in (await operator.get("/console/devices/0011223344556677")).text


async def test_no_device_is_said_to_have_measured_what_somebody_wrote(
    platform: Platform, operator: httpx.AsyncClient, caller: Caller, metered: str, now: Instant
) -> None:
    second = DeviceRecord("8899aabbccddeeff", "cayenne-lpp", metered)
    await platform.fleet.register(caller, [second])
    await platform.broker.take_in_words()
    row = 'data-attribute="temperature" data-dataset="{}"'
    shown = (await page(operator, metered)).split(row.format(""))[1].split("</tr>")[0]
    assert "0011223344556677" in shown
    assert "8899aabbccddeeff" not in shown, "its frames do not say it"
    expand = platform.broker.contexts.parvis.expand
    by_hand = [
        Instance(expand("temperature"), Kind.PROPERTY, 40.5, observed_at=now),
        Instance(expand("temperature"), Kind.PROPERTY, 20.5, "urn:ngsi-ld:Dataset:north", observed_at=now),
    ]
    await platform.broker.write(caller, [Change(metered, Mode.APPEND, tuple(by_hand))])
    shown = await page(operator, metered)
    own, north = (plain("<body" + shown.split(row.format(one))[1].split("</tr>")[0]) for one in ("", "north"))
    assert "Measured by" not in own
    assert "Written through the API or by an import, or its frame is no longer kept" in own
    assert "Written through the API, by an import" in north


async def test_strangers_are_told_nothing_of_devices(visitor: httpx.AsyncClient) -> None:
    shown = await page(visitor, FULL_BIN)
    assert "Where it comes from" not in shown
    assert "Who reads it" not in shown
    assert "Who did what" not in shown


@pytest.mark.parametrize(
    ("rule", "formula"),
    [
        (AttributeRule("level", "fillingLevel"), "level"),
        (AttributeRule("level", "fillingLevel", scale=0.01), "level × 0.01"),
        (AttributeRule("t", "temperature", scale=0.1, offset=-40), "t × 0.1 − 40"),
        (AttributeRule("t", "temperature", offset=2), "t + 2"),
    ],
)
def test_a_rule_reads_as_a_formula(rule: AttributeRule, formula: str) -> None:
    assert formula_of(rule) == formula


async def test_relations_are_drawn_with_links_and_listed_alike(operator: httpx.AsyncClient) -> None:
    shown = await page(operator, FULL_BIN)
    drawing, listed = shown.split('id="drawing"')[1].split("</section>")[0], shown.split('id="relations"')[1]
    assert f'<a href="/console/entities/{DEVICE}">' in drawing
    assert f'<a href="/console/entities/{DEVICE}">' in listed


async def test_what_is_not_there_is_named_and_leads_nowhere(
    platform: Platform, operator: httpx.AsyncClient, caller: Caller
) -> None:
    expand = platform.broker.contexts.parvis.expand
    bond = Instance(expand("belongsTo"), Kind.RELATIONSHIP, "urn:ngsi-ld:Building:gone")
    await platform.broker.write(caller, [Change(HALF_BIN, Mode.APPEND, (bond,))])
    shown = await page(operator, HALF_BIN)
    drawing, listed = shown.split('id="drawing"')[1].split("</section>")[0], shown.split('id="relations"')[1]
    assert "gone" in drawing
    assert "<span>gone</span>" in listed
    assert "/console/entities/urn:ngsi-ld:Building:gone" not in drawing + listed.split("</section>")[0]


async def test_a_step_further_shows_what_the_others_are_bound_to(
    platform: Platform, operator: httpx.AsyncClient, caller: Caller
) -> None:
    expand = platform.broker.contexts.parvis.expand
    bond = Instance(expand("belongsTo"), Kind.RELATIONSHIP, FULL_BIN)
    await platform.broker.write(caller, [Change(HALF_BIN, Mode.APPEND, (bond,))])
    await platform.broker.take_in_words()
    assert DEVICE not in await page(operator, HALF_BIN)
    assert DEVICE in await page(operator, HALF_BIN, "?hops=2")


async def test_a_crowd_of_relations_is_drawn_in_part_and_says_so(
    platform: Platform, operator: httpx.AsyncClient, caller: Caller
) -> None:
    expand = platform.broker.contexts.parvis.expand
    bond = Instance(expand("belongsTo"), Kind.RELATIONSHIP, FULL_BIN)
    crowd = [Change(f"urn:ngsi-ld:Lid:{n}", Mode.CREATE, (bond,), (expand("Lid"),)) for n in range(2 * MOST_NODES)]
    await platform.broker.write(caller, crowd)
    await platform.broker.take_in_words()
    shown = await page(operator, FULL_BIN, "?hops=2")
    assert "There is more than is drawn." in shown
    assert shown.count('class="node') <= MOST_NODES


async def test_who_is_told_of_changes_and_whether_anyone_may_read(
    platform: Platform, operator: httpx.AsyncClient, caller: Caller
) -> None:
    document = {
        "type": "Subscription",
        "subscriptionName": "Round of the lorry",
        "entities": [{"type": "WasteContainer"}],
        "watchedAttributes": ["fillingLevel"],
        "notification": {"endpoint": {"uri": "https://lorry.example/notify"}},
    }
    await platform.broker.subscriptions.create(caller, document, platform.broker.contexts.parvis)
    shown = plain(await page(operator, FULL_BIN))
    assert "Public: anyone may read it." in shown
    assert "Round of the lorry" in shown
    assert "told of Fill level" in shown
    closed = plain(await page(operator, LEAKING_METER))
    assert "For people who are signed in." in closed
    assert "No subscription follows its changes." in closed


SPELT: list[tuple[Kind, Any, str, str]] = [
    (Kind.PROPERTY, {"@type": "DateTime", "@value": "2026-03-01T08:00:00Z"}, "1 March 2026", "1er mars 2026"),
    (Kind.LANGUAGE_PROPERTY, {"en": "Market", "fr": "Marché"}, "Market", "Marché"),
    (Kind.JSON_PROPERTY, {"low": 1.5, "in": {"a": [1]}}, 'low: 1.5, in: {"a":[1]}', 'low : 1,5, in : {"a":[1]}'),
    (Kind.PROPERTY, [{"day": 1}, "x"], '{"day":1}, x', '{"day":1}, x'),
]


@pytest.mark.parametrize(("kind", "value", "english", "french"), SPELT)
async def test_a_value_is_spelt_alike_on_the_page_and_in_what_it_is_told_of_changes(
    platform: Platform, operator: httpx.AsyncClient, caller: Caller, kind: Kind, value: Any, english: str, french: str
) -> None:
    app: Any = create_app(platform)
    site: Site = app.state.site
    name = platform.broker.contexts.parvis.expand("remark")
    said = Instance(name, kind, value)
    await platform.broker.write(caller, [Change(FULL_BIN, Mode.APPEND, (said,))])
    news = Pending(FULL_BIN, (site.reader.expand("WasteContainer"),), EventKind.UPDATED, 1, 1, {said.key: said})
    for language, spelt in (("en", english), ("fr", french)):
        row = (await page(operator, FULL_BIN, f"?lang={language}")).split('data-attribute="remark"')[1]
        shown = plain("<body" + row.split("data-value")[1].split("</td>")[0]).replace("\u00a0", " ")
        renderer = ChangeRenderer(site, Listener(caller, frozenset()), wording(language, "Europe/Paris"), detailed=True)
        (told,) = (await renderer.render([news]))[0]["attributes"]
        assert spelt in shown
        assert told["text"].replace("\u00a0", " ") in shown


async def test_what_is_not_listed_is_counted(platform: Platform, operator: httpx.AsyncClient, caller: Caller) -> None:
    document: dict[str, Any] = {
        "type": "Subscription",
        "entities": [{"type": "WasteContainer"}],
        "notification": {"endpoint": {"uri": "https://lorry.example/notify"}},
    }
    for _ in range(23):
        await platform.broker.subscriptions.create(caller, document, platform.broker.contexts.parvis)
    assert "and 3 more" in plain(await page(operator, FULL_BIN))
    expand = platform.broker.contexts.parvis.expand
    bins = [Change(f"urn:ngsi-ld:WasteContainer:{n}", Mode.CREATE, (), (expand("WasteContainer"),)) for n in range(61)]
    assert "there are more" not in plain(await page(operator, FULL_BIN))
    await platform.broker.write(caller, bins)
    assert "Only 60 objects of this kind are offered: there are more." in plain(await page(operator, FULL_BIN))


async def test_dashboards_that_show_it_are_listed(
    platform: Platform, operator: httpx.AsyncClient, caller: Caller
) -> None:
    boards = Dashboards(platform.broker, platform.broker.contexts.parvis, platform.shelf)
    widgets = {
        "Levels of the market": Widget(WidgetKind.FIGURE, entities=(FULL_BIN,)),
        "All bins": Widget(WidgetKind.TABLE, about="waste"),
        "Bins elsewhere": Widget(WidgetKind.TABLE, about="WasteContainer", place="Elsewhere"),
        "Meters": Widget(WidgetKind.TABLE, about="water"),
        "Everything": Widget(WidgetKind.STATES),
    }
    for name, widget in widgets.items():
        await boards.add(caller, name, Layout((widget,)))
    shown = plain(await page(operator, FULL_BIN))
    assert "Levels of the market Dashboard: shows it" in shown
    assert "All bins Dashboard: shows what is of its kind" in shown
    for name in ("Bins elsewhere", "Meters", "Everything"):
        assert name not in shown


async def test_deeds_are_found_behind_a_thousand_of_others(
    platform: Platform, operator: httpx.AsyncClient, caller: Caller, now: Instant
) -> None:
    await platform.broker.erase(caller, Erasure(FULL_BIN))
    for _ in range(1_001):
        platform.access.store.append_audit(AuditRecord(now, "marina", "user:eve", "erased", f"{FULL_BIN}-else"))
    shown = await page(operator, FULL_BIN)
    assert plain(shown).count("erased a part of the past") == 1
    assert f'href="/console/audit?q={FULL_BIN}"' in unescape(shown).replace("%3A", ":")


async def test_administrators_see_who_erased_what(
    platform: Platform, operator: httpx.AsyncClient, caller: Caller
) -> None:
    await platform.broker.erase(caller, Erasure(FULL_BIN))
    assert "erased a part of the past" in plain(await page(operator, FULL_BIN))
    assert "erased a part of the past" not in plain(await page(operator, HALF_BIN))


async def test_what_is_stated_is_told_with_when_it_changed(
    platform: Platform, operator: httpx.AsyncClient, caller: Caller
) -> None:
    expand = platform.broker.contexts.parvis.expand
    name = Instance(expand("name"), Kind.PROPERTY, "Old market")
    await platform.broker.write(caller, [Change(FULL_BIN, Mode.APPEND, (name,))])
    changes = plain(await page(operator, FULL_BIN)).split("Changes")[1]
    assert "Old market" in changes
    assert "Market" in changes


async def test_a_series_of_a_day_before_lies_over_today(
    platform: Platform, operator: httpx.AsyncClient, caller: Caller, now: Instant
) -> None:
    level = platform.broker.contexts.parvis.expand("fillingLevel")
    yesterday = Instance(level, Kind.PROPERTY, 0.4, observed_at=now - DAY - HOUR, unit_code="C62")
    await platform.broker.write(caller, [Change(FULL_BIN, Mode.UPSERT_UPDATE, (yesterday,), keep_newest=True)])
    address = f"/console/entities/{FULL_BIN}/series.json?attr=fillingLevel&range=24h"
    today, before = (await operator.get(address)).json(), (await operator.get(f"{address}&shift=day&full=1")).json()
    assert today["v"] == [97.0]
    assert (before["t"], before["v"]) == ([(now - HOUR) / 1e6], [40.0])
    assert before["legend"] == "Fill level, Market, a day before"
    assert (await operator.get(f"{address}&shift=never")).status_code == 400


async def test_what_is_compared_stands_in_the_address_and_in_the_files(operator: httpx.AsyncClient) -> None:
    with_other = f"?attr=fillingLevel&range=24h&with=fillingLevel~{HALF_BIN}~"
    shown = await page(operator, FULL_BIN, with_other)
    assert f"/console/entities/{HALF_BIN}/series.json?attr=fillingLevel" in unescape(shown)
    assert shown.count("data-legend") == 2
    lines = (await operator.get(f"/console/entities/{FULL_BIN}/history.csv{with_other}")).text.splitlines()
    assert lines[0] == "entity,attribute,datasetId,observedAt,value,unitCode"
    assert [line.split(",")[0] for line in lines[1:]] == [FULL_BIN, HALF_BIN]


async def test_no_more_than_five_are_drawn_and_what_cannot_be_read_is_left_out(operator: httpx.AsyncClient) -> None:
    many = "&".join(f"with=fillingLevel~urn:ngsi-ld:Bin:{n}~" for n in range(9))
    assert (await page(operator, FULL_BIN, f"?{many}&with=~~&with=a~b~never")).count("data-legend") == 5


def rows_of(path: Path, columns: str) -> list[tuple[Any, ...]]:
    with duckdb.connect() as connection:
        return connection.execute(f"SELECT {columns} FROM '{path}'").fetchall()


async def test_the_history_is_downloaded_as_parquet(operator: httpx.AsyncClient, tmp_path: Path) -> None:
    answer = await operator.get(f"/console/entities/{FULL_BIN}/history.parquet?attr=fillingLevel&range=24h")
    assert answer.headers["content-type"] == "application/vnd.apache.parquet"
    assert 'filename="market-fillingLevel.parquet"' in answer.headers["content-disposition"]
    (tmp_path / "got.parquet").write_bytes(answer.content)
    rows = rows_of(tmp_path / "got.parquet", "entity, attribute, value, text, unitCode")
    assert rows == [(FULL_BIN, "fillingLevel", 0.97, None, "C62")]


async def test_words_of_a_history_are_a_column_of_their_own(
    platform: Platform, operator: httpx.AsyncClient, caller: Caller, now: Instant, tmp_path: Path
) -> None:
    status = platform.broker.contexts.parvis.expand("status")
    said = ['free, "almost"\nsoon', "=1+1", "12", {"en": "full"}]
    for number, one in enumerate(said):
        word = Instance(status, Kind.PROPERTY, one, observed_at=now - (9 - number) * MINUTE)
        await platform.broker.write(caller, [Change(FULL_BIN, Mode.APPEND, (word,))])
    answer = await operator.get(f"/console/entities/{FULL_BIN}/history.parquet?attr=status&range=24h")
    (tmp_path / "got.parquet").write_bytes(answer.content)
    assert rows_of(tmp_path / "got.parquet", "value, text") == [(None, one) for one in (*said[:3], '{"en":"full"}')]


def left_in(folder: Path) -> list[Path]:
    return list(folder.glob("parvis-*"))


async def test_a_download_leaves_no_file_behind_however_it_ends(
    operator: httpx.AsyncClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    address = f"/console/entities/{FULL_BIN}/history.parquet?attr=fillingLevel"
    for headers in ({}, {"range": "x"}, {"range": "bytes=0-3"}):
        assert (await operator.get(address, headers=headers)).status_code == 200, headers
        assert not left_in(tmp_path), headers
    monkeypatch.setattr("parvis.web.console.parquet.MOST_BYTES", 10)
    refused = await operator.get(address)
    assert (refused.status_code, "choose a shorter range" in refused.text) == (400, True)
    assert not left_in(tmp_path)


@pytest.mark.parametrize("asked", ["attr=a%0d%0ab", "attr=%00", "attr=fillingLevel&with=a%01b~~"])
@pytest.mark.parametrize("ending", ["csv", "parquet"])
async def test_what_is_no_attribute_is_refused_before_the_file_begins(
    operator: httpx.AsyncClient, asked: str, ending: str
) -> None:
    assert (await operator.get(f"/console/entities/{FULL_BIN}/history.{ending}?{asked}")).status_code == 400


async def test_a_time_that_ends_before_it_begins_is_refused(operator: httpx.AsyncClient) -> None:
    for part in ("series.json", "history.csv"):
        query = "attr=fillingLevel&from=2026-03-02T00:00:00Z&to=2026-03-01T00:00:00Z"
        assert (await operator.get(f"/console/entities/{FULL_BIN}/{part}?{query}")).status_code == 400


async def test_nobody_compares_with_what_they_may_not_read(visitor: httpx.AsyncClient) -> None:
    query = f"attr=fillingLevel&range=24h&with=flow~{LEAKING_METER}~"
    assert (await visitor.get(f"/console/entities/{FULL_BIN}/history.csv?{query}")).status_code == 404
    shown = await page(visitor, FULL_BIN, f"?{query}")
    assert "mill" not in shown.split("<select")[-1].casefold()
