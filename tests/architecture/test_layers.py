import subprocess
import sys

from tests.architecture.source import ROOT, imported_modules, module_name, package_files, shown


def test_every_import_contract_holds() -> None:
    """In a process of its own: the linter configures logging anew, which would silence loggers other tests hear."""
    lint = "from importlinter.cli import lint_imports; raise SystemExit(lint_imports(cache_dir=None))"
    run = subprocess.run([sys.executable, "-c", lint], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout


def test_only_bootstrap_knows_the_stores() -> None:
    strangers = {
        shown(path): sorted(name for name in imported_modules(path) if name.startswith("parvis.stores"))
        for path in package_files()
        if not module_name(path).startswith("parvis.bootstrap") and not module_name(path).startswith("parvis.stores")
    }
    assert {path: names for path, names in strangers.items() if names} == {}


def test_the_kernel_does_no_input_or_output() -> None:
    doors = {"asyncio", "httpx", "http", "socket", "sqlite3", "starlette", "subprocess", "urllib.request"}
    openers = {
        shown(path): sorted(doors & imported_modules(path))
        for path in package_files()
        if module_name(path).startswith("parvis.kernel")
    }
    assert {path: names for path, names in openers.items() if names} == {}
