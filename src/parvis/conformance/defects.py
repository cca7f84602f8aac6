"""Tests of the suite that the standard contradicts, or that cannot pass anywhere: `defects.toml`, in our own words."""

import tomllib
from collections.abc import Sequence
from functools import cache
from importlib.resources import files

import msgspec

from parvis.conformance.results import Case


class Defect(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`test` is a test's number, or a file's for all tests in it; `clause` is what the standard says it with."""

    test: str
    clause: str
    reason: str

    def concerns(self, case: Case) -> bool:
        path = case.file.removesuffix(".robot")
        if "/" in self.test:
            return path.endswith(f"/{self.test}")
        return self.test in (case.id, path.rsplit("/", 1)[-1])


class _Document(msgspec.Struct, forbid_unknown_fields=True):
    defect: list[Defect] = []


@cache
def documented_defects() -> Sequence[Defect]:
    text = files("parvis.conformance").joinpath("defects.toml").read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(text), _Document).defect


def find_defect(case: Case, defects: Sequence[Defect]) -> Defect | None:
    return next((defect for defect in defects if defect.concerns(case)), None)
