"""Who has a copy of the trail can show that nothing of it was changed, also of what they may not read."""

import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from parvis.access.access import COMMAND_LINE, Access
from parvis.access.audit import mark_of
from parvis.access.audit_proof import BrokenTrail, proof_lines, prove
from parvis.access.model import AuditRecord

GUIDE = Path(__file__).parents[2] / "docs" / "reference" / "audit.md"


Forgery = Callable[[list[bytes]], list[bytes]]
FORGERIES: dict[str, Forgery] = {
    "changed": lambda lines: [one.replace(b"thing 2", b"thing 9") for one in lines],
    "a member put in": lambda lines: [one.replace(b'"tenant":"north"', b'"x":1,"tenant":"north"') for one in lines],
    "left out": lambda lines: lines[:1] + lines[2:],
    "swapped": lambda lines: [lines[1], lines[0], *lines[2:]],
    "put in": lambda lines: [*lines[:2], *lines[1:]],
    "broken off": lambda lines: lines[:-2],
    "ended early": lambda lines: lines[:2] + lines[-1:],
    "gone on": lambda lines: [*lines, lines[0]],
    "numbered anew": lambda lines: [lines[0], lines[1].replace(b'"number":2', b'"number":3'), *lines[2:]],
}


@pytest.fixture
def trail(access: Access) -> Access:
    for number, tenant in enumerate(("north", "south", "north", "Ærø")):
        facts = {"wrote": "naïve “text”\n", "count": number, "nested": {"b": [1, None], "a": True}}
        access.store.append_audit(
            AuditRecord(1_000_000 * number, tenant, "user:odile", "done", f"thing {number}", facts)
        )
    return access


def lines_of(access: Access, tenant: str | None = None) -> list[bytes]:
    return list(proof_lines(access.store.read_audit(), None if tenant is None else {tenant}))


def test_a_whole_trail_is_proven(trail: Access) -> None:
    newest = list(trail.store.read_audit())[-1]
    proven = prove(lines_of(trail))
    assert (proven.entries, proven.shown, proven.digest) == (4, 4, newest.digest.hex())


def test_a_tenants_copy_is_proven_and_tells_nothing_of_others(trail: Access) -> None:
    lines = lines_of(trail, "north")
    assert b"thing 1" not in b"".join(lines)
    proven = prove(lines)
    assert (proven.entries, proven.shown) == (4, 2)
    assert proven.digest == prove(lines_of(trail)).digest


@pytest.mark.parametrize("tenant", [None, "north"])
@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES)
def test_a_forged_copy_is_found_out(trail: Access, tenant: str | None, forge: Forgery) -> None:
    with pytest.raises(BrokenTrail):
        prove(forge(lines_of(trail, tenant)))


@pytest.mark.parametrize("line", [b"", b"{}", b'{"number":1,"digest":"00"}', b'{"number":1,"digest":"","mark":"zz"}'])
def test_what_is_no_line_of_a_trail_is_refused(line: bytes) -> None:
    with pytest.raises(BrokenTrail, match="1"):
        prove([line])


def test_an_empty_trail_is_sound(access: Access) -> None:
    assert prove(lines_of(access)).entries == 0


def test_a_hidden_record_cannot_be_found_by_trying(trail: Access) -> None:
    hidden = next(json.loads(line) for line in lines_of(trail, "south"))
    told = next(iter(trail.store.read_audit())).record
    guesses = [msgspec.structs.replace(told, salt=salt) for salt in ("", "00" * 16)]
    assert hidden["mark"] not in {mark_of(1, guess).hex() for guess in guesses}
    assert hidden["mark"] == mark_of(1, told).hex()
    salts = {entry.record.salt for entry in trail.store.read_audit()}
    assert {len(salt) for salt in salts} == {32}
    assert len(salts) == 4


@pytest.mark.parametrize("tenant", [None, "north"])
def test_a_stranger_proves_it_with_the_program_of_the_reference(
    trail: Access, tenant: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trail.keys.create(COMMAND_LINE, "gate", "device")
    path = tmp_path / "trail.ndjson"
    path.write_bytes(b"".join(lines_of(trail, tenant)))
    found = re.search(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    exec(compile(found[1], str(GUIDE), "exec"), {"FILE": str(path), "hashlib": hashlib, "json": json})
    assert prove(lines_of(trail, tenant)).digest in capsys.readouterr().out
    path.write_bytes(path.read_bytes().replace(b"thing 2", b"thing 3"))
    with pytest.raises(SystemExit):
        exec(compile(found[1], str(GUIDE), "exec"), {"FILE": str(path)})
