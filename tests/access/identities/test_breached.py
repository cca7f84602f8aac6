import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from parvis.access.identities.breached import Weakness, find_weakness, is_in_file, words_of
from parvis.access.passwords import Passwords
from parvis.kernel.errors import BadRequestData

NAMES = ("marie.legal@mairie.example", "Saint-Malo")


@pytest.mark.parametrize(
    ("password", "weakness"),
    [
        ("password1234", Weakness.COMMON),
        ("motdepasse123", Weakness.COMMON),
        ("azertyuiop123", Weakness.COMMON),
        ("bonjourbonjour", Weakness.COMMON),
        ("aaaaaaaaaaaaaaaaaa", Weakness.COMMON),
        ("Saint-Malo2026", Weakness.CONTEXT),
        ("MarieLegal35!", Weakness.CONTEXT),
        ("parvis-parvis", Weakness.CONTEXT),
        ("le chat dort sur le toit", None),
        ("saint-malo sous la pluie de mars", None),
        ("xK7pQw2mZr9t", None),
        ("四月の朝の海は静かだった", None),
    ],
)
def test_what_is_guessed_first_is_refused_and_nothing_else(password: str, weakness: Weakness | None) -> None:
    assert find_weakness(password, NAMES) is weakness


def test_a_long_password_takes_no_longer() -> None:
    assert find_weakness("a sentence of several words, " * 35, NAMES) is None


def test_context_words_are_those_of_some_length() -> None:
    parts = {"marie", "legal", "mairie", "example", "saint", "malo"}
    assert set(words_of(NAMES)) == {"marie.legal@mairie.example", "saint-malo"} | parts
    assert words_of(["ty an b"]) == ["ty an b"]


@pytest.mark.parametrize("count", [0, 1, 2, 3, 50, 257])
@pytest.mark.parametrize("end", [":17\r\n", "\n"])
def test_each_password_of_a_file_of_hashes_is_found_and_no_other(tmp_path: Path, count: int, end: str) -> None:
    known = [f"stolen {number}" for number in range(count)]
    hashes = sorted(hashlib.sha1(one.encode()).hexdigest().upper() for one in known)
    file = tmp_path / "pwned"
    file.write_bytes("".join(one + end for one in hashes).encode())
    assert all(is_in_file(file, one) for one in known)
    assert not any(is_in_file(file, f"own {number}") for number in range(50))


async def test_a_weak_password_is_told_why_before_it_is_hashed(tmp_path: Path) -> None:
    stolen = tmp_path / "pwned"
    stolen.write_text(hashlib.sha1(b"le chat dort sur le toit").hexdigest())
    passwords = Passwords(memory_kib=8, shortest=10, breached=stolen)
    for password, rule in (
        ("nine char", "password-length"),
        ("password1234", "password-common"),
        ("trevalan 2026", "password-context"),
        ("le chat dort sur le toit", "password-breached"),
    ):
        with pytest.raises(BadRequestData) as refusal:
            await passwords.check(password, ("Trevalan",))
        assert refusal.value.extras["rule"] == rule
        assert password not in refusal.value.detail


async def test_a_letter_is_one_however_a_keyboard_puts_it_together() -> None:
    passwords = Passwords(memory_kib=8)
    kept = await passwords.hash("l\u00e9t\u00e9 revient toujours")
    assert await passwords.matches(kept, "le\u0301te\u0301 revient toujours")


def test_what_few_need_is_read_once_it_is_needed() -> None:
    """Word lists (12 MB), signatures (9 MB) and public suffixes: idle memory is a published figure."""
    lines = "import sys, parvis.web.server; print(sorted({'zxcvbn', 'fido2', 'joserfc'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", lines], capture_output=True, text=True, check=True).stdout == "[]\n"
