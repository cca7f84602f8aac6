"""What names mean, and where @contexts come from."""

import asyncio
from typing import Any

import msgspec
import pytest

from parvis.broker.jsonld.context import DEFAULT_VOCABULARY
from parvis.broker.jsonld.contexts import CORE_URL, MAX_CONTEXT_BYTES, PARVIS_FILE, Contexts, is_core, packaged
from parvis.kernel.errors import BadRequestData, Forbidden, LdContextNotAvailable, OperationNotSupported, ParvisError

TOWN = "https://example.org/town/"


class FakeWeb:
    """Documents by URL, and a count of how often each was fetched."""

    def __init__(self, documents: dict[str, Any]) -> None:
        self.documents = documents
        self.fetched: list[str] = []

    async def fetch(self, url: str) -> bytes:
        self.fetched.append(url)
        await asyncio.sleep(0)
        if url not in self.documents:
            raise ConnectionError(url)
        document = self.documents[url]
        return document if isinstance(document, bytes) else msgspec.json.encode({"@context": document})


@pytest.mark.parametrize(
    ("name", "iri"),
    [
        ("location", "https://uri.etsi.org/ngsi-ld/location"),
        ("title", "http://purl.org/dc/terms/title"),
        ("temperature", DEFAULT_VOCABULARY + "temperature"),
        ("https://example.org/x", "https://example.org/x"),
        ("ngsi-ld:own", "https://uri.etsi.org/ngsi-ld/own"),
        ("unknown:own", "unknown:own"),
    ],
)
def test_the_core_context_gives_names_their_iris(name: str, iri: str) -> None:
    assert Contexts().core.expand(name) == iri


def test_the_packaged_context_speaks_smart_data_models() -> None:
    context = Contexts().parvis
    assert context.expand("fillingLevel") == "https://smartdatamodels.org/dataModel.WasteManagement/fillingLevel"
    assert context.expand("address") == "https://smartdatamodels.org/address"
    assert context.expand("WasteContainer") == "https://smartdatamodels.org/dataModel.WasteManagement/WasteContainer"
    assert context.compact("https://smartdatamodels.org/dataModel.Device/Device") == "Device"


def test_the_packaged_context_has_one_iri_for_each_name_and_one_name_for_each_iri() -> None:
    context = Contexts().parvis
    document = msgspec.json.decode(packaged(PARVIS_FILE))["@context"]
    names = [name for name, iri in document.items() if not iri.startswith("https:")]
    assert len(names) > 450
    assert [context.compact(context.expand(name)) for name in names] == names


async def test_a_user_may_not_give_core_terms_another_meaning() -> None:
    context = await Contexts().resolve([CORE_URL, {"location": TOWN + "location", "bench": TOWN + "bench"}])
    assert context.expand("location") == "https://uri.etsi.org/ngsi-ld/location"
    assert context.expand("bench") == TOWN + "bench"


async def test_later_contexts_override_earlier_ones() -> None:
    context = await Contexts().resolve([{"bench": TOWN + "a"}, {"bench": TOWN + "b"}])
    assert context.expand("bench") == TOWN + "b"
    assert context.compact(TOWN + "a") == TOWN + "a"


async def test_contexts_that_mean_the_same_have_the_same_key() -> None:
    contexts = Contexts()
    plain = await contexts.resolve({"bench": TOWN + "bench"})
    listed = await contexts.resolve([{"bench": TOWN + "bench"}, CORE_URL])
    other = await contexts.resolve({"bench": TOWN + "seat"})
    assert plain.key == listed.key != other.key


async def test_a_fetched_context_may_lead_to_others_and_is_fetched_once() -> None:
    web = FakeWeb(
        {"https://a.example/c": ["https://b.example/c", {"town": TOWN}], "https://b.example/c": {"x": TOWN + "x"}}
    )
    contexts = Contexts(web.fetch)
    many = await asyncio.gather(*(contexts.resolve(["https://a.example/c"]) for _ in range(5)))
    again = await contexts.resolve("https://a.example/c")
    assert {one.expand("x") for one in [*many, again]} == {TOWN + "x"}
    assert again.expand("town:hall") == TOWN + "hall"
    assert sorted(web.fetched) == ["https://a.example/c", "https://b.example/c"]


async def test_fetched_contexts_are_kept_within_a_bound() -> None:
    web = FakeWeb({f"https://a.example/{number}": {"x": TOWN + str(number)} for number in range(5)})
    each_bytes = len(await web.fetch("https://a.example/0"))
    contexts = Contexts(web.fetch, max_bytes=2 * each_bytes, max_terms=1)
    for url in web.documents:
        await contexts.resolve(url)
    assert contexts.find("https://a.example/4") is not None
    assert contexts.find("https://a.example/3") is None
    web.fetched.clear()
    for number in (3, 4, 0):
        await contexts.resolve(f"https://a.example/{number}")
    assert web.fetched == ["https://a.example/0"]


@pytest.mark.parametrize(
    ("body", "failure"),
    [
        (b"<html>", BadRequestData),
        (b"[]", BadRequestData),
        (b'{"no": "context"}', BadRequestData),
        (b" " * (MAX_CONTEXT_BYTES + 1), LdContextNotAvailable),
    ],
)
async def test_what_is_no_context_document_is_refused(body: bytes, failure: type[ParvisError]) -> None:
    with pytest.raises(failure):
        await Contexts(FakeWeb({"https://a.example/c": body}).fetch).resolve("https://a.example/c")


async def test_a_failing_fetch_is_not_available_and_is_tried_again() -> None:
    web = FakeWeb({})
    contexts = Contexts(web.fetch)
    with pytest.raises(LdContextNotAvailable, match="ConnectionError"):
        await contexts.resolve("https://a.example/c")
    web.documents["https://a.example/c"] = {"x": TOWN + "x"}
    assert (await contexts.resolve("https://a.example/c")).expand("x") == TOWN + "x"


async def test_the_reason_of_a_guarded_fetch_is_told() -> None:
    async def refuse(url: str) -> bytes:
        raise Forbidden(f"{url} is a private address.")

    with pytest.raises(LdContextNotAvailable, match="private address"):
        await Contexts(refuse).resolve("http://10.0.0.1/c")


@pytest.mark.parametrize("url", ["file:///etc/passwd", "c.jsonld", ""])
async def test_only_the_web_is_asked_for_contexts(url: str) -> None:
    with pytest.raises(LdContextNotAvailable):
        await Contexts(FakeWeb({}).fetch).resolve(url)


@pytest.mark.parametrize(
    "value", [5, [5], {"x": 5}, {"x": {"@id": 5}}, {"a": "b:x", "b": "a:x"}, {"@vocab": 5}, [[[[[[[[[[{}]]]]]]]]]]]
)
async def test_what_is_no_context_is_refused(value: Any) -> None:
    with pytest.raises(BadRequestData):
        await Contexts().resolve(value)


async def test_a_loop_of_contexts_ends() -> None:
    web = FakeWeb({"https://a.example/c": ["https://a.example/c"]})
    with pytest.raises(BadRequestData):
        await Contexts(web.fetch).resolve("https://a.example/c")


@pytest.mark.parametrize(
    ("definition", "failure"),
    [
        ({"@reverse": TOWN + "x"}, OperationNotSupported),
        ({"@id": TOWN + "x", "@context": {}}, BadRequestData),
        ({"@id": TOWN + "x", "@container": "@graph"}, OperationNotSupported),
    ],
)
async def test_a_term_that_is_not_flat_is_refused_only_where_it_is_used(
    definition: dict[str, Any], failure: type[ParvisError]
) -> None:
    context = await Contexts().resolve({"x": definition, "y": TOWN + "y"})
    assert context.expand("y") == TOWN + "y"
    with pytest.raises(failure, match="'x'"):
        context.expand("x")


async def test_imports_of_contexts_are_not_supported() -> None:
    with pytest.raises(OperationNotSupported):
        await Contexts().resolve({"@import": "https://a.example/c"})


@pytest.mark.parametrize("name", ["", "@type", "a b", "a<b", 'a"b', "a;b", "a(b", "a\x00", "x" * 513, "type"])
def test_what_can_be_no_name_is_refused(name: str) -> None:
    with pytest.raises(BadRequestData):
        Contexts().core.expand(name)


def test_names_that_users_invent_do_not_fill_the_memory() -> None:
    context = Contexts().core
    for number in range(10_000):
        context.compact(context.expand(f"invented{number}"))
    assert len(context.names) <= 2048
    assert len(context.compacted) <= 2048


@pytest.mark.parametrize("version", ["-v1.3", "-v1.6", "-v1.8", "-v1.9", ""])
async def test_every_version_of_the_core_context_is_there_offline(version: str) -> None:
    url = f"https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context{version}.jsonld"
    assert is_core(url)
    assert (await Contexts().resolve(url)).expand("location") == "https://uri.etsi.org/ngsi-ld/location"
