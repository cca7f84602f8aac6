"""The one shape of a connector's folder, so that who has read one has read all, and the examples of its codec."""

import ast
import re
import sys
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Annotated

import msgspec

from parvis.fleet.ways.examples import EXAMPLES_FILE, find_example_faults
from parvis.fleet.ways.intake import ReadMessage
from parvis.kernel.errors import Detailed

SHAPE = frozenset({"__init__.py", "config.py", "codec.py", "mapping.py", "client.py", "plugin.py"})
"""Any of them may be left out; another needs a reason in the manifest."""
CONNECTOR_NAME = re.compile("[a-z][a-z0-9]{1,30}")
MANIFEST_FILE = "manifest.toml"
PLUG_IN_PREFIX = "parvis_"
"""Of the folder of a connector that is a package of its own: what follows is the connector's name."""
_PURE = ("codec.py", "mapping.py")
_INPUT_AND_OUTPUT = frozenset(
    {"aiohttp", "asyncio", "httpx", "requests", "socket", "sqlite3", "ssl", "starlette", "subprocess", "urllib3"}
)
_OURS = "parvis.connectors"


class ConnectorManifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`manifest.toml`. `extra_files` are those outside the shape, each with its reason."""

    name: Annotated[str, msgspec.Meta(pattern=f"^{CONNECTOR_NAME.pattern}$")]
    summary: Annotated[str, msgspec.Meta(min_length=10)]
    standards: tuple[str, ...] = ()
    is_always_on: bool = False
    extra_files: dict[str, Annotated[str, msgspec.Meta(min_length=11)]] = {}


class InvalidManifest(Detailed):
    """It is not there, is no TOML, or says something else than a manifest does."""


def read_manifest(folder: Path) -> ConnectorManifest:
    """Raises InvalidManifest."""
    try:
        text = folder.joinpath(MANIFEST_FILE).read_bytes()
        return msgspec.toml.decode(text, type=ConnectorManifest)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as fault:
        raise InvalidManifest(f"{MANIFEST_FILE}: {fault}") from None


def check_connector(folder: Path) -> list[str]:
    """What is wrong with the folder's shape, or else with the examples of its codec, which is imported for that."""
    return list(_shape_faults(folder)) or list(_example_faults(folder))


def _shape_faults(folder: Path) -> Iterator[str]:
    if not folder.is_dir():
        yield f"{folder} is no folder"
        return
    yield from _readme_faults(folder)
    yield from _manifest_faults(folder)
    for path in sorted(folder.glob("*.py")):
        yield from _code_faults(path)


def _readme_faults(folder: Path) -> Iterator[str]:
    try:
        title, _, body = (folder / "README.md").read_text(encoding="utf-8").partition("\n")
    except (OSError, UnicodeDecodeError) as fault:
        yield f"README.md: {fault}"
        return
    if not (title.startswith("# ") and body.strip()):
        yield "README.md: begins with a title and tells what the connector does"


def _manifest_faults(folder: Path) -> Iterator[str]:
    try:
        manifest = read_manifest(folder)
    except InvalidManifest as fault:
        yield fault.detail
        return
    if manifest.name not in (folder.name, folder.name.removeprefix(PLUG_IN_PREFIX)):
        yield f"{MANIFEST_FILE}: its name is {manifest.name!r}, that of its folder {folder.name!r}"
    extra = {path.name for path in folder.glob("*.py")} - SHAPE
    for name in sorted(extra - manifest.extra_files.keys()):
        yield f"{name}: is outside the shape, and has no reason under [extra_files] of {MANIFEST_FILE}"
    for name in sorted(manifest.extra_files.keys() - extra):
        yield f"{MANIFEST_FILE}: gives a reason for {name}, which is not there, or needs none"


def _code_faults(path: Path) -> Iterator[str]:
    try:
        tree = ast.parse(path.read_bytes(), filename=path.name)
    except (SyntaxError, ValueError) as fault:
        yield f"{path.name}: {fault}"
        return
    imported = set(_imports(tree))
    if path.name in _PURE:
        for name in sorted(imported & _INPUT_AND_OUTPUT):
            yield f"{path.name}: imports {name}, and does no input or output"
    for name in sorted({name for name in imported if _is_another_connector(name, path.parent.name)}):
        yield f"{path.name}: imports {name}, and no connector knows another"
    if path.name == "plugin.py" and "build" not in {one.name for one in tree.body if isinstance(one, ast.FunctionDef)}:
        yield "plugin.py: has no function build(surroundings)"


def _imports(tree: ast.Module) -> Iterator[str]:
    """Their whole names, and the first part of each."""
    for node in ast.walk(tree):
        names: Sequence[str] = ()
        if isinstance(node, ast.Import):
            names = [one.name for one in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [node.module]
        for name in names:
            yield name
            yield name.partition(".")[0]


def _is_another_connector(imported: str, folder: str) -> bool:
    return imported.startswith(f"{_OURS}.") and imported.split(".")[2] != folder


def _example_faults(folder: Path) -> Iterator[str]:
    path = folder / EXAMPLES_FILE
    if not path.is_file():
        return
    try:
        read: ReadMessage = _import_codec(folder).read_message
    except Exception as fault:
        yield f"{EXAMPLES_FILE}: needs read_message(message) in codec.py: {fault!r}"
        return
    yield from find_example_faults(path.read_bytes(), read)


def _import_codec(folder: Path) -> ModuleType:
    """As part of its package, found from the folder up. Raises ImportError."""
    package = _package_of(folder)
    root = str(folder.resolve().parents[len(package) - 1])
    if root not in sys.path:
        sys.path.insert(0, root)
    codec = import_module(".".join([*package, "codec"]))
    if Path(codec.__file__ or "").resolve().parent != folder.resolve():
        raise ImportError(f"{'.'.join(package)} is installed from elsewhere: {codec.__file__}")
    return codec


def _package_of(folder: Path) -> list[str]:
    """The names of the packages that it is in, and its own."""
    above, names = folder.resolve(), [folder.resolve().name]
    while (above := above.parent).joinpath("__init__.py").is_file():
        names.insert(0, above.name)
    return names
