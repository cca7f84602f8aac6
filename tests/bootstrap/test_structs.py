"""Threads that decode a Struct at once find it known: what is learnt while others look on crashes the process."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import msgspec
import pytest

from parvis.bootstrap import open_platform
from parvis.kernel.settings import MqttSettings, Settings
from parvis.kernel.structs import prepare_structs

pytestmark = pytest.mark.skipif(sys.gettrace() is not None, reason="a profile function may not be set")


@contextmanager
def learnt() -> Iterator[list[str]]:
    """What msgspec looks up while it learns a Struct; it does so in a function of Python."""
    found: list[str] = []

    def note(frame: FrameType, event: str, _: Any) -> None:
        if event == "call" and frame.f_code.co_name == "get_class_annotations":
            found.append(str(frame.f_locals["obj"]))

    sys.setprofile(note)
    try:
        yield found
    finally:
        sys.setprofile(None)


def new_structs() -> tuple[type[msgspec.Struct], type[msgspec.Struct]]:
    class Inner(msgspec.Struct):
        value: int

    class Outer(Inner):
        further: int = 0

    return Inner, Outer


def test_the_first_decoding_learns_a_struct() -> None:
    inner, _ = new_structs()
    with learnt() as found:
        msgspec.json.decode(b'{"value": 1}', type=inner)
    assert found, "msgspec learns elsewhere now: look whether it does so safely"


def test_a_prepared_struct_is_not_learnt_again() -> None:
    structs = new_structs()
    prepare_structs()
    with learnt() as found:
        for struct in structs:
            msgspec.json.decode(b'{"value": 1}', type=struct)
            msgspec.convert({"value": 1}, struct)
    assert found == []


def test_a_struct_no_decoder_takes_is_left_out() -> None:
    class Odd(msgspec.Struct):
        value: list[int] | tuple[int, ...]

    prepare_structs()
    with pytest.raises(TypeError):
        msgspec.json.Decoder(Odd)


async def test_an_open_platform_has_prepared_what_is_defined(tmp_path: Path) -> None:
    inner, _ = new_structs()
    async with open_platform(Settings(tmp_path, mqtt=MqttSettings(enabled=False)), listen=False):
        with learnt() as found:
            msgspec.json.decode(b'{"value": 1}', type=inner)
    assert found == []
