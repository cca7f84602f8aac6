"""Targets that need more than plain arguments: files, folders, streams, programs, packaged maps and formats."""

import gzip
import io
import tomllib
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zipfile import ZipFile

import msgspec
from hypothesis import strategies as st

from parvis.broker.jsonld.contexts import Contexts
from parvis.connectors.bacnet.mapping import POINTS_FILE, load_points
from parvis.connectors.coap.codec import decode_senml, decode_values, encode_cbor
from parvis.connectors.feeds import codec as feed_codec
from parvis.connectors.feeds.mapping import FORMAT_FILE, PACKAGED_FORMATS, Reading, load_format
from parvis.connectors.files.client import MappedFile, read_files
from parvis.connectors.files.config import ENDINGS, Attribute, Inventory, Mapping, Place, Series, Time, load_mapping
from parvis.connectors.files.guess import guess_file
from parvis.connectors.files.proposal import list_terms
from parvis.connectors.files.report import Report
from parvis.connectors.mbus.codec import decode_telegram, encode_long
from parvis.connectors.mbus.mapping import map_fields
from parvis.connectors.modbus.mapping import MAP_FILE, RegisterMap, load_map
from parvis.fleet.codecs.codec import Codec
from parvis.fleet.codecs.program import START_LIMIT_S
from parvis.fleet.documents.expressions import Expression
from parvis.fleet.documents.mapping import PACKAGED_MAPPINGS, DocumentMapping, load_mappings
from parvis.fleet.documents.mapping import load_mapping as load_document_mapping
from parvis.fleet.model.uplink import Uplink
from parvis.fleet.profiles.imports.yaml12 import read_yaml
from parvis.fleet.profiles.profile import PACKAGED_PROFILES, load_profile
from parvis.fleet.ways.check import read_manifest
from parvis.kernel.settings import TERRITORY_FILE
from parvis.kernel.settings_reader import load_settings
from parvis.kernel.territory_file import render_territory_file
from parvis.mqttwire import client_codec, codec, subscriber_codec
from parvis.mqttwire.packets import Malformed, Packet, Publish, Version
from parvis.mqttwire.wire import MalformedPacket
from tests.fuzz.damage import any_bytes, damaged_bytes, damaged_documents, encoded, plain_values
from tests.fuzz.programs import BOMBS, programs
from tests.fuzz.samples import TESTS, documents_of, samples_of
from tests.fuzz.targets import NOW, PACKAGE, Target, find_targets

_LARGEST_PACKET = 4096
_FRAME_BYTES = 20
_EXPAND = Contexts().parvis.expand


def list_targets(group: str | None = None) -> list[Target]:
    """Those found by themselves, and these."""
    makers = {
        "mqttwire": _mqtt, "files": _files, "fleet/documents": _documents, "mbus": _telegrams, "modbus": _registers,
        "coap": _senml, "fleet/codecs": _programs,
    }  # fmt: skip
    made = [one for name, make in makers.items() if group in (None, name) for one in make()]
    told = [one for one in (*_told_files(), *_feeds()) if group in (None, one.group)]
    return [*find_targets(group), *made, *told]


def _mqtt() -> Iterator[Target]:
    publish = Publish("a/b", b"payload", qos=1, packet_id=7)
    packets = [
        b"\x10\x10\0\4MQTT\5\2\0\x3c\0\0\3abc", b"\x10\x0f\0\4MQTT\4\2\0\x3c\0\3abc", b"\x82\x08\0\1\0\3a/+\1",
        b"\xc0\0", b"\xe0\0", codec.encode_publish(publish, Version.V5), codec.encode_publish(publish, Version.V311),
        codec.encode_puback(7, 0, Version.V5), codec.encode_suback(1, [0, 1], Version.V5), b"\x20\x03\0\0\0",
        b"\xa2\x07\0\1\0\3a/b", codec.encode_disconnect(0x8E, "taken over"),
    ]  # fmt: skip
    stream = st.lists(damaged_bytes(packets), min_size=1, max_size=4).map(b"".join) | st.binary(max_size=200)
    versions = st.sampled_from(Version)
    yield Target("mqttwire:Decoder.feed", _fed, st.tuples(st.none() | versions, stream, st.integers(1, 60)))
    yield Target("mqttwire:AnswerDecoder.feed", _answered, st.tuples(versions, stream, st.integers(1, 60)))
    yield Target("mqttwire:DeliveryDecoder.feed", _delivered, st.tuples(versions, stream, st.integers(1, 60)))


def _pieces(stream: bytes, size: int) -> list[bytes]:
    return [stream[start : start + size] for start in range(0, len(stream), size)]


def _fed(version: Version | None, stream: bytes, size: int) -> None:
    decoder = codec.Decoder(_LARGEST_PACKET)
    decoder.version = version
    packets: list[Packet] = [packet for piece in _pieces(stream, size) for packet in decoder.feed(piece)]
    for packet in packets:
        if isinstance(packet, Malformed):
            raise MalformedPacket(packet.detail)
        if isinstance(packet, Publish) and version is not None:
            codec.encode_publish(packet, version)


def _answered(version: Version, stream: bytes, size: int) -> None:
    decoder = client_codec.AnswerDecoder(version)
    for piece in _pieces(stream, size):
        decoder.feed(piece)


def _delivered(version: Version, stream: bytes, size: int) -> None:
    decoder = subscriber_codec.DeliveryDecoder(version, _LARGEST_PACKET)
    for piece in _pieces(stream, size):
        decoder.feed(piece)


_INVENTORY = Mapping(
    inventory=Inventory("Device", "urn:x:{a}", (Attribute("b", "value", "number"),), Place(geometry="geometry"))
)
_WITHOUT_PLACE = msgspec.structs.replace(
    _INVENTORY, inventory=Inventory("Device", "urn:x:{a}", (Attribute("b", "value", "text"),))
)
_SERIES = Mapping(Time("a"), (Series("b", "urn:x:{a}", "Device", "value"),))

_MAPPINGS = (_INVENTORY, _WITHOUT_PLACE, _SERIES)


def _files() -> Iterator[Target]:
    samples = _sample_files()
    for ending in sorted(samples):
        content = damaged_bytes(samples[ending]) | _near_text(samples[ending])
        if ending in (".xlsx", ".zip"):
            content |= _repacked(samples[ending][0])
        elif ending.endswith(".gz"):
            content |= damaged_bytes(samples[".csv"]).map(gzip.compress)
        inputs = st.tuples(st.just(f"x{ending}"), content)
        yield Target(f"files:read {ending}", _read_file, st.tuples(inputs, st.sampled_from(_MAPPINGS)))
        yield Target(f"files:guess {ending}", _guess_file, inputs)


def _repacked(archive: bytes) -> st.SearchStrategy[bytes]:
    """The archive whole, what is in one of its members not."""
    with ZipFile(io.BytesIO(archive)) as opened:
        members = {name: opened.read(name) for name in opened.namelist()}

    def packed(name: str, content: bytes) -> bytes:
        made = io.BytesIO()
        with ZipFile(made, "w") as written:
            for member, known in members.items():
                written.writestr(member, content if member == name else known)
        return made.getvalue()

    names = st.sampled_from(sorted(name for name, content in members.items() if content))
    return names.flatmap(lambda name: st.builds(packed, st.just(name), damaged_bytes([members[name]])))


def _near_text(samples: list[bytes]) -> st.SearchStrategy[bytes]:
    """Rows of cells that are something else, joined as the sample joins them."""
    cells = plain_values(("a", "b", "2026-01-01", "2,5", "POINT (1 2)")).map(str)
    rows = st.lists(st.lists(cells, max_size=5).map(",".join), max_size=6).map("\n".join)
    return rows.map(lambda text: samples[0][:40] + text.encode("utf-8", "replace"))


def _read_file(named: tuple[str, bytes], mapping: Mapping) -> None:
    name, content = named
    with TemporaryDirectory() as folder:
        path = Path(folder, name)
        path.write_bytes(content)
        for _ in read_files([MappedFile(path, name, {})], mapping, Report(), lambda _rows: None):
            pass


def _guess_file(name: str, content: bytes) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder, name)
        path.write_bytes(content)
        guess_file(path, list_terms(), "Europe/Paris")


@cache
def _sample_files() -> dict[str, list[bytes]]:
    """One good file of each kind, as the libraries of others write them."""
    table = "a,b,geometry\n1,2.5,POINT (-3.36 47.74)\n2,3,POINT (-3.35 47.75)\n2026-01-01T00:00:00Z,4,\n"
    lines = b'{"a": 1, "b": 2.5}\n{"a": "2026-01-01T00:00:00Z", "b": 3}\n'
    point = {"type": "Point", "coordinates": [-3.36, 47.74]}
    features = [{"type": "Feature", "properties": {"a": number, "b": 2}, "geometry": point} for number in range(3)]
    collection = msgspec.json.encode({"type": "FeatureCollection", "features": features})
    found = {
        ".csv": [table.encode(), table.replace(",", ";").encode("utf-16-le"), b"\xef\xbb\xbf" + table.encode()],
        ".csv.gz": [gzip.compress(table.encode())],
        ".jsonl": [lines],
        ".geojson": [collection],
        ".xlsx": [_workbook()],
        ".parquet": [_parquet()],
        ".gpkg": [_map_file(collection, "GPKG", "x.gpkg")],
        ".fgb": [_map_file(collection, "FlatGeobuf", "x.fgb")],
        ".zip": [_map_file(collection, "ESRI Shapefile", "x.shz")],
    }
    return {ending: content for ending, content in found.items() if ending in ENDINGS and content != [b""]}


def _workbook() -> bytes:
    import openpyxl

    book, content = openpyxl.Workbook(), io.BytesIO()
    for row in (["a", "b"], [1, 2.5], ["2026-01-01T00:00:00Z", "x"]):
        book.active.append(row)
    book.save(content)
    return content.getvalue()


def _parquet() -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    content = io.BytesIO()
    pq.write_table(pa.table({"a": ["1", "2"], "b": [1.5, None], "l": [[1], [2, 3]]}), content)
    return content.getvalue()


def _map_file(collection: bytes, driver: str, name: str) -> bytes:
    import pyogrio

    with TemporaryDirectory() as folder:
        source, path = Path(folder, "s.geojson"), Path(folder, name)
        source.write_bytes(collection)
        meta, table = pyogrio.read_arrow(source)
        geometry = meta["geometry_name"] or "wkb_geometry"
        pyogrio.write_arrow(
            table, path, driver=driver, geometry_name=geometry, geometry_type="Point", crs=meta["crs"], layer="x"
        )
        return path.read_bytes()


def _told_files() -> Iterator[Target]:
    """Files that people write, in TOML and YAML."""
    profiles, connectors = PACKAGED_PROFILES, TESTS / "connectors"
    lists: list[tuple[str, str, Callable[[Path], Any], list[Path]]] = [
        ("fleet/profiles", "profile.toml", _load_profile, _packaged(profiles, "profile.toml")),
        ("fleet/profiles", "manifest.toml", read_manifest, _packaged(PACKAGE / "connectors", "manifest.toml")),
        ("fleet/documents", "mapping.toml", load_document_mapping, _packaged(PACKAGED_MAPPINGS, "mapping.toml")),
        ("modbus", MAP_FILE, lambda at: load_map(at.name, [at.parent]), _packaged(profiles, MAP_FILE)),
        ("bacnet", POINTS_FILE, lambda at: load_points(at.name, [at.parent]), _packaged(TESTS, POINTS_FILE)),
        ("feeds", FORMAT_FILE, lambda at: load_format(at.name, [at.parent]), _packaged(PACKAGED_FORMATS, FORMAT_FILE)),
        ("files", "x.toml", lambda at: load_mapping(at / "x.toml"), _packaged(connectors / "files", "*.toml")),
        ("fleet/profiles/imports", "x.yaml", lambda at: read_yaml(at / "x.yaml"), []),
        ("kernel", TERRITORY_FILE, load_settings, []),
    ]
    for group, name, load, samples in lists:
        contents = [one.read_bytes() for one in samples] or _told_in_tests(group) or _written_here(name)
        inputs = st.tuples(st.just(name), st.just(load), _near_toml(contents))
        yield Target(f"{group}:{name}", _load_from_folder, inputs)


def _load_profile(folder: Path) -> None:
    load_profile(folder, _EXPAND)


def _told_in_tests(group: str) -> list[bytes]:
    """Tests write such files themselves."""
    return [one for one in samples_of((TESTS / "connectors" / group,)) if b"=" in one and b"[[" in one]


def _written_here(name: str) -> list[bytes]:
    if name != TERRITORY_FILE:
        return [b"name = 1\n", b"a: {b: [1, 2]}\nc: &x [2026-01-01]\nd: *x\n"]
    territory = render_territory_file({"territory.name": "x"}).encode()
    return [territory, _uncommented(territory)]


def _packaged(root: Path, pattern: str) -> list[Path]:
    return sorted(root.rglob(pattern))


def _uncommented(text: bytes) -> bytes:
    lines = text.decode().splitlines()
    return "\n".join(line.removeprefix("# ") if " = " in line else line for line in lines).encode()


def _near_toml(contents: list[bytes]) -> st.SearchStrategy[bytes]:
    documents = []
    for one in contents:
        try:
            documents.append(tomllib.loads(one.decode()))
        except ValueError:
            continue
    bytewise = damaged_bytes(contents) | any_bytes(contents, [], ("id", "name"))
    return bytewise | damaged_documents(documents, ("id", "name")).map(_as_toml) if documents else bytewise


def _as_toml(document: Any) -> bytes:
    """As inline tables: what JSON's grammar and TOML's share, but for null."""
    lines = [f"{msgspec.json.encode(str(name)).decode()} = {_inline(value)}" for name, value in _items(document)]
    return "\n".join(lines).encode("utf-8", "replace")


def _items(value: Any) -> list[tuple[Any, Any]]:
    return list(value.items()) if isinstance(value, dict) else []


def _inline(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_inline(str(name))} = {_inline(one)}" for name, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_inline, value)) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return msgspec.json.encode(value.encode("utf-8", "replace").decode()).decode()
    return "nan" if value is None else repr(value)


def _load_from_folder(name: str, load: Callable[[Path], Any], content: bytes) -> None:
    with TemporaryDirectory() as parent:
        folder = Path(parent, _id_in(content))
        folder.mkdir(parents=True)
        (folder / name).write_bytes(content)
        (folder / "codec.js").write_text("function decodeUplink(i) { return {data: {}}; }")
        load(folder)


def _id_in(content: bytes) -> str:
    """A folder has the name that the file in it says."""
    found = content.partition(b'id = "')[2].partition(b'"')[0].decode("ascii", "ignore")
    return found if found.replace("-", "").isalnum() and len(found) < 60 else "any"


def _documents() -> Iterator[Target]:
    folders = (TESTS / "fleet/documents", TESTS / "properties")
    documents = documents_of(samples_of(folders))
    values = damaged_documents(documents, ()) | plain_values(("device", "time"))
    expressions = (
        "data[?t > `1`].v | [0]", "from_pairs(rows[*].[name, value])", "split(text, ',')[0]", "parse_json(@).a",
        "sort_by(@, &t)[-1]", "a.b[*].c[]", "{t: time, v: value}", "join('-', keys(@))", "max_by(rows, &n).n",
    )  # fmt: skip
    texts = damaged_bytes([one.encode() for one in expressions]).map(lambda one: one.decode("utf-8", "replace"))
    deep = st.sampled_from(["(" * 900, "a." * 900 + "a", "[" * 1900, "!" * 1900, "a" + "[0]" * 600, "a||" * 600 + "a"])
    yield Target("fleet/documents:Expression", _evaluate, st.tuples(texts | deep | st.text(max_size=40), values))
    mappings = load_mappings([PACKAGED_MAPPINGS])
    yield Target(
        "fleet/documents:DocumentMapping", _map_document, st.tuples(st.sampled_from(list(mappings.values())), values)
    )


def _feeds() -> Iterator[Target]:
    formats = [load_format(path.name, [PACKAGED_FORMATS]) for path in sorted(PACKAGED_FORMATS.iterdir())]
    feeds = samples_of((TESTS / "connectors/feeds",))
    bodies = any_bytes(feeds, documents_of(feeds), ("records",))
    encodings = st.sampled_from(feed_codec.Encoding)
    yield Target("feeds:FeedFormat.read", _read_feed, st.tuples(st.sampled_from(formats), encodings, bodies))


def _evaluate(text: str, document: Any) -> None:
    Expression(text).evaluate(document)


def _map_document(mapping: DocumentMapping, document: Any) -> None:
    for item in mapping.find_items(document):
        msgspec.json.encode(mapping.read_item(item, NOW))


def _read_feed(form: Any, encoding: feed_codec.Encoding, body: bytes) -> None:
    for document in feed_codec.read_documents(body, encoding):
        form.read(document, (), 100, NOW, Reading())
        form.find_next(document)


def _telegrams() -> Iterator[Target]:
    telegrams = [
        one for one in samples_of((TESTS / "connectors/mbus",)) if one[:1] == b"\x68" and len(one) > _FRAME_BYTES
    ]
    bodies = damaged_bytes([one[7:-2] for one in telegrams]) | st.binary(max_size=240)
    framed = st.builds(_framed, st.sampled_from([0x72, 0x76]) | st.integers(0, 255), bodies)
    yield Target("mbus:telegram to fields", _fields_of, st.tuples(damaged_bytes(telegrams) | framed | framed))


def _senml() -> Iterator[Target]:
    """RFC 8428 in JSON and CBOR, and the formats of LwM2M, by their numbers."""
    samples = samples_of((TESTS / "connectors/coap",))
    texts = st.sampled_from(["", "temp", "urn:dev:ow:1", "/3303/0/5700", "/"]) | st.text(max_size=5)
    numbers = st.integers(-(2**40), 2**40) | st.floats(-1e15, 1e15) | st.sampled_from([0, 1e308, -1e308, 2**63, 0.5])
    members: dict[str, st.SearchStrategy[Any]] = dict.fromkeys(("bn", "n", "u", "bu", "vs", "vd"), texts)
    members |= dict.fromkeys(("bt", "t", "v", "bv", "bs", "s", "ut"), numbers)
    pack = st.lists(st.fixed_dictionaries({}, optional=members), max_size=5)
    body = pack.map(encode_cbor) | pack.map(encoded) | any_bytes(samples, [], ())
    forms = st.sampled_from([0, 40, 42, 50, 60, 110, 112, 1542, 1543, 11542, 11543])
    paths = st.sampled_from([(), (3303,), (3303, 0), (3303, 0, 5700)])
    yield Target("coap:senml", decode_senml, st.tuples(body, forms, st.just(NOW)))
    yield Target("coap:lwm2m", decode_values, st.tuples(body, forms | st.none(), paths, st.just(NOW)))


def _registers() -> Iterator[Target]:
    maps = [load_map(path.parent.name, [PACKAGED_PROFILES]) for path in _packaged(PACKAGED_PROFILES, MAP_FILE)]
    words = st.sampled_from([0, 1, 0x7FC0, 0x7F80, 0x8000, 0xFFFF, 0xFF80]) | st.integers(0, 0xFFFF)
    inputs = st.tuples(
        st.sampled_from(maps), st.lists(words, min_size=400, max_size=400) | st.lists(words, max_size=40)
    )
    yield Target("modbus:RegisterMap.read", _read_registers, inputs)


def _framed(information: int, body: bytes) -> bytes:
    """With the lengths and the sum that hold, so that it is looked into."""
    return encode_long(0x08, 5, information, body[:240])


def _fields_of(octets: bytes) -> None:
    msgspec.json.encode(map_fields([decode_telegram(octets)]))


def _read_registers(registers: RegisterMap, words: list[int]) -> None:
    told = {}
    for register in registers.registers:
        for place in range(register.address, register.end):
            if words:
                told[register.table, place] = words[place % len(words)]
    msgspec.json.encode(registers.read(told))


def _programs() -> Iterator[Target]:
    payloads = st.binary(max_size=30)
    inputs = st.tuples(programs() | st.sampled_from(BOMBS), payloads)
    yield Target("fleet/codecs:Codec.decode", _run_codec, inputs, longest_s=START_LIMIT_S + 1)


def _run_codec(source: str, payload: bytes) -> None:
    frame = Uplink("0" * 16, payload, 1, 0, NOW)
    for result in Codec(source).decode([frame, frame]):
        msgspec.json.encode(result)
