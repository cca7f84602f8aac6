from pathlib import Path

import pytest

from parvis.fleet.codecs.examples import Verdict
from parvis.fleet.codecs.program import Routine
from parvis.fleet.profiles.imports.repository import DeviceRepository, NoRepository
from parvis.fleet.profiles.imports.trials import CodecTrials, try_codec
from parvis.fleet.profiles.imports.yaml12 import UnreadableFile, read_yaml
from tests.fleet.profiles.imports.checkout import write_checkout


def try_all(root: Path) -> dict[str, CodecTrials]:
    return {one.id: try_codec(one) for one in DeviceRepository(root).read_vendor("acme").codecs}


def test_a_codec_is_read_once_with_all_devices_it_serves(tmp_path: Path) -> None:
    repository = DeviceRepository(write_checkout(tmp_path))
    assert repository.list_vendors() == ["acme"]
    vendor = repository.read_vendor("acme")
    assert vendor.name == "Acme Instruments"
    assert {one.id: [device.id for device in one.devices] for one in vendor.codecs} == {
        "climate-codec": ["climate", "climate-outdoor"],
        "valve-codec": ["valve"],
    }
    (climate, _) = vendor.codecs[0].devices
    assert (climate.description, climate.sensors) == ("Temperature and humidity.", ("temperature", "humidity"))
    assert [one.path.name for one in vendor.unreadable] == ["missing.yaml"]


def test_each_example_is_run_and_a_wrong_one_says_where_it_differs(tmp_path: Path) -> None:
    trials = try_all(write_checkout(tmp_path))
    assert [(one.example.routine, one.example.number, one.verdict) for one in trials["climate-codec"].trials] == [
        (Routine.DECODE_UPLINK, 1, Verdict.PASSED),
        (Routine.NORMALIZE_UPLINK, 1, Verdict.PASSED),
        (Routine.DECODE_UPLINK, 2, Verdict.DIFFERS),
        (Routine.DECODE_UPLINK, 3, Verdict.PASSED),
    ]
    assert trials["climate-codec"].trials[2].detail == "data.hum: 0, expected 1"
    assert not trials["climate-codec"].have_passed
    assert [one.example.routine for one in trials["valve-codec"].trials] == [
        Routine.DECODE_UPLINK,
        Routine.ENCODE_DOWNLINK,
        Routine.DECODE_DOWNLINK,
    ]
    assert trials["valve-codec"].have_passed


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("function decodeUplink(i) { while (true) {} }", Verdict.TIMED_OUT),
        ("function decodeUplink(i) { for (const a = []; ; ) a.push(new Array(1e5).fill(1)); }", Verdict.OUT_OF_MEMORY),
        ("function decodeUplink(i) { return i.none.at; }", Verdict.THREW),
        ("function decodeUplink(i) { return 5; }", Verdict.BAD_RESULT),
        ("function decodeUplink(i) { return {data: {open: 1}}; }", Verdict.DIFFERS),
        ("function (", Verdict.DOES_NOT_START),
        ("function encodeDownlink(i) {}", Verdict.DOES_NOT_START),
    ],
)
def test_what_goes_wrong_has_a_name(tmp_path: Path, script: str, expected: Verdict) -> None:
    trials = try_all(write_checkout(tmp_path, **{"acme/valve.js": script}))["valve-codec"].trials
    assert [one.verdict for one in trials] == [expected, Verdict.PASSED, Verdict.PASSED]


def test_a_script_that_is_not_there_fails_its_examples_only(tmp_path: Path) -> None:
    root = write_checkout(tmp_path)
    (root / "vendor/acme/valve.js").unlink()
    verdicts = [one.verdict for one in try_all(root)["valve-codec"].trials]
    assert verdicts == [Verdict.NO_SCRIPT, Verdict.PASSED, Verdict.PASSED]


def test_a_codec_that_points_out_of_its_vendor_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret.js").write_text("function decodeUplink(i) { return {data: {}}; }")
    codec = "uplinkDecoder:\n  fileName: ../../secret.js\n  examples:\n    - input: {bytes: []}\n      output: {}\n"
    vendor = DeviceRepository(write_checkout(tmp_path, **{"acme/valve-codec.yaml": codec})).read_vendor("acme")
    assert vendor.codecs[1].scripts == {}
    assert [one.why for one in vendor.unreadable] == ["No such file or directory", "lies elsewhere"]


@pytest.mark.parametrize("content", ["- a list", "a: [", "a: 'b", "\t", "a: 1\na: !!python/object:os.system {}\n"])
def test_a_file_that_cannot_be_read_is_told_and_the_others_go_on(tmp_path: Path, content: str) -> None:
    vendor = DeviceRepository(write_checkout(tmp_path, **{"acme/valve.yaml": content})).read_vendor("acme")
    assert "valve.yaml" in [one.path.name for one in vendor.unreadable]
    assert [one.id for one in vendor.codecs] == ["climate-codec"]


def test_a_part_of_the_repository_without_its_indexes_is_read_too(tmp_path: Path) -> None:
    root = write_checkout(tmp_path)
    (root / "vendor/index.yaml").unlink()
    (root / "vendor/acme/index.yaml").unlink()
    vendor = DeviceRepository(root / "vendor").read_vendor("acme")
    assert vendor.name == "acme"
    assert {one.id: [device.id for device in one.devices] for one in vendor.codecs} == {
        "climate-codec": ["climate", "climate-outdoor"],
        "valve-codec": ["valve"],
    }


def test_what_is_no_repository_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NoRepository, match="checkout of"):
        DeviceRepository(tmp_path)
    with pytest.raises(NoRepository, match="'other'"):
        DeviceRepository(write_checkout(tmp_path)).read_vendor("other")


def test_yaml_is_read_as_the_repositorys_tools_read_it(tmp_path: Path) -> None:
    """YAML 1.2 core with js-yaml's times: `on` is a word, an octal number has its o, a time is text in the end."""
    path = tmp_path / "a.yaml"
    path.write_text(
        "a: on\nb: no\nc: true\nd: 0x1F\ne: 0o17\nf: 017\ng: 1e3\nh: 1:30\ni: ~\nj: 2023-07-19\n"
        "k: 2023-07-19T07:51:25.5+02:00\nl: '1'\nm: 0b11\nn: -.5\no: &x {p: 1}\nq: {<<: *x, r: 2}\ns: 12e\nt:\n"
    )
    assert read_yaml(path) == {
        "a": "on", "b": "no", "c": True, "d": 31, "e": 15, "f": 17, "g": 1000.0, "h": "1:30", "i": None,
        "j": "2023-07-19T00:00:00.000Z", "k": "2023-07-19T05:51:25.500Z", "l": "1", "m": 3, "n": -0.5,
        "o": {"p": 1}, "q": {"p": 1, "r": 2}, "s": "12e", "t": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    "content",
    [
        "a: &a [*a]",
        "a: &a [1, 2, 3, 4]\n"
        + "".join(
            f"b{n}: &b{n} [{', '.join(['*' + p] * 9)}]\n" for n, p in enumerate(["a", *[f"b{n}" for n in range(12)]])
        ),
    ],
)
def test_a_file_that_grows_without_end_by_its_aliases_is_not_read(tmp_path: Path, content: str) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(content)
    with pytest.raises(UnreadableFile, match="aliases"):
        read_yaml(path)


def test_a_file_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("a: " + "x" * (5 << 20))
    with pytest.raises(UnreadableFile, match="MiB"):
        read_yaml(path)
