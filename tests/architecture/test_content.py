import ast
import re
from pathlib import Path

from tests.architecture.source import ROOT, package_files, shown, tracked_files, tree

TRACKED_KIB = 400
TEXT = {".py", ".md", ".toml", ".json", ".js", ".css", ".html", ".svg", ".sh", ".sql", ".txt", ".yml", ""}
# Written so that this file does not contain what it forbids.
MACHINE_PATHS = re.compile("/wor" + r"k/|/tmp/te" + r"am|/hom" + r"e/[a-z]|/User" + r"s/")
EMPTY_NAMES = re.compile(r"(Manager|Helper|Utils?)$", re.IGNORECASE)


def text_files() -> list[Path]:
    return [path for path in tracked_files() if path.suffix in TEXT]


def test_no_path_of_a_machine_is_written_down() -> None:
    found = {
        f"{shown(path)}:{number}"
        for path in text_files()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if MACHINE_PATHS.search(line)
    }
    assert found == set()


def test_no_third_party_or_generated_front_end_file_is_tracked() -> None:
    generated = re.compile(r"\.min\.(js|css)$|\.map$|node_modules/|/vendor/")
    assert [shown(path) for path in tracked_files() if generated.search(shown(path))] == []


def test_no_large_file_is_tracked() -> None:
    sizes = {shown(path): path.stat().st_size // 1024 for path in tracked_files()}
    assert {path: kib for path, kib in sizes.items() if kib > TRACKED_KIB} == {}


def test_the_lock_file_names_no_registry() -> None:
    lock = (ROOT / "frontend/package-lock.json").read_text(encoding="utf-8")
    assert '"resolved"' not in lock
    assert lock.count('"integrity": "sha512-') == lock.count('"node_modules/')


def test_names_say_what_a_thing_does() -> None:
    classes = {
        f"{shown(path)} {node.name}"
        for path in package_files()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ClassDef) and EMPTY_NAMES.search(node.name)
    }
    modules = {shown(path) for path in package_files() if EMPTY_NAMES.search(path.stem)}
    assert classes | modules == set()


def test_no_unfinished_work_is_marked_in_the_code() -> None:
    marks = re.compile(r"\b(TO" + "DO|FIX" + r"ME|X" + r"XX)\b")
    found = {
        f"{shown(path)}:{number}"
        for path in package_files()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if marks.search(line)
    }
    assert found == set()
