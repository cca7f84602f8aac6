"""Keep a store of the present version, with what it answers, for the tests of all later ones.

    .venv/bin/python scripts/keep_store.py            of an unreleased version: made anew whenever the schema changes
    .venv/bin/python scripts/keep_store.py --release  at a release, before its tag: stays for ever

Writes `tests/kept_stores/VERSION/`: parvis.db.xz, access.db.xz and answers.json.
"""

import asyncio
import json
import lzma
import shutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from parvis import __version__  # noqa: E402
from tests.stores.sqlite.keeping import ACCESS, STORE, answers_of, fill, fingerprint  # noqa: E402

KEPT = ROOT / "tests/kept_stores"
LARGEST_BYTES = 200_000


def keep(*, is_released: bool) -> Path:
    target = KEPT / (__version__ if is_released else "next")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        asyncio.run(fill(folder))
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        for path in (STORE, ACCESS):
            (target / f"{path}.xz").write_bytes(lzma.compress((folder / path).read_bytes(), preset=9))
        answers = asyncio.run(answers_of(folder))
    told = {"version": __version__, "released": is_released, "schema": fingerprint(), "answers": answers}
    (target / "answers.json").write_text(json.dumps(told, indent=1, sort_keys=True, ensure_ascii=False) + "\n", "utf-8")
    return target


if __name__ == "__main__":
    made = keep(is_released="--release" in sys.argv)
    size = sum(path.stat().st_size for path in made.iterdir())
    if size > LARGEST_BYTES:
        raise SystemExit(f"{made} has {size} bytes: more than {LARGEST_BYTES} are too many to keep for ever")
    sys.stdout.write(f"{made}: {size} bytes\n")
